"""The body of one layer, `{conv: 64, kernel: 3, act: relu}`, -> its op and the ops it carries."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from segcompile.errors import Span, did_you_mean, fail
from segcompile.language.values import READERS, Values, read_number, read_option, read_pair, read_word
from segcompile.ops import BY_KIND, BY_SPELLING, SPELLINGS, Init, Op, Reads
from segcompile.source import Mapping, Node, Scalar, describe

CARRIED = ("norm", "act", "drop")  # applied in this order
CALLS = ("block", "use")
COMMON = ("from", "repeat", *CARRIED)  # what any layer may say beside its op's attributes
_INPUTS = {"add": 2, "mul": 2, "concat": 2, "crop": 1, "resize": 1}  # ops whose main argument names layers


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the spec says for all layers: `defaults`, op by op, and the network's `init`."""

    by_op: MappingOf[str, Mapping]
    init: Node | None


def op_key(body: Mapping) -> str | None:
    """The key that says which op a body is: an op, a call, or norm/act/drop standing alone. None if there is none."""
    found = [key for key in body.entries if key in SPELLINGS and key not in CARRIED or key in CALLS]
    if len(found) > 1:  # `pad` is an op and an attribute of some
        found = [key for key in found if not any(key in _attributes(other) for other in found if other != key)] or found
    if found:
        return found[0]
    return next((key for key in CARRIED if key in body.entries), None)


def _attributes(spelling: str) -> set[str]:
    classes = [BY_SPELLING[spelling]] if spelling in BY_SPELLING else list(BY_KIND.get(spelling, {}).values())
    return {name for op in classes for name in op.model_fields}


def check_defaults(defaults: Mapping | None) -> None:
    """Refuse `defaults` for an op (SC109) or attribute (SC003) that does not exist."""
    for key, attributes in defaults.entries.values() if defaults else ():
        if key.text not in SPELLINGS:
            raise fail("SC109", f"there is no op `{key.text}`", key.span, help=did_you_mean(key.text, SPELLINGS))
        if not isinstance(attributes, Mapping):
            raise fail("SC004", f"defaults of `{key.text}` are attributes, not {describe(attributes)}", attributes.span)
        known = {*_attributes(key.text), *CARRIED}
        for name, _ in attributes.entries.values():
            if name.text not in known:
                help = did_you_mean(name.text, known)
                raise fail("SC003", f"{key.text} has no attribute `{name.text}`", name.span, help=help)


@dataclass(frozen=True, slots=True)
class Read:
    """One op as read, and where each of its attributes was written."""

    op: Op
    spans: MappingOf[str, Span]


def read_op(key: str, body: Mapping, defaults: Defaults, values: Values, factor: bool = False) -> Read:
    """The op under `key`. `factor`: the main argument of a resize is a number, not a reference.

    Raises SegcompileError: SC003 unknown attribute, SC004/SC105 wrong value, SC008 missing one, SC109 no such op.
    """
    main = body.entries[key][1]
    if key in CARRIED and key != "drop":
        return _read_kind(key, main, values)
    if key == "drop":
        return Read(_build(BY_SPELLING["dropout"], {"rate": read_number(main, values)}, {"rate": main.span}, body), {"rate": main.span})
    kind = BY_KIND[key]
    op = kind[read_word(main, tuple(kind))] if kind else BY_SPELLING[key]
    given = _given(op, key, body, defaults)
    if op.main is not None and (op.spelling not in _INPUTS or factor):
        given[op.main] = main
    if "init" in op.model_fields and "init" not in given and defaults.init is not None:
        given["init"] = defaults.init
    spans = {name: node.span for name, node in given.items()}
    return Read(_build(op, _values(op, given, values), spans, body), spans)


def _given(op: type[Op], key: str, body: Mapping, defaults: Defaults) -> dict[str, Node]:
    """Attribute -> what is written for it: in the body, else in the defaults where this op has such an attribute."""
    shared = defaults.by_op.get(key)
    given = {name: node for name, (_, node) in shared.entries.items() if name in op.model_fields} if shared else {}
    for name, (word, node) in body.entries.items():
        if name == key or name in COMMON:
            continue
        if name not in op.model_fields:
            known = [*op.model_fields, *COMMON]
            raise fail("SC003", f"{key} has no attribute `{name}`", word.span, help=did_you_mean(name, known) or _known(op))
        given[name] = node
    return given


def _known(op: type[Op]) -> str:
    names = [name for name in op.model_fields if name != op.main]
    return f"it has {', '.join(names)}" if names else "it has none"


def _values(op: type[Op], given: MappingOf[str, Node], values: Values) -> dict[str, Any]:
    """The value of each attribute; the stride first, because the others may read it (`kernel: 2*stride`)."""
    scope = dict(values)
    if "stride" in op.model_fields:
        stride = read_pair(given["stride"], values) if "stride" in given else (1, 1)
        scope = {**values, "stride": stride[0], "stride_h": stride[0], "stride_w": stride[1]}
    found: dict[str, Any] = {}
    for name, node in given.items():
        if name == "stride":
            found[name] = stride
        elif op.reads(name) is Reads.WORD:
            found[name] = read_word(node, get_args(op.model_fields[name].annotation))
        else:
            found[name] = READERS[op.reads(name)](node, scope)
    return found


def _build(op: type[Op], found: dict[str, Any], spans: MappingOf[str, Span], body: Mapping) -> Op:
    """The op, or pydantic's first objection at the attribute it is about."""
    try:
        return op(**found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        name = str(first["loc"][0])
        if first["type"] == "missing":
            raise fail("SC008", f"{op.spelling} needs `{name}`", body.span, help=f"`{name}: ...` here or in `defaults`") from None
        message = f"{name} {found.get(name)}: {first['msg'][:1].lower()}{first['msg'][1:]}"
        raise fail("SC004", message, spans.get(name, body.span)) from None


def _read_kind(key: str, node: Node, values: Values) -> Read:
    """`norm: batch`, `norm: {batch: {eps: 1e-3}}`, `act: {leaky_relu: 0.1}`."""
    word, options = read_option(node)
    op = BY_KIND[key].get(word.text)
    if op is None:
        known = [*BY_KIND[key], "none"]
        help = did_you_mean(word.text, known) or f"known: {', '.join(known)}"
        raise fail("SC109", f"there is no {key} `{word.text}`", word.span, help=help)
    given: dict[str, Node] = {}
    free = [name for name in op.model_fields if name != "kind"]
    if isinstance(options, Mapping):
        for name, (written, value) in options.entries.items():
            if name not in free:
                raise fail("SC003", f"{word.text} has no option `{name}`", written.span, help=did_you_mean(name, free))
            given[name] = value
    elif options is not None:
        if not free:
            raise fail("SC004", f"{word.text} takes no value", options.span)
        given[free[0]] = options
    spans = {"kind": word.span, **{name: value.span for name, value in given.items()}}
    body = Mapping({}, word.span)
    return Read(_build(op, {"kind": word.text, **_values(op, given, values)}, spans, body), spans)


def read_carried(key: str, body: Mapping, defaults: Defaults, values: Values) -> list[tuple[str, Read]]:
    """The norm, act and drop that a layer carries besides its own op, in order; `none` takes a default away."""
    shared = defaults.by_op.get(key)
    found = []
    for name in CARRIED:
        node = body.get(name) if name != key else None
        if node is None and name != key and shared is not None:
            node = shared.get(name)
        if node is None or (isinstance(node, Scalar) and node.text == "none"):
            continue
        alone = Mapping({name: (Scalar(name, node.span), node)}, node.span)
        found.append((name, read_op(name, alone, defaults, values)))
    return found


def default_init() -> Init:
    """The initialisation of a weight for which the spec names none."""
    return Init()
