"""Layers as a JSON Schema has them, made from the ops: bodies, lists, defaults, and the rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, get_args

from segcompile.language.acceptances import WARNINGS
from segcompile.language.attributes import CALLS, JOINS
from segcompile.language.json_blocks import in_block
from segcompile.language.json_values import (
    ATOM,
    NAME,
    RANGE,
    TEXT,
    Schema,
    closed,
    either,
    integer,
    listed,
    one_key,
    ref,
    within,
    words,
)
from segcompile.language.owners import CARRIED
from segcompile.language.table import PAPER_NAMES
from segcompile.language.write import default
from segcompile.ops import ALL_OPS, BY_KIND, SPELLINGS, Op, Reads, kinds

_MEANINGS = {
    "align": "how inputs of unequal size are made one",
    "align_corners": "the outermost pixels stay where they are",
    "alpha": "the weight of the mean square, or of what elu has below zero",
    "beta": "the exponent",
    "bins": "parts into which each axis is divided, one output each",
    "bias": "a number added to each channel",
    "count_pad": "whether a mean counts the zeros of the padding",
    "dilation": "input pixels from one tap of the kernel to the next",
    "eps": "added to the variance",
    "frozen": "the weights stay as they are initialised",
    "groups": "groups of channels, each for itself",
    "init": "how the weights start",
    "k": "the constant below the exponent",
    "kernel": "size of the window",
    "max": "the largest value that is left",
    "min": "the smallest value that is left",
    "mode": "what is filled in",
    "momentum": "share of the new batch in the running statistics",
    "more": "channels of zeros behind those that enter",
    "over": "what is summed over",
    "offset": "pixels cut off at the top and left; derived where none is said",
    "output_pad": "pixels added at the bottom and right",
    "pad": "pixels around the input, or cut off the output of a deconv",
    "reduce": "the kernel and stride by which keys and values are made fewer",
    "round": "whether a last window that overhangs is kept (ceil)",
    "scale": "the factor before the softmax (default: 1 / sqrt(channels of a head))",
    "shared": "one slope for all channels",
    "size": "neighbouring channels that are looked at, or pixels along the axes",
    "slope": "the factor below zero",
    "stride": "input pixels a step of the output",
    "value": "the number that is put around, where the mode is zero",
    "weights": "a factor for each input",
}
_NEVER: Schema = {"not": {}}
_EMPTY = {"enum": ["-", "–", "", None]}  # cells of a table
LAYERS = ref("layers", "a list of layers")
_INSIDE = ref(in_block("layers"), "a list of layers, in which a loop's words stand for words")
_INTEGER = {"type": "integer"}
_TURN = either(ATOM, {"type": "number"})  # of a loop's variable; a number with a fraction is passed whole, as words are


def attribute(op: type[Op], name: str) -> Schema:
    """A value of one attribute of an op."""
    field, reads = op.model_fields[name], op.reads(name)
    due = ref(reads.name.lower())
    if reads is Reads.WORD:
        due = words(*get_args(field.annotation))
    elif reads is Reads.NUMBER:
        due = within(Annotated[(field.annotation, *field.metadata)])
    unless = "" if field.is_required() or field.default in (None, ()) else f" (default: {default(op, name)})"
    return {**due, "description": f"{_MEANINGS.get(name, reads.value)}{unless}"}


def attributes(ops: Iterable[type[Op]]) -> dict[str, Schema]:
    """What can be said of any of some ops beside what stands under their own keys."""
    found: dict[str, list[Schema]] = {}
    for op in ops:
        for name in op.beside():
            found.setdefault(name, []).append(attribute(op, name))
    return {name: _together(schemas, _MEANINGS.get(name, "")) for name, schemas in found.items()}


def _together(schemas: Sequence[Schema], meaning: str) -> Schema:
    """Any of some described schemas: their own description, or `meaning` for several."""
    one = either(*schemas)
    return one if "description" in one else {"description": meaning, **one}


def operand(op: type[Op]) -> Schema:
    """What stands under the key of an op."""
    if op.spelling in JOINS:
        branch = {"if": {"type": "object"}, "then": either(ref("names"), ref("entry")), "else": either(NAME, LAYERS)}
        return listed(branch, 1)
    if op.main is None or op.reads(op.main) is Reads.LAYER:
        return NAME
    if op.spelling in CARRIED:
        return _with_options(op)
    return either(NAME, _under(op, op.main)) if op.lends_size else _under(op, op.main)


def _under(op: type[Op], main: str) -> Schema:
    """A main argument, or another value with its word: `{channels: 3}`."""
    own = attribute(op, main)
    if not op.by_word:
        return own
    worded = [closed({word: attribute(op, name)}, [word]) for word, name in op.by_word.items()]
    plain = [own] if main not in op.by_word.values() else []
    return {"description": own["description"], **either(*plain, *worded)}


def _with_options(op: type[Op]) -> Schema:
    """A norm or activation: its word, or that with its options, the first of them without its name."""
    options = attributes([op])
    if not options:
        return words(*kinds(op))
    first = next(iter(options.values()))
    given = {"description": op.summary, **either(first, closed(options))}
    return either(words(*kinds(op)), one_key(dict.fromkeys(kinds(op), given)))


ARGUMENT = either(ATOM, TEXT, {"type": "array", "items": either(ATOM, TEXT, {"type": "array", "items": TEXT})})
_CARRIED = {str(key): ref(f"carried_{key}") for key in CARRIED}  # what a layer carries, or `none`


def _carried(*more: str) -> dict[str, Schema]:
    """norm, act and drop; `more`: other words that may stand in their place."""
    found = {key: [operand(op) for op in BY_KIND[key].values()] for key in ("norm", "act")}
    found["drop"] = [_under(op, "rate") for op in _classes("dropout")]
    told = {
        "norm": "normalisation behind the op",
        "act": "activation behind that",
        "drop": "dropout at the end: a rate, of values, channels or the whole branch",
    }
    return {
        key: {"description": told[key], **either(*each, *([words(*more)] if more else []))}
        for key, each in found.items()
    }


# --- a list of layers ------------------------------------------------------------------------------------------------

_PLACED = {
    "from": {**NAME, "description": "the layer that it reads, if not the one above"},
    "repeat": ref("natural", "how many of it stand one behind the other; `i` counts them"),
    "accept": ref("accept", "warnings of this layer that are meant"),
}
_ALSO_READ = {
    "keys": {**NAME, "description": "the layer whose positions are attended to"},
    "values": {**NAME, "description": "the layer whose vectors are summed up, as they are; nothing is projected"},
}
_SHARED = {"share": {**NAME, "description": "the layer, or the call of the same block, whose weights it has"}}


def bodies() -> dict[str, Schema]:
    """What a layer is -> the mapping that says so: an op of `ALL_OPS`, norm, act or drop alone, or a call."""
    found = {}
    for op in ALL_OPS:
        if op.spelling not in CARRIED:
            own = {op.spelling: {"description": op.summary, **operand(op)}}
            placed = {key: schema for key, schema in _PLACED.items() if key != "from" or op.spelling not in JOINS}
            placed |= {key: _ALSO_READ[key] for key in op.also_reads}
            placed |= _SHARED if op.has_weights() else {}
            found[op.__name__] = closed({**own, **attributes([op]), **_CARRIED, **placed}, own, op.summary)
    behind = dict(_CARRIED)
    for key, alone in _carried().items():
        del behind[key]
        weighted = any(op.has_weights() for op in BY_KIND.get(key, {}).values())
        found[key] = closed({key: alone, **behind, **_PLACED, **(_SHARED if weighted else {})}, [key])
    bare = dict.fromkeys((*_CARRIED, *_SHARED), _NEVER)  # a used spec carries nothing, and its weights are its own
    return found | {
        "block": _call("block", ARGUMENT, **_SHARED),
        "use": _call("use", integer(), **{"variant": {**NAME, "description": "which of its variants"}, **bare}),
    }


def _call(key: str, argument: Schema, **more: Schema) -> Schema:
    """A call of a block or spec, with any arguments."""
    told = {"block": "one of `blocks`, and its arguments", "use": "a whole spec as one layer, and its parameters"}
    own = {key: {**NAME, "description": told[key]}, **_PLACED, **more}
    return {"type": "object", "properties": own, "required": [key], "additionalProperties": argument}


def acceptances() -> Schema:
    """Code of a warning -> why it is accepted."""
    reason = {"description": "why", **TEXT}
    told = "warnings that are meant: code -> the reason"
    return {**closed(dict.fromkeys(WARNINGS, reason), (), told), "minProperties": 1}


def definitions() -> dict[str, Schema]:
    """What the schemas of layers refer to."""
    every = bodies()
    chain = {"type": "array", "items": ref("entry"), "minItems": 1}
    named = {
        "description": "a name, and the layer or the chain of layers that it means",
        "additionalProperties": {"if": {"type": "array"}, "then": chain, "else": ref("body")},
    }
    turn = {**NAME, "description": "the name of a layer, with the loop's variables filled in"}
    entry = {"if": _is_named(), "then": named, "else": ref("body")}
    return {
        **every,
        **{f"carried_{key}": schema for key, schema in _carried("none").items()},
        "body": {"type": "object", **_body(every)},
        "entry": {"type": "object", "minProperties": 1, **or_loop(entry, "layers", LAYERS, _INSIDE)},
        "layers": {"type": "array", "items": ref("entry")},
        "accept": acceptances(),
        "names": loop("name", turn),
    }


def loop(key: str, what: Schema) -> Schema:
    """A loop that repeats what stands under a key."""
    variables = {"type": "object", "additionalProperties": either(RANGE, listed(_TURN)), "minProperties": 1}
    turns = {**variables, "description": "variables and their values, which run side by side"}
    return closed({"for": turns, key: what}, ("for", key), f"{key} that are written once a turn")


def or_loop(entry: Schema, key: str, what: Schema, of_words: Schema | None = None) -> Schema:
    """An entry of a list, or a loop. `of_words`: what a loop repeats whose variables are words, which may stand where
    one is due."""
    repeated = loop(key, what)
    if of_words is not None:
        numbers = {"description": "numbers", "additionalProperties": either(RANGE, listed(either(RANGE, _INTEGER)))}
        repeated = {"if": {"properties": {"for": numbers}}, "then": repeated, "else": loop(key, of_words)}
    return {"if": {"required": ["for"]}, "then": repeated, "else": entry}


def with_loops(mapping: Schema, key: str) -> Schema:
    """The definition that a section under `key` has: a mapping, or a list of mappings and loops."""
    one = {"type": "object", **or_loop(mapping, key, ref(key, "what is written once a turn"))}
    return {"if": {"type": "array"}, "then": listed(one), "else": one}


def _body(every: Iterable[str]) -> Schema:
    """The body that has the key of an op, as `op_key` finds it; any of them where there is no such key yet."""
    classes = [op for op in ALL_OPS if op.spelling not in CARRIED]
    shared = {name for op in classes for name in op.model_fields}  # `pad` is an op and an attribute of some
    spellings = sorted(dict.fromkeys(op.spelling for op in classes), key=lambda spelling: spelling in shared)
    found = either(*map(ref, every))
    for key in reversed([*CALLS, *spellings, *CARRIED]):
        names = [op.__name__ for op in classes if op.spelling == key] or [str(key)]
        found = {"if": {"required": [str(key)]}, "then": either(*map(ref, names)), "else": found}
    return found


def _is_named() -> Schema:
    """Whether an entry is a name and what it means, as `split` says: an op may be a name as well."""
    ops = [{"required": [str(key)]} for key in (*CALLS, *sorted(SPELLINGS), "drop")]
    body, chain = {"type": "object", "anyOf": ops}, {"type": "array", "contains": {"type": "object"}}
    meant = [
        {"propertyNames": {"not": words(*CALLS, *sorted(SPELLINGS), "drop")}},
        {"propertyNames": {"not": words(*CALLS)}, "additionalProperties": body},
        {"propertyNames": {"not": words(*CALLS, *JOINS)}, "additionalProperties": chain},
    ]
    return {"maxProperties": 1, "anyOf": meant}


# --- what holds for many layers --------------------------------------------------------------------------------------


def _classes(spelling: str) -> list[type[Op]]:
    return [op for op in ALL_OPS if op.spelling == spelling]


def defaults() -> Schema:
    """Op -> attributes that every layer of that op starts from."""
    each = {
        name: closed({**attributes(_classes(name)), **_CARRIED}, description=f"what every `{name}` starts from")
        for name in sorted(SPELLINGS)
    }
    return closed(each, description="op -> attributes that every layer of that op starts from")


def changes() -> Schema:
    """What an edit can say anew of layers of any op."""
    main: dict[str, list[Schema]] = {}
    for op in ALL_OPS:
        if op.main is not None and op.reads(op.main) is not Reads.LAYER and op.spelling not in CARRIED:
            main.setdefault(op.spelling, []).append(_under(op, op.main))
    every = attributes(ALL_OPS)
    for spelling, schemas in main.items():
        both = [*schemas, *([every[spelling]] if spelling in every else [])]
        every[spelling] = _together(both, f"`{spelling}` itself, or that attribute")
    return closed({**every, **_CARRIED})


def rows(claims: Mapping[str, Schema]) -> Schema:
    """A table: a row of cells, or one cell for all, for each attribute and each of some claims."""
    every = {**attributes(ALL_OPS), **_CARRIED}
    kind = words(*(kind for each in BY_KIND.values() for kind in each))
    every |= {
        "layer": {"description": "names of the layers, or their numbers", **ATOM},
        "op": {"description": "their ops, `conv` where there is no such row", **_ops()},
        "kind": {"description": "which `pool`, `norm` or `act`", **kind},
        "main": {"description": "what stands under the key of the op", **either(TEXT, listed(TEXT))},
        "from": _PLACED["from"],
        **_SHARED,
        "act": {"description": "an activation, or whether it is a ReLU", **either(ref("flag"), every["act"])},
    }
    every |= {paper: every[own] for paper, own in PAPER_NAMES.items()} | dict(claims)
    properties: dict[str, Schema] = {}
    for name, cell in every.items():
        row = {
            "description": cell.get("description", name),
            **either(cell, _EMPTY, RANGE, listed(either(cell, _EMPTY, RANGE))),
        }
        properties |= {name: row, name.replace("_", " "): row}
    return closed(properties, description="the network as the paper's table: a row a line, a layer a column")


def _ops() -> Schema:
    """An op, with its kind beside it or with another main argument."""
    both = [text for key, each in BY_KIND.items() for kind in each for text in (f"{key} {kind}", f"{kind} {key}")]
    others = "|".join(sorted(spelling for spelling in SPELLINGS if not BY_KIND[spelling]))
    return either(words(*sorted(SPELLINGS), *both), {"type": "string", "pattern": f"^({others}) [^ ]+$"})
