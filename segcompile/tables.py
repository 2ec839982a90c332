"""What `segcompile rf` and `segcompile list` print, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from segcompile.analysis.claims import Verdict, show
from segcompile.analysis.facts import NodeFacts
from segcompile.analysis.receptive_field import Field
from segcompile.compiler import Compiled
from segcompile.errors import Diagnostic
from segcompile.graph import Node
from segcompile.ops import Shape
from segcompile.ops.size import AnySize
from segcompile.report import as_json

_HEAD = ("layer", "op", "shape", "kernel", "dilation", "stride", "receptive field", "claimed", "parameters", "MACs")
_LEFT = (0, 1, 2, 7)  # columns of words; the others are numbers


def rf_table(compiled: Compiled) -> str:
    """The architecture, a row a layer. `stride` is in input pixels per step."""
    rows = [
        ("input" if name == "input" else name, "", str(shape), "", "", "1", "1", "", "", "")
        for name, shape in compiled.graph.inputs.items()
    ]
    rows += [_row(nodes, compiled) for nodes in compiled.graph.layers.values()]
    total = _totals(compiled)
    macs = total["macs"]
    foot = (
        "total",
        "",
        "",
        "",
        "",
        "",
        "",
        _tally(compiled.verdicts),
        f"{total['parameters']:,}",
        _short(macs) if macs is not None else "",
    )
    widths = [max(len(row[column]) for row in (_HEAD, *rows, foot)) for column in range(len(_HEAD))]
    rule = "  ".join("─" * width for width in widths)
    lines = [
        compiled.model,
        "",
        _line(_HEAD, widths),
        rule,
        *(_line(row, widths) for row in rows),
        rule,
        _line(foot, widths),
    ]
    return "\n".join([*lines, *_other_claims(compiled)])


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        f"{cell:<{w}}" if column in _LEFT else f"{cell:>{w}}"
        for column, (cell, w) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _row(nodes: tuple[Node, ...], compiled: Compiled) -> tuple[str, ...]:
    main, result = nodes[0], compiled.facts[nodes[-1].name]
    carried = "".join(f" + {node.op.title}" for node in nodes[1:])
    parameters = sum(compiled.facts[node.name].parameter_count for node in nodes)
    macs = _sum(compiled.facts[node.name].macs for node in nodes)
    return (
        main.layer,
        main.op.title + carried,
        str(result.shape),
        _attribute(main, "kernel"),
        _attribute(main, "dilation"),
        _fractions(result),
        field_text(result),
        _claimed(main.layer, compiled),
        f"{parameters:,}" if parameters else "",
        _short(macs) if macs else "",
    )


def _attribute(node: Node, name: str) -> str:
    value = getattr(node.op, name, None)
    return "" if value is None else f"{value[0]}x{value[1]}" if name == "kernel" else show(value)


def _fractions(found: NodeFacts) -> str:
    strides = [field.stride for field in found.fields]
    return "" if None in strides else show((strides[0], strides[1]))


def field_text(found: NodeFacts) -> str:
    """`67`, `67x35`, or why there is no number."""
    if any(field.whole for field in found.fields):
        return "whole image"
    height, width = found.receptive_field
    return "varies" if height is None or width is None else show((height, width))


def _claimed(layer: str, compiled: Compiled) -> str:
    """The receptive field that the paper claims of this layer, with a tick or a cross."""
    for verdict in compiled.verdicts:
        if verdict.what == "receptive_field" and compiled.expansion.results.get(verdict.layer or "") == layer:
            return f"{show(verdict.claimed)} {'✓' if verdict.ok else '✗'}"
    return ""


def _tally(verdicts: Sequence[Verdict]) -> str:
    true = sum(verdict.ok for verdict in verdicts)
    return f"{true}/{len(verdicts)} ✓" if verdicts else ""


def _other_claims(compiled: Compiled) -> list[str]:
    """The claims that have no column, a line each."""
    lines = []
    for verdict in compiled.verdicts:
        if verdict.what != "receptive_field":
            computed = "undecided" if verdict.computed is None else show(verdict.computed)
            subject = f"{verdict.layer} {verdict.what}" if verdict.layer else verdict.what
            mark = "✓" if verdict.ok else f"✗ computed {computed}"
            lines.append(f"{subject.replace('_', ' ')} {show(verdict.claimed)} {mark}")
    return ["", *lines] if lines else []


def _short(macs: int) -> str:
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if macs >= size:
            return f"{macs / size:,.1f} {unit}"
    return str(macs)


def _sum(values: Any) -> int | None:
    found = list(values)
    return None if None in found else sum(found)


def _totals(compiled: Compiled) -> dict[str, Any]:
    facts = compiled.facts.values()
    return {
        "parameters": sum(fact.parameter_count for fact in facts),
        "macs": _sum(fact.macs for fact in facts),
        "layers": len(compiled.graph.layers),
    }


# --- JSON ------------------------------------------------------------------------------------------------------------


def rf_json(compiled: Compiled | None, variant: str | None, diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """The whole analysis; complete also when the spec could not be compiled."""
    found = [as_json(diagnostic) for diagnostic in diagnostics]
    if compiled is None:
        empty: dict[str, Any] = {"model": None, "variant": variant, "inputs": {}, "layers": [], "outputs": {}}
        return {
            **empty,
            "totals": {"parameters": None, "macs": None, "layers": None},
            "claims": [],
            "diagnostics": found,
        }
    graph = compiled.graph
    return {
        "model": compiled.model,
        "variant": variant,
        "inputs": {name: {"channels": shape.channels, "size": _sizes(shape)} for name, shape in graph.inputs.items()},
        "layers": [_layer_json(nodes, compiled) for nodes in graph.layers.values()],
        "outputs": _outputs_json(compiled),
        "totals": _totals(compiled),
        "claims": [
            _verdict_json(verdict)
            for verdict in compiled.verdicts
            if verdict.layer is None or verdict.layer == "output"
        ],
        "diagnostics": found,
    }


def _outputs_json(compiled: Compiled) -> dict[str, Any]:
    """Layer -> what comes out, with the heads that name it."""
    found: dict[str, Any] = {}
    for head, name in compiled.graph.outputs.items():
        layer = compiled.graph.by_name[name].layer if name in compiled.graph.by_name else name
        entry = found.setdefault(layer, {**_output_json(compiled.facts[name]), "heads": []})
        entry["heads"].append(head)
    return found


def _layer_json(nodes: tuple[Node, ...], compiled: Compiled) -> dict[str, Any]:
    main, result = nodes[0], compiled.facts[nodes[-1].name]
    layer: dict[str, Any] = {
        "name": main.layer,
        "op": main.op.spelling,
        "inputs": [_layer_name(name, compiled) for name in main.inputs],
        "carries": [node.op.title for node in nodes[1:]],
        "shape": _shape(result.shape),
    }
    for name in ("kernel", "dilation", "offset"):
        value = getattr(main.op, name, None)
        if value is not None:
            layer[name] = list(value)
    layer |= {
        **_field_json(result),
        "parameters": sum(compiled.facts[node.name].parameter_count for node in nodes),
        "macs": _sum(compiled.facts[node.name].macs for node in nodes),
        "claims": {
            verdict.what: _verdict_json(verdict)
            for verdict in compiled.verdicts
            if verdict.layer is not None and compiled.expansion.results.get(verdict.layer) == main.layer
        },
    }
    return layer


def _layer_name(node: str, compiled: Compiled) -> str:
    return compiled.graph.by_name[node].layer if node in compiled.graph.by_name else node


def _field_json(found: NodeFacts) -> dict[str, Any]:
    height, width = found.receptive_field
    whole = any(field.whole for field in found.fields)
    field = {"receptive_field": None if height is None or width is None or whole else [height, width]}
    strides = [number(axis.stride) for axis in found.fields]
    extra = {"whole_image": True} if whole else {}
    return {**field, **extra, "stride": None if None in strides else strides}


def _output_json(found: NodeFacts) -> dict[str, Any]:
    return {"shape": _shape(found.shape), **_field_json(found), "phases": _phases(*found.fields)}


def _phases(height: Field, width: Field) -> list[dict[str, Any]]:
    """The field of every pair of phases, or [] where there is no table."""
    if None in (height.step, width.step) or height.whole or width.whole:
        return []
    found = []
    for y in range(height.period):
        for x in range(width.period):
            rows, columns = height.interval(y), width.interval(x)
            entry: dict[str, Any] = {"phase": [y, x], "receptive_field": [0, 0], "start": None}
            if rows is not None and columns is not None:
                entry["receptive_field"] = [rows[1] - rows[0] + 1, columns[1] - columns[0] + 1]
                entry["start"] = [rows[0], columns[0]]
            found.append(entry)
    return found


def _shape(shape: Shape) -> list[Any]:
    return [shape.channels, *_sizes(shape)]


def _sizes(shape: Shape) -> list[Any]:
    return [str(size) if isinstance(size, AnySize) else size for size in shape.size]


def number(value: Fraction | int | AnySize | None) -> int | float | str | None:
    """A number as JSON has it; a ratio that a float cannot hold is text."""
    if isinstance(value, AnySize):
        return str(value)
    if not isinstance(value, Fraction):
        return value
    if value.denominator == 1:
        return int(value)
    return float(value) if Fraction(float(value)) == value else str(value)


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    def plain(pair: Any) -> Any:
        if pair is None:
            return None
        single = verdict.layer is None or verdict.what in ("channels", "parameters")
        return number(pair[0]) if single else [number(value) for value in pair]

    about = {"of": verdict.layer or "network", "what": verdict.what} if verdict.layer in (None, "output") else {}
    return {**about, "claimed": plain(verdict.claimed), "computed": plain(verdict.computed), "ok": verdict.ok}


def list_table(specs: Mapping[str, Path], backends: Mapping[str, str], ops: Sequence[tuple[str, str, str]]) -> str:
    """The three lists, one under the other."""
    lines = ["specs", *(f"  {name}" for name in specs), "", "backends"]
    lines += [f"  {name:<12}{value}" for name, value in backends.items()] or ["  none: pip install segcompile-torch"]
    lines += ["", "ops"]
    for op, kind, summary in ops:
        lines.append(f"  {op:<9}{summary}" + (f" ({kind})" if kind else ""))
    return "\n".join(lines)
