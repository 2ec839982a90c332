"""Values as a JSON Schema has them: one definition for each way in which a text is read (`Reads`).

A schema sees what YAML makes of a text: `64` is an integer, `2C` and `3x3` are strings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import TypeAdapter

from segcompile.ops import Init, Reads

Schema = dict[str, Any]

_EXPRESSION = {"type": "string", "pattern": r"^[0-9A-Za-z_(+-][0-9A-Za-z_+*/%(). ,=!<-]*$"}
RANGE: Schema = {"type": "string", "pattern": r"\.\."}
_EXTENTS = {"type": "string", "pattern": r"^[0-9]+( *[xX×] *[0-9]+){1,2}$"}
IDENTIFIER: Schema = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
NAME: Schema = {"type": "string", "minLength": 1}
TEXT: Schema = {"type": ["string", "number", "boolean"]}
ATOM: Schema = {"type": ["string", "integer"], "minLength": 1}  # an integer or a name, as a block takes them


def ref(name: str, description: str = "") -> Schema:
    """A definition, and what it means here."""
    return {"$ref": f"#/$defs/{name}"} | ({"description": description} if description else {})


def either(*schemas: Schema) -> Schema:
    """Any of the schemas; one of them alone is that one."""
    each = [one for index, one in enumerate(schemas) if one not in schemas[:index]]
    return each[0] if len(each) == 1 else {"anyOf": each}


def words(*each: str) -> Schema:
    return {"enum": list(each)}


def closed(properties: Mapping[str, Schema], required: Iterable[str] = (), description: str = "") -> Schema:
    """A mapping that has no other keys."""
    found: Schema = {"description": description} if description else {}
    found |= {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return found | ({"required": list(required)} if required else {})


def listed(item: Schema, least: int = 0, most: int | None = None) -> Schema:
    return {"type": "array", "items": item, "minItems": least} | ({"maxItems": most} if most is not None else {})


def one_key(options: Mapping[str, Schema]) -> Schema:
    """A mapping of one of these keys."""
    return {**closed(options), "minProperties": 1, "maxProperties": 1}


def by_name(value: Schema) -> Schema:
    """A mapping of names to such values."""
    return {"type": "object", "propertyNames": IDENTIFIER, "additionalProperties": value}


def integer(least: int | None = None) -> Schema:
    """An integer, or an expression of integers."""
    return either({"type": "integer"} | ({"minimum": least} if least is not None else {}), _EXPRESSION)


def along_axes(one: Schema) -> Schema:
    """A value for all axes, `3x3`, or one each."""
    return either(one, _EXTENTS, listed(one, 1, 3))


NUMBER = either({"type": "number"}, _EXPRESSION)


def within(limits: Any) -> Schema:
    """A number of a type with its limits, as pydantic has them, or an expression."""
    return either(TypeAdapter(limits).json_schema(), _EXPRESSION)


def _initialisation() -> Schema:
    """A scheme alone, or with its options by name or by the value of the first."""
    schemes = get_args(Init.model_fields["scheme"].annotation)
    options = {
        "std": ref("number", "standard deviation of the gaussian"),
        "groups": ref("positive", "how many feature maps pass unchanged"),
        "value": ref("number", "what all weights start from"),
    }
    feature_maps = {name: options[name] for name in ("groups", "std")}
    given = {
        "normal": {"description": "gaussian noise", **either(options["std"], closed({"std": options["std"]}))},
        "identity": {"description": "lets feature maps pass", **either(options["groups"], closed(feature_maps))},
        "constant": {"description": "one number", **either(options["value"], closed({"value": options["value"]}))},
    }
    return either(words(*schemes), one_key(given))


VALUES: Mapping[Reads, Schema] = {
    Reads.POSITIVE: integer(1),
    Reads.NATURAL: integer(0),
    Reads.NUMBER: NUMBER,
    Reads.NUMBERS: listed(NUMBER),
    Reads.PAIR: along_axes(integer(1)),
    Reads.RATIO: along_axes(either({"type": "number", "exclusiveMinimum": 0}, _EXPRESSION)),
    Reads.NATURAL_PAIR: along_axes(integer(0)),
    Reads.PADDING: either(
        words("same", "causal"),
        along_axes(integer(0)),
        listed(either(words("same", "causal"), integer(0)), 1, 3),
        listed(integer(0), 4, 4),
        listed(listed(integer(0), 2, 2), 1, 3),
    ),
    Reads.PART: listed(integer(0), 2, 2),
    Reads.FLAG: either({"type": "boolean"}, words("yes", "no", "true", "false", "Yes", "No", "True", "False")),
    Reads.INIT: _initialisation(),
    Reads.LAYER: NAME,
}

DEFINITIONS: Mapping[str, Schema] = {
    reads.name.lower(): {"description": reads.value, **schema} for reads, schema in VALUES.items()
}
