"""A certificate as a bioimage.io model description, version 0.5: `segcompile certify MODEL --for bioimageio`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from segcompile.checks.subject import Subject
from segcompile.facts.tiling import Along, AxisTiling, HeadTiles
from segcompile.ops import MEDIUM

AXES = {1: ("x",), 2: ("y", "x"), 3: ("z", "y", "x")}  # of space, as the format calls them


@dataclass(frozen=True, slots=True)
class OutputAxis:
    """Of one output along one axis: input pixels a step, what its size is more than floor(input / scale), and the
    larger side of what a tile's outputs are not the whole image's."""

    scale: Fraction
    offset: int
    halo: int


def output_axis(tiling: AxisTiling, head: str) -> OutputAxis:
    """That of a head in one residue of sizes."""
    found, turns = tiling.heads[head], tiling.turns(tiling.least)
    offset = found.extent.at(turns) - floor(tiling.least / found.stride)
    return OutputAxis(found.stride, offset, halo_of(found))


def halo_of(head: HeadTiles) -> int:
    """The larger side of what is cut off, in outputs that are whole input pixels: the format asks for that."""
    whole = head.stride.denominator
    return -(-max(head.before, head.after) // whole) * whole


def least_tile(tiling: AxisTiling) -> int:
    """The smallest tile of which something is left when the halo is cut off both sides of every output."""
    tile = tiling.useful
    while any(head.extent.at(tiling.turns(tile)) <= 2 * halo_of(head) for head in tiling.heads.values()):
        tile += tiling.step
    return tile


def rdf_text(model: str, about: str, class_name: str, subject: Subject, along: Sequence[Along]) -> str:
    """The description, with what is proved for its numbers; a network without exact tiles is described at one size, the
    subject's. What no network can say is named in its head, to be filled in."""
    graph, tiled = subject.graph, all(each.best is not None for each in along) and bool(along)
    lines = [*_head(model, along), "format_version: 0.5.3", "type: model", f"name: {json.dumps(_name(model))}"]
    lines += [f"description: {json.dumps(about or model, ensure_ascii=False)}", "inputs:"]
    for name, shape in graph.inputs.items():
        lines += _tensor(name, shape.channels)
        for axis, size in enumerate(shape.size):
            best = along[axis].best if tiled else None
            said = f"{{min: {least_tile(best)}, step: {best.step}}}" if best is not None else str(size)
            lines += ["  - type: space", f"    id: {AXES[graph.rank][axis]}", f"    size: {said}"]
    source = next(iter(graph.inputs))
    lines.append("outputs:")
    for head, name in graph.outputs.items():
        lines += _tensor(head, subject.shapes[name].channels)
        for axis, size in enumerate(subject.shapes[name].size):
            best = along[axis].best if tiled else None
            lines += ["  - type: space", f"    id: {AXES[graph.rank][axis]}"]
            lines += _output(output_axis(best, head), AXES[graph.rank][axis], source) if best else [f"    size: {size}"]
    return "\n".join([*lines, *_weights(class_name)])


def _name(model: str) -> str:
    """The name, which has five characters or more."""
    return model if len(model) >= 5 else f"network {model}"


def _head(model: str, along: Sequence[Along]) -> Iterator[str]:
    medium = MEDIUM[max(1, len(along))]
    yield f"# {model}, described by segcompile. Sizes, scales, offsets and halos are derived from the network."
    yield "# To be filled in: authors, license, cite, documentation, test tensors; the weights are a file of yours."
    forbidden = next((each.forbidden for each in along if each.forbidden is not None), None)
    if forbidden is not None:
        yield f"# No halo makes tiles exact, and one size is told: `{forbidden.node.layer}` {forbidden.reason}."
    for each in along if forbidden is None else ():
        assert each.best is not None
        before, after = each.best.halo
        yield f"# Along {each.symbol} tiles are exact with {before} pixels before and {after} behind, at origins that"
        yield f"# are multiples of {each.best.step} from where the {medium} starts; `halo` is the larger side of both."


def _tensor(name: str, channels: int) -> list[str]:
    names = ", ".join(f"channel{index}" for index in range(channels))
    start = [f"- id: {json.dumps(name)}", "  axes:", "  - type: batch"]
    return [*start, "  - type: channel", f"    channel_names: [{names}]"]


def _output(found: OutputAxis, axis: str, source: str) -> Iterator[str]:
    if found.scale != 1:
        yield f"    scale: {float(found.scale)}"
    yield f"    size: {{tensor_id: {json.dumps(source)}, axis_id: {axis}, offset: {found.offset}}}"
    if found.halo:
        yield f"    halo: {found.halo}"


def _weights(class_name: str) -> list[str]:
    return [
        "weights:",
        "  pytorch_state_dict:",
        "    source: weights.pth",
        "    pytorch_version: 2.4.0",
        f"    architecture: {{callable: {class_name}, source: model.py}}  # of `segcompile build --backend torch`",
    ]
