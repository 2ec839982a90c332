"""The stages of training as code: what each one freezes, and where its regime is not the spec's usual one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from segcompile.checks.stages import frozen_nodes
from segcompile.emit.calls import WIDTH
from segcompile.facts.facts import Facts
from segcompile.network.graph import Graph
from segcompile.network.training import Regime, Training

_INSIDE = 8  # spaces before an argument of a stage


@dataclass(frozen=True, slots=True)
class StageView:
    """One entry of the generated STAGES: its name, and the lines of its arguments."""

    name: str
    lines: list[str]


def view_stages(training: Training, graph: Graph, facts: Facts, paths: Mapping[str, str]) -> list[StageView]:
    """The stages in their order. `paths`: node -> where its module lies in the model."""
    found = []
    for stage in training.stages:
        frozen = frozen_nodes(stage, graph, facts)
        modules = _outermost([paths[name] for name in paths if name in frozen], list(paths.values()))
        usual = {field.name: getattr(training, field.name) for field in fields(Regime)}
        own = {name: getattr(stage.regime, name) for name in usual if getattr(stage.regime, name) != usual[name]}
        lines = _argument("frozen", "[]", [f'"{path}"' for path in modules])
        lines += _argument("flags", "{}", [f'"{name}": {_literal(value)}' for name, value in own.items()])
        found.append(StageView(stage.name, lines))
    return found


def _outermost(some: Sequence[str], every: Sequence[str]) -> list[str]:
    """The modules at `some` paths, a whole scope by its name: one that holds no other module."""
    others = {scope for path in {*every} - {*some} for scope in _scopes(path)}
    return list(dict.fromkeys(next((s for s in _scopes(path) if s not in others), path) for path in some))


def _scopes(path: str) -> Iterator[str]:
    """The scopes around a module, outermost first."""
    parts = path.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts)))


def _literal(value: object) -> str:
    if isinstance(value, tuple):  # the labels that are ignored, as on the command line
        return f"[{', '.join(_literal(str(item)) for item in value)}]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _argument(name: str, brackets: str, items: Sequence[str]) -> list[str]:
    """The lines of a keyword argument, without any if it has no items: in one line, or an item a line."""
    if not items:
        return []
    whole = f"{name}={brackets[0]}{', '.join(items)}{brackets[1]},"
    if _INSIDE + len(whole) <= WIDTH:
        return [whole]
    return [f"{name}={brackets[0]}", *(f"    {item}," for item in items), f"{brackets[1]},"]
