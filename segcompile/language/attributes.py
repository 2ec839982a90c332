"""The body of one layer, `{conv: 64, kernel: 3, act: relu}`, -> its op and the ops it carries."""

from __future__ import annotations

from collections.abc import Container
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import ValidationError

from segcompile.language.expressions import Values, names_in
from segcompile.language.owners import CARRIED, attributes_of, classes, listed, others, owner, without
from segcompile.language.values import ALONG_AXES, READERS, read_option, read_word, with_stride
from segcompile.language.words import Meant, called
from segcompile.network.graph import Role
from segcompile.ops import BY_KIND, BY_SPELLING, BY_WORD, SPELLINGS, TOLD_BY, Op, Reads, kinds
from segcompile.text.errors import Diagnostic, SegcompileError, Span, fail, gathering, stop_on
from segcompile.text.source import Mapping, Node, Scalar, describe, is_nothing, scalars

CALLS = ("block", "use")
COMMON = ("from", "repeat", "share", "accept", *CARRIED)  # what any layer may say beside its op's attributes
JOINS = ("add", "mul", "concat", "matmul")
_NAMES_LAYERS = (*JOINS, "crop", "resize", "unpool")  # ops whose main argument is no attribute


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the spec says for all layers: `defaults`, op by op, and the network's `init`.

    `values` are the spec's parameters: what stands here means them, whatever a block calls its arguments.
    """

    by_op: MappingOf[str, Mapping] = field(default_factory=dict)
    init: Node | None = None
    values: Values = field(default_factory=dict)


def op_key(body: Mapping) -> str | None:
    """The key that says which op a body is: an op, a call, or norm/act/drop standing alone. None if there is none, as
    where a word of another framework stands beside an `act` or a `pad`."""
    found = [key for key in body.entries if key in CALLS or (key in SPELLINGS and key not in CARRIED)]
    if len(found) > 1:  # `pad` is an op and an attribute of some
        found = [
            key for key in found if not any(key in attributes_of(other) for other in found if other != key)
        ] or found
    key = next((key for key in (*found, *CARRIED) if key in body.entries), None)
    return None if key in ("pad", *CARRIED) and _is_beside_an_op(key, body) else key


def _is_beside_an_op(key: str, body: Mapping) -> bool:
    """Whether a body says more than the attributes of `key`, and what could be meant for these."""
    own = tuple(attributes_of(key))
    others = (name for name in body.entries if name not in (key, *own, *COMMON, *BY_WORD.get(key, ())))
    return any(Meant("attribute", name, own).line() is None for name in others)


def read_defaults(
    section: Mapping | None, init: Node | None, values: Values, rank: int, wrong: list[Diagnostic]
) -> Defaults:
    """A spec's `defaults` and `init`. Ops (SC109) and attributes (SC003) that do not exist, and values that none can
    have, go to `wrong`, whether a layer takes them or not."""
    by_op = {}
    for key, attributes in section.entries.values() if section else ():
        if isinstance(attributes, Mapping):
            by_op[key.text] = attributes
        with gathering(wrong):
            for word, node in _of_an_op(key, attributes).entries.values():
                with gathering(wrong):
                    _check_default(key.text, word, node, values, rank)
    return Defaults(by_op, init, values)


def _of_an_op(key: Scalar, attributes: Node) -> Mapping:
    """The defaults of one op, if there is such an op."""
    if key.text not in SPELLINGS:
        help = Meant("op", key.text, SPELLINGS, otherwise=f"ops: {', '.join(sorted(SPELLINGS))}")
        raise fail("SC109", f"there is no op `{key.text}`", key.span, help=help)
    if not isinstance(attributes, Mapping):
        message = f"defaults of `{key.text}` are attributes, not {describe(attributes)}"
        raise fail("SC004", message, attributes.span, help=f"{{{key.text}: {{...: ...}}}}")
    return attributes


def _check_default(key: str, word: Scalar, node: Node, values: Values, rank: int) -> None:
    """Refuse one default of an op; one that reads a layer's own `stride` or `channels` is left to the layer."""
    name, known = word.text, {*attributes_of(key), *CARRIED}
    if name not in known:
        otherwise = owner(name) or f"it has {', '.join(sorted(known))}"
        help = Meant("attribute", name, tuple(known), node, otherwise=otherwise)
        raise fail("SC003", f"{key} has no attribute `{name}`", word.span, help=help)
    if any({"stride", "channels"} & names_in(scalar.text) for scalar in scalars(node)):
        return
    if name in CARRIED:
        if not _is_none(node):
            _read_carried_op(name, node, Defaults(), values)
        return
    op = next(op for op in classes(key) if name in op.model_fields)
    if name == op.main:  # each layer says it itself
        return
    value = _value(op, name, node, values, rank)
    try:
        op(**{name: value})
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False):
            if item["loc"][:1] == (name,):  # another attribute is missing, as it should be
                raise _out_of_range(op, name, value, node.span) from None


@dataclass(frozen=True, slots=True)
class Read:
    """One op as read, and where each of its attributes was written."""

    op: Op
    spans: MappingOf[str, Span]


_Given = dict[str, tuple[Node, Values]]  # attribute -> what is written for it, and what the names in it mean


def read_op(key: str, body: Mapping, defaults: Defaults, values: Values, rank: int, factor: bool = False) -> Read:
    """The op under `key`; an unpool does not know its pool yet. `factor`: the main argument of a resize is a number.

    Raises SegcompileError: SC003 unknown attribute, SC011 misplaced one, SC004, SC105 or SC115 wrong value,
    SC008 missing one.
    """
    main = body.entries[key][1]
    if key in CARRIED:
        _refuse_others(key, body)
        return _read_carried_op(key, main, defaults, values)
    op, under, main = _under(key, main, said=body.entries)
    given = _given(op, key, body, defaults, values)
    if under is not None and (op.spelling not in _NAMES_LAYERS or factor):
        given = {under: (main, values), **given}
    if defaults.init is not None and "init" not in given and _starts_at_random(op):
        given["init"] = defaults.init, defaults.values
    spans = {under: main.span} if under is not None else {}
    spans |= {name: node.span for name, (node, _) in given.items()}
    return Read(_build(op, _values(op, given, rank), spans, body.span), spans)


def _under(key: str, main: Node, written: str = "", said: Container[str] = ()) -> tuple[type[Op], str | None, Node]:
    """The op that stands under its key, the attribute that is said there, and its value: of `pad: 3`, and of
    `pad: {channels: 3}`. `written`: the key as it is in the spec, if it is another word; `said`: what stands beside."""
    if isinstance(main, Mapping):
        return _by_word(key, main, written or key)
    kind = BY_KIND[key]
    word = read_word(main, tuple(kind), key) if kind else None
    for attribute, op in TOLD_BY[key].items():
        if attribute in said and (word is None or word in kinds(op)):
            return op, op.main, main
    op = kind[word] if word is not None else BY_SPELLING[key]
    return op, op.main, main


def _by_word(key: str, main: Mapping, written: str) -> tuple[type[Op], str, Node]:
    """As `_under`, for a value with the word that says what it is."""
    for word, value in main.entries.values():
        op = BY_WORD[key].get(word.text)
        if op is not None and len(main.entries) == 1:
            return op, op.by_word[word.text], value
    worded = "".join(f", or `{written}: {{{word}: ...}}`" for word in BY_WORD[key])
    help = f"the value alone, and attributes beside it: `{{{written}: ..., attribute: ...}}`{worded}"
    if written in CARRIED:
        help = f"the value alone{worded}"
    raise fail("SC004", f"`{written}` takes a value, not a mapping", main.span, help=help)


def layers_read(key: str) -> tuple[str, ...]:
    """The attributes of an op that name layers which it reads beside its input, in the order of these."""
    return BY_SPELLING[key].also_reads if key in BY_SPELLING else ()


def _starts_at_random(op: type[Op]) -> bool:
    """Whether a network's `init` speaks of its weights: of kernels, and not of scales and learned vectors."""
    field = op.model_fields.get("init")
    return field is not None and field.default.scheme in ("he", "xavier")


def _refuse_others(key: str, body: Mapping) -> None:
    """norm, act and drop standing alone have no attributes: their options belong to the word."""
    for name, (word, _) in body.entries.items():
        if name not in COMMON and name != key:
            raise fail(
                "SC003", f"{key} has no attribute `{name}`", word.span, help=f"`{key}: {{...: {{{name}: ...}}}}`"
            )


def _given(op: type[Op], key: str, body: Mapping, defaults: Defaults, values: Values) -> _Given:
    """What the body says, over what the defaults say where this op has such an attribute."""
    shared = defaults.by_op.get(key)
    entries = shared.entries.items() if shared else ()
    free = [*op.beside()]
    given = {name: (node, defaults.values) for name, (_, node) in entries if name in free}
    wrong: list[Diagnostic] = []
    for name, (word, node) in body.entries.items():
        if name in (key, *COMMON, *op.also_reads):
            continue
        with gathering(wrong):
            _refuse_attribute(op, key, word, node, free)
            given[name] = node, values
    stop_on(wrong)
    return given


def _refuse_attribute(op: type[Op], key: str, word: Scalar, node: Node, free: list[str]) -> None:
    """Refuse what is none of an op's `free` attributes."""
    name = word.text
    if name == op.main:
        raise fail("SC011", f"`{name}` is what `{key}` itself says", word.span, help=f"`{key}: ...` alone")
    if name in free:
        return
    if name in BY_WORD[key]:
        raise fail("SC011", f"`{name}` stands under `{key}`", word.span, help=f"`{key}: {{{name}: ...}}`")
    if name in SPELLINGS:
        message = f"a layer has one op, and this one has `{key}` and `{name}`"
        own = f"a layer of its own: `- {{{name}: ...}}`"
        inside = called("attribute", name, [*free, *COMMON, key], node, key)
        raise fail("SC011", message, word.span, help=f"{inside}, or {own}" if inside else own)
    if is_nothing(node):
        stray = "it has no value; is the comma before it one too many?"
        raise fail("SC003", f"{key} has no attribute `{name}`", word.span, help=stray)
    if op.told_by is not None and name in attributes_of(key):
        help = f"either of the two: `{key}` with `{op.told_by}` has no `{name}`"
        raise fail("SC011", f"`{name}` stands beside `{op.told_by}`", word.span, help=help)
    told = next((by for by in others(op) if name in TOLD_BY[key][by].beside()), None)
    if told is not None:
        raise fail("SC003", f"{key} has no attribute `{name}`", word.span, help=f"`{key}` with `{told}` has it")
    known = (*free, *op.also_reads, *COMMON, key, *others(op))
    meant = Meant("attribute", name, known, node, key, otherwise=owner(name) or listed(op))
    raise fail("SC003", f"{key} has no attribute `{name}`", word.span, help=meant)


def _values(op: type[Op], given: _Given, rank: int = 0, stride: tuple[int, ...] | None = None) -> dict[str, Any]:
    """The value of each attribute; the stride first, because the others may read it (`kernel: 2*stride`). Where a layer
    has none of its own, another value of that name is meant, if there is one."""
    found: dict[str, Any] = {}
    strided = "stride" in op.model_fields
    wrong: list[Diagnostic] = []
    for name, (node, values) in sorted(given.items(), key=lambda item: item[0] != "stride"):
        own = strided and name != "stride" and (stride is not None or "stride" not in values)
        scope = with_stride(values, stride or (1,) * rank) if own else values
        try:
            found[name] = _value(op, name, node, scope, rank)
        except SegcompileError as error:
            wrong += error.diagnostics
        if name == "stride":
            stride = found.get(name, stride)
    stop_on(wrong)
    return found


def _value(op: type[Op], name: str, node: Node, values: Values, rank: int = 0) -> Any:
    """The value of an attribute. `rank`: of the network; 0 for an op that says nothing of single axes."""
    reads = op.reads(name)
    if reads in ALONG_AXES:
        return ALONG_AXES[reads](node, values, rank)
    if reads is Reads.WORD:
        return read_word(node, get_args(op.model_fields[name].annotation), name)
    return READERS[reads](node, values)


def _build(op: type[Op], found: dict[str, Any], spans: MappingOf[str, Span], at: Span) -> Op:
    """The op, or the first thing that is wrong, at its attribute; `at` where nothing was written for it.

    The readers have checked everything but numbers between limits and whether all that is needed is there.
    """
    try:
        return op(**found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        name = str(first["loc"][0])
        if first["type"] == "missing":
            word = found.get("kind") if op.spelling in CARRIED else None
            here = f"`{name}: ...` here or in `defaults`{without(op, name, found)}"
            help = f"`{op.spelling}: {{{word}: {{{name}: ...}}}}`" if word else here
            raise fail("SC008", f"{word or op.spelling} needs `{name}`", at, help=help) from None
        raise _out_of_range(op, name, found.get(name), spans.get(name, at)) from None


_LIMITS = (("gt", "above"), ("ge", "at least"), ("lt", "below"), ("le", "at most"))


def _out_of_range(op: type[Op], name: str, value: Any, span: Span) -> SegcompileError:
    """SC105 for a number that its attribute cannot have."""
    field = op.model_fields[name]
    limits = [
        f"{words} {getattr(limit, sign):g}"
        for sign, words in _LIMITS
        for limit in field.metadata
        if hasattr(limit, sign)
    ]
    usual = 0.5 if field.is_required() or field.default is None else field.default
    help = f"for example `{'drop' if op.spelling == 'dropout' else name}: {usual:g}`"
    return fail("SC105", f"`{name}` is {' and '.join(limits)}, not {value:g}", span, help=help)


def _read_carried_op(key: str, node: Node, defaults: Defaults, values: Values) -> Read:
    """`drop: 0.5`, `norm: batch`, `norm: {batch: {eps: 1e-3}}`, `act: {leaky_relu: 0.1}`."""
    if key == "drop":
        dropout, rate, value = _under("dropout", node, key)
        assert rate is not None
        spans = {rate: value.span}
        return Read(_build(dropout, {rate: _value(dropout, rate, value, values)}, spans, node.span), spans)
    word, options = read_option(node)
    op = BY_KIND[key].get(word.text)
    if op is None:
        raise _no_kind(key, word)
    shared = defaults.by_op.get(key)
    free = [name for name in op.model_fields if name != "kind"]
    given = {name: (n, defaults.values) for name, (_, n) in shared.entries.items() if name in free} if shared else {}
    given |= _options(word, options, free, values)
    spans = {"kind": word.span, **{name: value.span for name, (value, _) in given.items()}}
    return Read(_build(op, {"kind": word.text, **_values(op, given)}, spans, word.span), spans)


def _no_kind(key: str, word: Scalar) -> SegcompileError:
    if not word.text:
        return fail(
            "SC012", "a value is missing here", word.span, help=f"`{key}: none`, or one of {', '.join(BY_KIND[key])}"
        )
    if word.text == "none":
        return fail("SC011", f"`{key}: none` belongs in a layer; alone it does nothing", word.span, help="remove it")
    help = Meant(key, word.text, (*BY_KIND[key], "none"), otherwise=f"known: {', '.join(BY_KIND[key])}")
    return fail("SC115", f"there is no {key} `{word.text}`", word.span, help=help)


def _options(word: Scalar, options: Node | None, free: list[str], values: Values) -> _Given:
    """The options of a norm or activation, by name, or the only one by its value."""
    if options is None:
        return {}
    if not free:
        raise fail("SC004", f"{word.text} takes no value", options.span, help=f"`{word.text}` alone")
    if not isinstance(options, Mapping):
        return {free[0]: (options, values)}
    wrong: list[Diagnostic] = []
    for name, (written, node) in options.entries.items():
        if name not in free:
            help = Meant("attribute", name, tuple(free), node, otherwise=f"it has {', '.join(free)}")
            wrong += fail("SC003", f"{word.text} has no option `{name}`", written.span, help=help).diagnostics
    stop_on(wrong)
    return {name: (value, values) for name, (_, value) in options.entries.items()}


def read_carried(key: str, body: Mapping, defaults: Defaults, values: Values) -> list[tuple[Role, Read]]:
    """The norm, act and drop that a layer carries besides its own op, in order; `none` takes a default away."""
    shared = defaults.by_op.get(key)
    found = []
    for name in CARRIED:
        node, scope = body.get(name), values
        if node is None and shared is not None:
            node, scope = shared.get(name), defaults.values
        if name != key and node is not None and not _is_none(node):
            found.append((name, _read_carried_op(name, node, defaults, scope)))
    return found


# --- a layer that is there, changed ---------------------------------------------------------------------------------


def changeable(op: Op) -> frozenset[str]:
    """What can be said anew of an op: its attributes, the main one under the op's own name."""
    main = {op.spelling} if op.main is not None and op.spelling not in _NAMES_LAYERS else set()
    return frozenset({*main, *op.beside()})


def change_op(op: Op, attributes: Mapping, values: Values, rank: int) -> Read:
    """The op with other `attributes` (all `changeable`), and where these are written.

    Raises SegcompileError: SC004 or SC105 for a wrong value, SC115 for no such norm or activation.
    """
    if op.spelling in CARRIED and op.spelling in attributes.entries:
        return _read_carried_op(op.spelling, attributes.entries[op.spelling][1], Defaults(), values)
    names = {op.main if name == op.spelling else name: node for name, (_, node) in attributes.entries.items()}
    if op.main in names and op.main in op.by_word.values():
        names[op.main] = _behind_word(op, names[op.main])
    given = {name: (node, values) for name, node in names.items() if name is not None}
    spans = {name: node.span for name, (node, _) in given.items()}
    found = _values(type(op), given, rank, getattr(op, "stride", None))
    now = {name: getattr(op, name) for name in type(op).model_fields}
    return Read(_build(type(op), {**now, **found}, spans, attributes.span), spans)


def _behind_word(op: Op, node: Node) -> Node:
    """The main argument of an op that always stands with its word: 3 of `{channels: 3}`."""
    ((word, _),) = op.by_word.items()
    if isinstance(node, Mapping) and [*node.entries] == [word]:
        return node.entries[word][1]
    message = f"this `{op.spelling}` takes `{word}`, not {describe(node)}"
    raise fail("SC004", message, node.span, help=f"`{op.spelling}: {{{word}: ...}}`")


def change_carried(key: str, node: Node, defaults: Defaults, values: Values) -> Read | None:
    """The norm, act or drop that a layer carries from now on; None for `none`."""
    return None if _is_none(node) else _read_carried_op(key, node, defaults, values)


def _is_none(node: Node) -> bool:
    return isinstance(node, Scalar) and node.text == "none"
