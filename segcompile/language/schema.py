"""The shape of a spec file: which keys there are and what kind of thing stands under each (pydantic).

Scalars are still text here; what they mean is read where they are used. `validate` turns pydantic's findings into
diagnostics at the user's keys.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from segcompile.language.words import Meant, called, like_a_name
from segcompile.ops import ALL_OPS, BY_KIND, Init, Reads
from segcompile.text.errors import MAX_ERRORS, Findings, Label, Span
from segcompile.text.source import Mapping, Node, Scalar, Sequence, describe

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]

# The edits of a `transform`; language/edits.py reads them.
Edit = Literal["convolutionalize", "remove", "remove_stride", "atrous", "set", "replace", "append", "insert"]

Scalars = str | list[str]  # one, or a list of them


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)  # what validates a spec validates its parts, too


class Cite(_Part):
    """Where the network was published."""

    arxiv: str | None = None
    doi: str | None = None
    table: str | None = None
    url: str | None = None


_WithDefault = Annotated[dict[Name, Any], Field(min_length=1, max_length=1)]  # an argument and its default


class Block(_Part):
    """A named, parameterised list of layers."""

    args: Annotated[
        list[Name | Annotated[dict[Name, Any], Field(min_length=1, max_length=1)]], Field(max_length=64)
    ] = []
    layers: list[Any]
    accept: Any = None  # language/acceptances.py reads it


class Data(_Part):
    """What the labels of the masks mean; language/data.py reads it."""

    classes: Any = None
    ignore: Any = None
    map: Any = None


class Training(_Part):
    """How to train: the paper's regime; language/training.py reads it."""

    loss: Any = None
    heads: Any = None
    optimizer: Any = None
    schedule: Any = None
    lr: Any = None
    batch: Any = None
    steps: Any = None
    double_bias: Any = None
    input_padding: Any = None
    stages: Any = None


class Spec(_Part):
    """A segcompile spec, version 1."""

    segcompile: str
    model: ModelName
    about: str = ""
    cite: Cite | None = None
    params: Annotated[dict[Name, str], Field(max_length=256)] = {}
    input: dict[Name, Any] | None = None
    variants: list[Name] = []
    defaults: dict[str, dict[str, Any]] = {}
    blocks: dict[Name, Block] = {}
    table: dict[str, Scalars] | None = None
    layers: list[Any] | None = None
    base: str | None = None
    variant: str | None = None
    transform: list[dict[Edit, Any]] | None = None
    init: str | dict[str, Any] | None = None
    outputs: Any = {}  # a mapping, or a list of mappings and loops, as are the claims
    claims: Any = {}
    accept: Any = None
    data: Data | None = None
    training: Training | None = None


def plain(node: Node) -> Any:
    """The tree as dicts, lists and strings."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, (_, value) in node.entries.items()}


_SHALLOW = ("layers", "table", "outputs", "claims", "transform")  # checked where they are read, entry by entry


def validate(root: Mapping, findings: Findings) -> None:
    """Hold a document (base merged in, variant chosen) against the schema; what is wrong goes to `findings`."""
    data = {key: _outline(value) if key in _SHALLOW else plain(value) for key, (_, value) in root.entries.items()}
    try:
        Spec.model_validate(data)
    except ValidationError as error:
        reported: set[int] = set()
        for item in error.errors(include_url=False):
            most = item.get("ctx", {}).get("max_length", 0)
            _report(root, item["loc"], item["type"], most, findings, reported)
            if len(reported) == MAX_ERRORS:
                break
    if not findings.has_errors:
        _check_network(root, findings)
        _check_arguments(root, findings)


def _check_network(root: Mapping, findings: Findings) -> None:
    """What no key says alone: layers in one of their forms, and what enters them."""
    if "table" in root.entries and "layers" in root.entries:
        span, labels = root.key("layers").span, [Label(root.key("table").span, "the table")]
        findings.add(
            "SC011", "a spec has a `table` or `layers`, not both", span, labels=labels, help="keep one of them"
        )
    elif "table" not in root.entries and "layers" not in root.entries:
        help = _EXPECTED["layers"]
        findings.add("SC012", "a spec needs `layers`, a `table` or a `base`", _start(root), help=help)
    elif "input" not in root.entries:
        findings.add("SC012", "a spec needs an `input`", _start(root), help=_EXPECTED["input"])


def _check_arguments(root: Mapping, findings: Findings) -> None:
    """SC114 for a parameter that is called `channels`, which means those that enter a layer, and for an argument of a
    block that is called like any word of the language, which it would hide."""
    params = root.get("params")
    for key, _ in params.entries.values() if isinstance(params, Mapping) else ():
        if key.text == "channels":
            message = "`channels` cannot be a parameter's name: in a layer it is how many channels enter"
            findings.add("SC114", message, key.span, help="for example `C`")
    blocks, named = root.get("blocks"), root.get("variants")
    variants = {item.text for item in named.items if isinstance(item, Scalar)} if isinstance(named, Sequence) else set()
    for block in (node for _, node in blocks.entries.values()) if isinstance(blocks, Mapping) else ():
        args, before = block.get("args") if isinstance(block, Mapping) else None, dict[str, Span]()
        for item in args.items if isinstance(args, Sequence) else ():
            name = next(iter(item.entries.values()))[0] if isinstance(item, Mapping) else item
            if isinstance(name, Scalar) and (name.text in reserved() or name.text in variants):
                what = "a variant" if name.text in variants else "a word of the language"
                message = f"`{name.text}` cannot be an argument's name: it is {what}"
                findings.add("SC114", message, name.span, help=f"for example `own_{name.text}`")
            if isinstance(name, Scalar) and name.text in before:
                labels = [Label(before[name.text], "first written here")]
                findings.add("SC002", f"argument `{name.text}` is given twice", name.span, labels=labels, help=_KEEP)
            if isinstance(name, Scalar):
                before[name.text] = name.span


_KEEP = "keep one of them"


@cache
def reserved() -> frozenset[str]:
    """The words that stand for values somewhere in a layer, or for what enters it, and the keys of a call."""
    found = {"accept", "share", "input", "above", "network", "channels", "stride", "none", "any", "same", "causal"}
    found |= {"block", "use", "from", "repeat", "for", *get_args(Init.model_fields["scheme"].annotation)}
    found |= {"yes", "no", "true", "false", *(kind for kinds in BY_KIND.values() for kind in kinds)}
    fields = (field for op in ALL_OPS for name, field in op.model_fields.items() if op.reads(name) is Reads.WORD)
    return frozenset(found.union(*(get_args(field.annotation) for field in fields)))


def _outline(node: Node) -> Any:
    """Just the outermost kind, so that 10,000 layers are not copied to be told that they are a list."""
    if isinstance(node, Scalar):
        return node.text
    return [] if isinstance(node, Sequence) else {}


def _report(
    root: Mapping, loc: tuple[int | str, ...], kind: str, most: int, findings: Findings, seen: set[int]
) -> None:
    """One pydantic error at the node that `loc` leads to; several errors of one node are one diagnostic. `most`: the
    length that is exceeded, if one is."""
    node, key, path = _find(root, loc)
    if loc and loc[-1] == "[key]" and key is not None:
        node = key
    if id(node) in seen:
        return
    seen.add(id(node))
    where = f"`{path[-1]}`" if path else "a spec"
    if kind == "extra_forbidden" and key is not None:
        known = _owner(path).model_fields
        place = "spec" if len(path) == 1 else path[0]
        meant = Meant(place, key.text, tuple(known), node, otherwise=f"known: {', '.join(known)}")
        findings.add("SC003", f"there is no key `{key.text}` here", key.span, help=meant)
    elif kind == "missing" and not _called_otherwise(root, path, str(loc[-1])):
        span = node.span if key is None else key.span
        findings.add("SC012", f"`{loc[-1]}` is missing", span, help=_MISSING.get(str(loc[-1])))
    elif kind == "string_too_long":
        findings.add("SC111", f"{describe(node)} is too long for {where}: {most} characters are the most", node.span)
    elif kind == "too_long":
        findings.add("SC111", f"{where} has more than {most} entries", key.span if key else node.span)
    elif kind == "missing":
        return  # the key that says it is told
    elif kind == "string_pattern_mismatch" and isinstance(node, Scalar):
        model = path == ["model"]
        pattern = "a-z, 0-9 and _" if model else "letters, digits and _"
        help = like_a_name(node.text.lower(), "net") if model else _as_declared(node.text)
        findings.add("SC114", f"{describe(node)} cannot be a name: {pattern}, a letter first", node.span, help=help)
    else:
        expected = _EXPECTED.get(path[0] if path else "")
        findings.add("SC004", f"{where} cannot be {describe(node)}", node.span, help=expected)


def _called_otherwise(root: Mapping, path: list[str], missing: str) -> bool:
    """Whether a key that the spec misses is there under another framework's name: `name: net`."""
    known = tuple(Spec.model_fields)
    words = [word for word in root.entries if word not in known] if not path else []
    return any((called("spec", word, (missing,)) or "").startswith(f"write `{missing}:") for word in words)


_WITH_VALUE = re.compile(r"([A-Za-z_]\w*)\s*=\s*(\S+)")  # an argument as Python declares it
_WITH_ARGUMENTS = re.compile(r"([A-Za-z_]\w*)\s*\((.*)\)")  # and a function


def _as_declared(text: str) -> str:
    """The help for what cannot be a name."""
    value, function = _WITH_VALUE.fullmatch(text), _WITH_ARGUMENTS.fullmatch(text)
    if value is not None:
        return f"a default is written `{value[1]}: {value[2]}`"
    if function is not None:
        return f"`{function[1]}: {{args: [{function[2]}], layers: [...]}}`"
    return like_a_name(text, "n")


def _owner(path: list[str]) -> type[_Part]:
    """The part of the schema that should know the key at the end of `path`."""
    if len(path) == 1:
        return Spec
    owners: dict[str, type[_Part]] = {"cite": Cite, "data": Data, "training": Training}
    return owners.get(path[0], Block)


_MISSING = {"segcompile": "a spec starts with `segcompile: 1`", "model": "for example `model: my_network`"}
_EXPECTED = {
    "model": _MISSING["model"],
    "about": "a sentence: `about: FCN-8s on VGG-16`",
    "cite": "where it was published: {arxiv: 1411.4038}",
    "init": "a word, or one with its option: `init: {normal: 0.01}`",
    "params": "params are named integers: {C: 21}",
    "input": "for example {channels: 3, size: 500}",
    "variants": "a list of names: [basic, large]",
    "defaults": "op -> attributes: {conv: {kernel: 3, pad: same}}",
    "blocks": "name -> {args: [w, s: 1], layers: [...]}",
    "table": "a table has a row a line: `dilation: [1, 1, 2, 4]`",
    "layers": "a list of layers: `- conv1: {conv: 64, kernel: 3}`",
    "data": "what the labels mean: {classes: [road, sky], ignore: [255]}",
    "training": "see `training` in docs/language.md",
}


def _find(root: Mapping, loc: tuple[int | str, ...]) -> tuple[Node, Scalar | None, list[str]]:
    """The node at the end of `loc`, as far as it leads; the key it stands under; the keys on the way."""
    node: Node = root
    key: Scalar | None = None
    path: list[str] = []
    for part in loc:
        if isinstance(node, Mapping) and isinstance(part, str) and part in node.entries:
            key, node = node.entries[part]
            path.append(part)
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
    return node, key, path


def _start(root: Mapping) -> Span:
    first = next(iter(root.entries.values()), None)
    return first[0].span if first else root.span
