"""What `segcompile rf --format json` prints: the whole analysis as plain data (see docs/language.md)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from segcompile.checks.claims import Verdict
from segcompile.compiler import Compiled
from segcompile.facts.facts import NodeFacts
from segcompile.facts.size_set import SizeSet
from segcompile.network.graph import Node
from segcompile.ops import AXIS_NAMES, Shape
from segcompile.ops.size import AnySize
from segcompile.text.errors import Diagnostic
from segcompile.text.report import as_json

if TYPE_CHECKING:
    from segcompile.notebook.layer import LayerField


def rf_json(compiled: Compiled | None, variant: str | None, diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """The whole analysis; complete also when the spec could not be compiled."""
    found = [as_json(diagnostic) for diagnostic in diagnostics]
    if compiled is None:
        return {
            **{"model": None, "variant": variant, "inputs": {}, "sizes": {}, "layers": [], "outputs": {}},
            "totals": {"parameters": None, "macs": None, "layers": None},
            "claims": [],
            "diagnostics": found,
        }
    graph = compiled.graph
    return {
        "model": compiled.model,
        "variant": variant,
        "inputs": {name: {"channels": shape.channels, "size": _sizes(shape)} for name, shape in graph.inputs.items()},
        "sizes": {
            axis: {"legal": _set_json(found.legal), "exact": _set_json(found.exact)}
            for axis, found in zip(AXIS_NAMES, compiled.sizes, strict=True)
            if found is not None
        },
        "layers": [_layer_json(nodes, compiled) for nodes in graph.layers.values()],
        "outputs": _outputs_json(compiled),
        "totals": {**_cost(graph.nodes, compiled), "layers": len(graph.layers)},
        "claims": [
            _verdict_json(verdict)
            for verdict in compiled.verdicts
            if verdict.layer is None or verdict.layer == "output"
        ],
        "diagnostics": found,
    }


def _set_json(sizes: SizeSet | None) -> dict[str, Any] | None:
    """`least`: the smallest size of each of the residues. None where the set cannot be written down."""
    if sizes is None:
        return None
    least = [sizes.least[residue] for residue in sizes.residues]
    return {"text": str(sizes), "modulus": sizes.modulus, "residues": list(sizes.residues), "least": least}


def _cost(nodes: tuple[Node, ...], compiled: Compiled) -> dict[str, Any]:
    parameters, macs = compiled.cost(nodes)
    return {"parameters": parameters, "macs": macs}


def _outputs_json(compiled: Compiled) -> dict[str, Any]:
    """Layer -> what comes out, with the heads that name it."""
    from segcompile.notebook.network import receptive_field  # what `check` need not import

    view = receptive_field(compiled)
    found: dict[str, Any] = {}
    for head, name in compiled.graph.outputs.items():
        layer, facts = compiled.graph.layer_of(name), compiled.facts[name]
        output = {"shape": _shape(facts.shape), **_field_json(facts), "phases": _phases(view[layer])}
        entry = found.setdefault(layer, {**output, "heads": []})
        entry["heads"].append(head)
    return found


def _layer_json(nodes: tuple[Node, ...], compiled: Compiled) -> dict[str, Any]:
    main, result = nodes[0], compiled.facts[nodes[-1].name]
    layer: dict[str, Any] = {
        "name": main.layer,
        "op": main.op.spelling,
        "inputs": [compiled.graph.layer_of(name) for name in main.inputs],
        "carries": [node.op.title for node in nodes[1:]],
        "shape": _shape(result.shape),
    }
    for name in ("kernel", "dilation", "offset"):
        value = getattr(main.op, name, None)
        if value is not None:
            layer[name] = list(value)
    layer |= {
        **_field_json(result),
        **_cost(nodes, compiled),
        "claims": {verdict.what: _verdict_json(verdict) for verdict in compiled.verdicts_by_layer.get(main.layer, ())},
    }
    return layer


def _field_json(found: NodeFacts) -> dict[str, Any]:
    height, width = found.receptive_field
    whole = any(field.whole for field in found.fields)
    field: dict[str, Any] = {"receptive_field": None if height is None or width is None or whole else [height, width]}
    if whole:
        local = [axis.local_size for axis in found.fields]
        field |= {"whole_image": True, "local_receptive_field": None if None in local else local}
    if found.bound:
        field["data_dependent"] = True
    touched = [axis.touched for axis in found.fields]
    if None not in touched and touched != [height, width]:
        field["touched"] = touched
    strides = [number(step) for step in found.stride]
    return {**field, "stride": None if None in strides else strides}


def _phases(layer: LayerField) -> list[dict[str, Any]]:
    """The field of every pair of phases, or [] where there is no table; of too many only `rf --phases` tells, an axis
    at a time."""
    if layer.stride is None or layer.whole_image or not layer.few_phases:
        return []
    return [{"phase": found.phase, "receptive_field": found.size, "start": found.start} for found in layer.phases()]


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
