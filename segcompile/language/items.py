"""The entries of a list of layers, taken apart; nothing is looked up here."""

from __future__ import annotations

from collections.abc import Collection

from segcompile.language.attributes import CALLS, COMMON, JOINS, op_key
from segcompile.language.owners import CARRIED
from segcompile.language.words import Meant, called
from segcompile.ops import ALL_OPS, SPELLINGS
from segcompile.text.errors import Diagnostic, Near, fail, stop_on
from segcompile.text.source import Mapping, Node, Scalar, Sequence, describe, is_nothing

OPS = (*sorted(SPELLINGS), *CALLS, "drop")  # what says what a layer is
_ATTRIBUTES = frozenset(name for op in ALL_OPS for name in op.model_fields)


def split(item: Node) -> tuple[Scalar | None, Mapping | Sequence]:
    """A list entry as (name, body): `name: {...}`, `name: [...]`, or a body without a name."""
    if not isinstance(item, Mapping) or not item.entries:
        code = "SC012" if isinstance(item, Mapping) else "SC004"
        message = "this layer is empty" if isinstance(item, Mapping) else f"a layer is a mapping, not {describe(item)}"
        example = "`- name: {conv: 64, kernel: 3}`"
        meant = Meant("op", item.text, OPS, otherwise=example) if isinstance(item, Scalar) else example
        raise fail(code, message, item.span, help=meant)
    if len(item.entries) > 1:
        if is_nothing(next(iter(item.entries.values()))[1]):
            _refuse_indentation(item)
        return None, item
    ((key, value),) = item.entries.values()
    if isinstance(value, Mapping) and key.text not in CALLS and (key.text not in SPELLINGS or op_key(value)):
        return key, value
    if isinstance(value, Sequence) and (key.text not in SPELLINGS or _is_chain(key, value)):
        return key, value
    if key.text not in SPELLINGS and key.text not in (*CALLS, "drop"):
        if called("op", key.text, OPS):  # the name of an op elsewhere: there is no name
            raise fail("SC109", f"there is no op `{key.text}`", key.span, help=Meant("op", key.text, OPS, value))
        message = f"layer `{key.text}` is {describe(value)}; it must say an op"
        word = called("op", value.text, OPS) if isinstance(value, Scalar) else None
        other = Near(key.text, OPS, f"`{key.text}: {{conv: 64, kernel: 3}}`")
        help = word or other
        raise fail("SC109", message, value.span if isinstance(value, Scalar) and value.text else key.span, help=help)
    return None, item


def _is_chain(key: Scalar, value: Sequence) -> bool:
    """Whether a list under the name of an op holds layers: no op but a join takes such."""
    return key.text not in JOINS and any(isinstance(item, Mapping) for item in value.items)


_MAIN = tuple(op for op in OPS if op not in (*CARRIED, "pad", "drop"))  # what a layer is for


def body_op(name: Scalar | None, body: Mapping, blocks: Collection[str] = ()) -> str:
    """The key of a layer's body that says its op. `blocks`: the spec's. Raises SegcompileError (SC011, SC012, SC109) if
    none does."""
    key = op_key(body)
    if key is not None:
        return key
    if name is None:
        _refuse_indentation(body)
    if "layers" in body.entries:
        message = "a list of layers stands under `for`, or in a block"
        several = "`for: {i: 1..2}` with `layers: [...]` repeats several; `repeat` is said to one layer"
        raise fail("SC011", message, body.key("layers").span, help=several)
    word, help = _meant_op(body, blocks)
    if word is None and name is not None and name.text in blocks:
        help = f"a block is called by `block`: `{name.text}: {{block: {name.text}, ...}}`"
    if word is None:
        at = name if name is not None else next(iter(body.entries.values()))[0]
        raise fail("SC012", f"`{at.text}` says no op", at.span, help=help)
    raise fail("SC109", f"there is no op `{word.text}`", word.span, help=help)


def _meant_op(body: Mapping, blocks: Collection[str]) -> tuple[Scalar | None, str | Meant]:
    """The word of a body that was to be its op, if there is one, and the help."""
    words = [word for word, _ in body.entries.values() if word.text not in (*_ATTRIBUTES, *COMMON)]
    for word in words:
        if word.text in blocks:
            return word, f"a block is called by `block`: `{{block: {word.text}, ...}}`"
    for word in words:
        if called("op", word.text, OPS):
            return word, Meant("op", word.text, OPS, body.get(word.text))
    for word in words:
        ours = called("attribute", word.text, _MAIN, body.get(word.text))
        if ours:  # `filters`, `scale_factor`
            return word, ours
    known = (*_ATTRIBUTES, *OPS)
    odd = next((word for word in words if not called("attribute", word.text, known)), None)
    if odd is None:
        return None, "`name: {conv: 64, kernel: 3}`"
    return odd, Meant("op", odd.text, OPS, body.get(odd.text), otherwise=f"ops: {', '.join(sorted(SPELLINGS))}")


def _refuse_indentation(item: Mapping) -> None:
    """`- conv1: {conv: 64}` with an attribute on the next line, beside the name instead of below it."""
    named = [key for key, value in item.entries.values() if isinstance(value, Mapping) and op_key(value)]
    named = named or [key for key, value in list(item.entries.values())[:1] if is_nothing(value)]
    for key, _ in item.entries.values():
        if named and key is not named[0]:
            message = f"`{key.text}` stands beside layer `{named[0].text}`, not in it"
            raise fail("SC011", message, key.span, help="put it inside the braces, or indent it below the name")


def refuse_loose(key: str, body: Mapping) -> None:
    """Refuse (SC004) the inputs of a join without the brackets of a list: `{mul: a, b}`."""
    main = body.entries[key][1]
    loose = [word.text for word, value in body.entries.values() if is_nothing(value)]
    if isinstance(main, Scalar) and loose:
        message = f"`{key}` takes a list of layers, not {describe(main)}"
        raise fail("SC004", message, main.span, help=f"`{key}: [{', '.join([main.text, *loose])}]`")


def list_under(mapping: Mapping, key: str) -> Sequence:
    """The list of layers under `key`. Raises SegcompileError: SC012 for nothing, SC004 for anything else."""
    found = mapping.get(key)
    if isinstance(found, Sequence):
        return found
    help = "`- name: {conv: 64, kernel: 3}`"
    if found is None:
        raise fail("SC012", f"`{key}` is missing: a list of layers", mapping.span, help=help)
    raise fail("SC004", f"`{key}` is a list of layers, not {describe(found)}", found.span, help=help)


def only(mapping: Mapping, keys: tuple[str, ...], place: str = "") -> None:
    """Refuse (SC003) a key that is none of `keys`; `place`: the section of the field's other words for them."""
    wrong: list[Diagnostic] = []
    for key, node in mapping.entries.values():
        if key.text not in keys:
            help = Meant(place, key.text, keys, node, otherwise=f"known: {', '.join(keys)}")
            wrong += fail("SC003", f"there is no key `{key.text}` here", key.span, help=help).diagnostics
    stop_on(wrong)
