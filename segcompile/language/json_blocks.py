"""The schema of layers inside a block, where the name of an argument may stand for a word, a number or a list; and of
what a loop repeats whose variables are words.

Which names those are no schema can know: any identifier is taken there. Keys are as strict as elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from segcompile.language.json_values import IDENTIFIER, Schema

_ASKED = ("if", "not", "propertyNames", "contains", "required", "enum")  # what is asked of a value, and not its schema
_MARK = "_in_block"
_PLACE = "#/$defs/"


def in_block(name: str) -> str:
    """What a definition is called that holds inside blocks."""
    return name + _MARK


def definitions_in_blocks(definitions: Mapping[str, Schema], values: Iterable[str]) -> dict[str, Schema]:
    """The definitions of layers anew, for those inside blocks. `values` are definitions of single values, for which an
    argument may stand."""
    known = frozenset(values)
    return {in_block(name): _inside(schema, known) for name, schema in definitions.items()}


def _inside(schema: Any, values: frozenset[str]) -> Any:
    if isinstance(schema, list):
        return [_inside(one, values) for one in schema]
    if not isinstance(schema, dict):
        return schema
    target = str(schema.get("$ref", "")).removeprefix(_PLACE)
    if target in values or "enum" in schema:
        return _or_argument(schema)
    found = {key: value if key in _ASKED else _inside(value, values) for key, value in schema.items()}
    if target and not target.endswith(_MARK):
        found["$ref"] = _PLACE + in_block(target)
    return _or_argument(found) if schema.get("type") == "array" else found


def _or_argument(schema: Schema) -> Schema:
    """A schema, or the name of an argument; the description stays outside."""
    told = {"description": schema["description"]} if "description" in schema else {}
    bare = {key: value for key, value in schema.items() if key != "description"}
    return {**told, "anyOf": [bare, {"type": "string", **IDENTIFIER}]}
