"""Which op has which attributes, for what is said of one that it has not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segcompile.network.graph import Role
from segcompile.ops import BY_KIND, BY_SPELLING, SPELLINGS, TOLD_BY, Op, kinds

CARRIED = (Role.NORM, Role.ACT, Role.DROP)


def classes(spelling: str) -> list[type[Op]]:
    """The ops of one spelling: one, or one a kind, and those that an attribute tells from these."""
    found = [BY_SPELLING[spelling]] if spelling in BY_SPELLING else list(BY_KIND.get(spelling, {}).values())
    return [*found, *TOLD_BY.get(spelling, {}).values()]


def attributes_of(spelling: str) -> set[str]:
    """What a layer or the defaults may say of an op beside its main argument."""
    return {name for op in classes(spelling) for name in (*op.beside(), *op.also_reads)}


def listed(op: type[Op]) -> str:
    """The help where an op lacks an attribute: those that it has."""
    names = (*op.beside(), *op.also_reads)
    also = f", or {', '.join(others(op))}" if others(op) else ""
    return f"it has {', '.join(names)}{also}" if names else "it has none"


def others(op: type[Op]) -> list[str]:
    """The attributes that make another op of one with the same word: `bins` of a `pool: avg`."""
    told = TOLD_BY[op.spelling].items()
    return [name for name, other in told if other is not op and {*kinds(op)} <= {*kinds(other)}]


def owner(name: str) -> str | None:
    """Which ops have an attribute that another one has not."""
    owners = [key for key in SPELLINGS if name in attributes_of(key)]
    if owners and owners[0] in CARRIED:
        kind = next(word for word, op in BY_KIND[owners[0]].items() if name in op.model_fields)
        return f"it is said to the {owners[0]}: `{owners[0]}: {{{kind}: {{{name}: ...}}}}`"
    return f"{', '.join(owners)} {'have' if len(owners) > 1 else 'has'} it" if owners else None


def without(op: type[Op], name: str, found: Mapping[str, Any]) -> str:
    """The kind like an op's own that needs no `name`: `pool: global_avg` for `pool: avg` without a kernel."""
    kinds = BY_KIND.get(op.spelling, {}).items()
    like = next((kind for kind, other in kinds if found["kind"] in kind and name not in other.model_fields), None)
    return f"; `{op.spelling}: {like}` needs none" if like else ""
