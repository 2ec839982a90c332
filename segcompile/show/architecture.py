"""The architecture with the receptive field of every layer, beside what the paper claims: `segcompile rf`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from segcompile.checks.claims import Verdict
from segcompile.compiler import Compiled
from segcompile.facts.facts import NodeFacts, fields_in, shapes_in
from segcompile.facts.look_ahead import reach
from segcompile.facts.pairs import show
from segcompile.facts.sizes import AxisSizes, Sizes
from segcompile.facts.unknown import why_unknown
from segcompile.network.graph import Graph, Node
from segcompile.ops import AXIS_NAMES, CELL, MEDIUM, AnySize, Shape
from segcompile.show.numbers import number, short
from segcompile.show.sizes import set_json
from segcompile.text.errors import Diagnostic
from segcompile.text.report import as_json

if TYPE_CHECKING:
    from segcompile.notebook.layer import LayerField

_HEAD = ("layer", "op", "shape", "kernel", "dilation", "stride", "receptive field", "claimed", "parameters", "MACs")
_OF_A_SIGNAL = ("layer", "op", "shape", "kernel", "dilation", "stride", "receptive field", "back", "ahead", *_HEAD[7:])
_UNKNOWN = ("not listed", "varies")  # fields that are not known, of an image of one size and of any
_LEFT = ("layer", "op", "shape", "claimed")  # columns of words; the others are numbers


def rf_table(compiled: Compiled) -> str:
    """The architecture, a row a layer. `stride` is in input pixels per step; how far a signal's layers look back and
    ahead, in samples."""
    inputs, head = compiled.graph.inputs, _OF_A_SIGNAL if compiled.graph.rank == 1 else _HEAD
    between = [""] * (len(head) - len(_HEAD))
    rows = [("input" if len(inputs) == 1 else name, *_input_cells(shape, between)) for name, shape in inputs.items()]
    rows += [_row(nodes, compiled) for nodes in compiled.graph.layers.values()]
    parameters, macs = compiled.cost(compiled.graph.nodes)
    foot = ("total", *[""] * 6, *between, _tally(compiled.verdicts), f"{parameters:,}", short(macs))
    widths = [max(len(row[column]) for row in (head, *rows, foot)) for column in range(len(head))]
    rule = "  ".join("─" * width for width in widths)
    lines = [compiled.model, "", _line(head, head, widths), rule]
    lines += [*(_line(row, head, widths) for row in rows), rule, _line(foot, head, widths), *_legend(compiled)]
    return "\n".join([*lines, *_size_lines(compiled.sizes), *_other_claims(compiled)])


def _size_lines(sizes: Sizes) -> list[str]:
    """For an input of any size, the sizes that the network takes: a line an axis, one for all if they are alike."""
    known = [found for found in sizes if found is not None]
    if len({(found.legal.least, found.exact and found.exact.least) for found in known}) == 1:
        others = [found.legal.symbol for found in known[1:]]
        other = f", and {' and '.join(others)} alike" if others and None not in sizes else ""
        known = known[:1]
    else:
        other = ""
    return [line for found in known for line in ("", f"sizes: {found.legal}{other}{_rounding(found)}")]


def _rounding(found: AxisSizes) -> str:
    if found.exact is None:
        return ""
    if found.exact == found.legal:
        return "; no stride rounds"
    return f"; no stride rounds at {found.exact}" if found.exact.residues else "; some stride rounds at each of them"


def _input_cells(shape: Shape, between: Sequence[str]) -> tuple[str, ...]:
    return "", str(shape), "", "", "1", "1", *between, "", "", ""


def _line(row: tuple[str, ...], head: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        f"{cell:<{w}}" if column in _LEFT else f"{cell:>{w}}" for column, cell, w in zip(head, row, widths, strict=True)
    ]
    return "  ".join(cells).rstrip()


def _row(nodes: tuple[Node, ...], compiled: Compiled) -> tuple[str, ...]:
    main, result = nodes[0], compiled.facts[nodes[-1].name]
    carried = "".join(f" + {node.op.title}" for node in nodes[1:])
    parameters, macs = compiled.cost(nodes)
    return (
        main.layer,
        main.op.title + carried,
        str(result.shape),
        _attribute(main, "kernel"),
        _attribute(main, "dilation"),
        _fractions(result),
        field_text(result, compiled),
        *_reach(result),
        _claimed(main.layer, compiled),
        _counted(main, parameters, compiled.graph),
        short(macs),
    )


def _counted(main: Node, parameters: int, graph: Graph) -> str:
    """The parameters of a layer; of one that shares weights whose they are, and what it has besides."""
    shared = f"= {graph.layer_of(main.weights)}" if main.weights is not None else ""
    own = f"{parameters:,}" if parameters else ""
    return f"{shared} + {own}" if shared and own else shared or own


def _attribute(node: Node, name: str) -> str:
    value = getattr(node.op, name, None)
    return "" if value is None else "x".join(map(str, value)) if name == "kernel" else show(value)


def _reach(found: NodeFacts) -> tuple[str, ...]:
    """How far a signal's layer looks back and ahead; no cells in other ranks."""
    if len(found.fields) != 1:
        return ()
    seen = reach(found.fields[0])
    return ("", "") if seen is None else (f"{seen.back:,}", f"{seen.ahead:,}")


def _fractions(found: NodeFacts) -> str:
    return "" if None in found.stride else show(found.stride)


def field_text(found: NodeFacts, compiled: Compiled) -> str:
    """`67`, `67x35`, `13 (7)` where 7 of the 13 are seen, `≤ 6` for a bound, `whole image (37)` where the paths that do
    not mix it see 37; `varies` with a symbolic size, `not listed` where there are too many phases or pixels."""
    local = _local(found)
    if any(field.whole for field in found.fields):
        return f"whole {MEDIUM[compiled.graph.rank]}" + (f" ({show(local)})" if all(local) else "")
    if None in local:
        return _UNKNOWN[compiled.graph.takes_any_size]
    touched = _touched(found)
    holes = f" ({show(touched)})" if touched != local else ""
    return ("≤ " if found.bound else "") + show(local) + holes


def _local(found: NodeFacts) -> tuple[int | None, ...]:
    return tuple(field.local_size for field in found.fields)


def _touched(found: NodeFacts) -> tuple[int | None, ...]:
    return tuple(field.touched for field in found.fields)


def _legend(compiled: Compiled) -> list[str]:
    """What the signs in the column of fields mean, with the first of each as the example, and what ops remark."""
    said, shapes = dict[str, str](), shapes_in(compiled.graph, compiled.facts)
    cell, medium = CELL[compiled.graph.rank], MEDIUM[compiled.graph.rank]
    for nodes in compiled.graph.layers.values():
        found = compiled.facts[nodes[-1].name]
        text, local = field_text(found, compiled), _local(found)
        if text in _UNKNOWN:
            said.setdefault("unknown", f"{text}: the field {_why_unknown(nodes[-1], compiled)}")
        elif text == "0":
            said.setdefault("nothing", f"0: no {cell} is seen")
        elif text.startswith(f"whole {medium} ("):
            said.setdefault("whole", f"{text}: the paths that do not mix the {medium} see {show(local)}")
        elif text.startswith("≤"):
            said.setdefault("bound", f"{text}: a bound; the values decide which part of it counts")
        if text[0].isdigit() and "(" in text:
            said.setdefault("holes", f"{text}: of {show(local)} {cell}s, {show(_touched(found))} are seen")
        remark = nodes[0].op.remark([shapes[name] for name in nodes[0].inputs])
        said |= {nodes[0].layer: f"{nodes[0].layer}: {remark}"} if remark else {}
    return ["", *said.values()] if said else []


def _why_unknown(node: Node, compiled: Compiled) -> str:
    graph, facts = compiled.graph, compiled.facts
    return why_unknown(graph, shapes_in(graph, facts), fields_in(facts), node.name)


def _claimed(layer: str, compiled: Compiled) -> str:
    """The receptive field that the paper claims of this layer, with a tick or a cross."""
    for verdict in compiled.verdicts_by_layer.get(layer, ()):
        if verdict.what == "receptive_field":
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
            what = verdict.what.replace("_", " ")
            subject = f"{verdict.layer} {what}" if verdict.layer else what
            mark = "✓" if verdict.ok else f"✗ computed {computed}"
            lines.append(f"{subject} {show(verdict.claimed)} {mark}")
    return ["", *lines] if lines else []


# --- the same as data -------------------------------------------------------------------------------------------------


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
        "inputs": inputs_json(graph),
        "sizes": {
            axis: {"legal": set_json(found.legal), "exact": set_json(found.exact)}
            for axis, found in zip(AXIS_NAMES[len(compiled.sizes)], compiled.sizes, strict=True)
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


def inputs_json(graph: Graph) -> dict[str, Any]:
    """Name -> what enters there."""
    return {name: {"channels": shape.channels, "size": _sizes(shape)} for name, shape in graph.inputs.items()}


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
        output = {
            "shape": _shape(facts.shape),
            **field_json(facts),
            "phases": _phases(view[layer]),
        }
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
        **({"shares": compiled.graph.layer_of(main.weights)} if main.weights is not None else {}),
        "shape": _shape(result.shape),
    }
    for name in ("kernel", "dilation", "offset"):
        value = getattr(main.op, name, None)
        if value is not None:
            layer[name] = list(value)
    layer |= {
        **field_json(result),
        **_cost(nodes, compiled),
        "claims": {verdict.what: _verdict_json(verdict) for verdict in compiled.verdicts_by_layer.get(main.layer, ())},
    }
    return layer


def field_json(found: NodeFacts) -> dict[str, Any]:
    """The receptive field of a node and its stride, in input pixels."""
    size = list(found.receptive_field)
    whole = any(field.whole for field in found.fields)
    field: dict[str, Any] = {"receptive_field": None if None in size or whole else size}
    if whole:
        local = [axis.local_size for axis in found.fields]
        field |= {"whole_image": True, "local_receptive_field": None if None in local else local}
    if found.bound:
        field["data_dependent"] = True
    if len(found.fields) == 1 and (seen := reach(found.fields[0])) is not None:
        field |= {"back": seen.back, "ahead": seen.ahead}
    touched = [axis.touched for axis in found.fields]
    if None not in touched and touched != size:
        field["touched"] = touched
    strides = [number(step) for step in found.stride]
    return {**field, "stride": None if None in strides else strides}


def _phases(layer: LayerField) -> list[dict[str, Any]]:
    """The field of every phase, one index an axis, or [] where there is no table; of too many only `rf --phases` tells,
    an axis at a time."""
    if layer.stride is None or layer.whole_image or not layer.few_phases:
        return []
    return [{"phase": found.phase, "receptive_field": found.size, "start": found.start} for found in layer.phases()]


def _shape(shape: Shape) -> list[Any]:
    return [shape.channels, *_sizes(shape)]


def _sizes(shape: Shape) -> list[Any]:
    return [str(size) if isinstance(size, AnySize) else size for size in shape.size]


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    def plain(pair: Any) -> Any:
        if pair is None:
            return None
        single = verdict.layer is None or verdict.what in ("channels", "parameters", "macs")
        return number(pair[0]) if single else [number(value) for value in pair]

    about = {"of": verdict.layer or "network", "what": verdict.what} if verdict.layer in (None, "output") else {}
    return {**about, "claimed": plain(verdict.claimed), "computed": plain(verdict.computed), "ok": verdict.ok}
