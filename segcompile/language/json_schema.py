"""The JSON Schema of a spec file, for editors: every key described, every word that can be chosen listed.

It knows the words of the language, not the names of a spec: a layer, parameter or argument that is not there is for the
compiler to find. In a spec with `variants` any value may be a mapping from variant to value, so that only the keys of
its sections are known.
"""

from __future__ import annotations

from segcompile.language import json_layers as layers
from segcompile.language.json_blocks import definitions_in_blocks, in_block
from segcompile.language.json_training import data, training
from segcompile.language.json_values import (
    DEFINITIONS,
    IDENTIFIER,
    NAME,
    NUMBER,
    TEXT,
    Schema,
    along_axes,
    by_name,
    closed,
    either,
    integer,
    listed,
    one_key,
    ref,
    words,
)
from segcompile.language.table import CLAIM_ROWS
from segcompile.ops import SPELLINGS

# Layers in one of their forms, with what enters them, or a base: what edits it, and which variant of it, needs one.
_NETWORK = {
    "oneOf": [{"required": ["layers", "input"]}, {"required": ["table", "input"]}, {"required": ["base"]}],
    "dependentRequired": {"transform": ["base"], "variant": ["base"]},
}


def spec_schema() -> Schema:
    """The schema, as JSON has it."""
    known, written = sections(), {**layers.definitions(), **_each_edit()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "segcompile spec, version 1",
        "type": "object",
        "required": ["segcompile", "model"],
        "if": {"required": ["variants"]},
        "then": closed({key: {"description": section["description"]} for key, section in known.items()}),
        "else": {**closed(known), **_NETWORK},
        "$defs": {
            **DEFINITIONS,
            **written,
            **definitions_in_blocks(written, DEFINITIONS),
            "claimed": closed(claims_of_layers()),
            "claims": layers.with_loops(_claims(), "claims"),
            "outputs": layers.with_loops(_outputs(), "outputs"),
        },
    }


def sections() -> dict[str, Schema]:
    """Key -> what stands under it."""
    name = {"type": "string", **IDENTIFIER}
    default = {"type": "object", "propertyNames": name, "additionalProperties": layers.ARGUMENT, "maxProperties": 1}
    named = listed(either(name, default), most=64)
    arguments = {"description": "names of its arguments, with their defaults", **named}
    inside = ref(in_block("layers"), "a list of layers, in which arguments stand for values")
    block = {"args": arguments, "layers": inside, "accept": ref("accept", "warnings of its layers that are meant")}
    cite = {"arxiv": "its number on arXiv", "doi": "its DOI", "table": "which table of it", "url": "where it is"}
    claims = claims_of_layers()
    return {
        "segcompile": {"description": "the version of the language", "enum": [1, "1"]},
        "model": {
            "description": "the network's name",
            "type": "string",
            "pattern": "^[a-z][a-z0-9_]*$",
            "maxLength": 64,
        },
        "about": {"description": "one line of prose", **TEXT},
        "cite": closed(
            {key: {"description": told, **TEXT} for key, told in cite.items()}, (), "where it was published"
        ),
        "variants": {"description": "names; any value may be a mapping of them to values", **listed(name)},
        "params": {"description": "named integers", **by_name(integer())},
        "input": {"description": "what enters the network", **_inputs()},
        "defaults": layers.defaults(),
        "blocks": {"description": "named lists of layers, with arguments", **by_name(closed(block, ["layers"]))},
        "table": layers.rows({row: claims[row] for row in CLAIM_ROWS}),
        "layers": layers.LAYERS,
        "base": {"description": "the spec that this one is derived from", **NAME},
        "variant": {"description": "which of the base's variants", **NAME},
        "transform": ref("edits", "edits of the base, one behind the other"),
        "init": ref("init", "how all weights start whose layer does not say it"),
        "outputs": ref("outputs", "head -> layer"),
        "claims": ref("claims", "what the paper says of its layers and of the network: checked"),
        "accept": ref("accept", "warnings of the network that are meant"),
        "data": data(),
        "training": training(),
    }


def _inputs() -> Schema:
    """Channels and size, of one input or of each named one; a derived spec says one of them alone."""
    size = {"description": "height and width, or `any`", **along_axes(either(words("any"), integer(1)))}
    one = closed({"channels": ref("positive", "how many channels it has"), "size": size})
    several = {"propertyNames": {**IDENTIFIER, "not": words("channels", "size")}, "additionalProperties": one}
    return either(one, {"type": "object", **several})


def _each_edit() -> dict[str, Schema]:
    told = "edits of a turn"
    loops = layers.or_loop(one_key(edits()), "edits", ref("edits", told), ref(in_block("edits"), told))
    return {"edit": {"type": "object", **loops}, "edits": listed(ref("edit"))}


_PLACES = {"after": "behind", "before": "before"}


def edits() -> dict[str, Schema]:
    """Edit -> what it is given."""
    names = either(NAME, listed(either(NAME, ref("names"))))
    bodies = {"type": "object", "additionalProperties": either(ref("body"), layers.LAYERS)}
    place = {key: {**NAME, "description": f"the layer {told} which they come"} for key, told in _PLACES.items()}
    inserted = closed({**place, "layers": layers.LAYERS}, ["layers"])
    told = {
        "convolutionalize": ("linear layers become the convolutions that compute the same", names),
        "remove": ("layers go, and what read them reads what they read", names),
        "remove_stride": ("`atrous`, and then the layers go", names),
        "atrous": ("strides are taken out, and everything behind is dilated", names),
        "set": (
            "attributes of layers, by name or pattern",
            {"type": "object", "additionalProperties": layers.changes()},
        ),
        "replace": ("another body under the same name", bodies),
        "append": ("layers behind the last one", layers.LAYERS),
        "insert": (
            "layers behind or before another one",
            {**inserted, "oneOf": [{"required": [key]} for key in place]},
        ),
    }
    return {edit: {**given, "description": description} for edit, (description, given) in told.items()}


def claims_of_layers() -> dict[str, Schema]:
    """What can be claimed of a layer -> its value."""
    pixels, ratio = along_axes(integer()), along_axes(NUMBER)
    elsewhere = {"type": "object", "additionalProperties": pixels}
    told = {
        "receptive_field": ("input pixels that reach one output pixel", pixels),
        "stride": ("input pixels a step of the output", ratio),
        "margin": ("input pixels that each side loses", ratio),
        "offset": ("pixels that a crop cuts off at the top and left", pixels),
        "size": ("height and width, `input`, or input size -> size", either(pixels, elsewhere)),
        "channels": ("channels of the result", integer()),
        "kernel": ("the kernel of its op", pixels),
        "dilation": ("the dilation of its op", pixels),
        "parameters": ("trained numbers, biases included", integer()),
        "macs": ("multiply-accumulates of one pass", integer()),
    }
    return {what: {"description": description, **value} for what, (description, value) in told.items()}


def _claims() -> Schema:
    """Of layers by their names, and of the network; `none` drops what is inherited (of a number an expression says it,
    too)."""
    layer, op = either(words("none"), ref("claimed")), f"({'|'.join(sorted(SPELLINGS))})"
    ops = {"propertyNames": {"pattern": rf"^{op}( *\+ *{op})*$"}, "additionalProperties": integer()}
    network = {
        "parameters": ("trained numbers, frozen ones and biases included", integer()),
        "weights": ("trained numbers without biases", integer()),
        "macs": ("multiply-accumulates of one pass", integer()),
        "count": ("how many layers have one of these ops", either(words("none"), {"type": "object", **ops})),
    }
    own = {what: {"description": told, **either(value, layer)} for what, (told, value) in network.items()}
    return {"type": "object", "properties": own, "additionalProperties": layer}


def _outputs() -> Schema:
    """Heads by their names, in which a loop's variables may stand."""
    return {"type": "object", "propertyNames": {"pattern": r"^[A-Za-z_{][A-Za-z0-9_]*"}, "additionalProperties": NAME}
