"""A file of another tool -> a graph of ours, with its weights, whatever wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from segcompile.importers import Form, form_of
from segcompile.importers.lift import Imported, is_channels_last, lift
from segcompile.importers.refused import refused_network
from segcompile.ops import SYMBOLS, AnySize, Shape, Size
from segcompile.text.errors import Label, fail
from segcompile.weights.onnx_graph import OnnxGraph
from segcompile.weights.onnx_values import Step

MOST_STEPS = 20_000
_MOST_CHANNELS = 2**20


def import_network(
    path: Path,
    upto: Sequence[str] = (),
    size: Sequence[int | None] | None = None,
    name: str | None = None,
    named: Label | None = None,
) -> Imported:
    """The network of a file. `upto`: the values to give instead of its results. `size`: of the inputs, in place of what
    the file says, None along an axis for any. Messages call the file `name`; a spec names it at `named`.

    Raises SegcompileError: SC901 for a file that is damaged or hostile, and as `lift`.
    """
    foreign, shown = read_foreign(path), name or str(path)
    if len(foreign.steps) > MOST_STEPS:
        raise refused_network(shown, f"it has {len(foreign.steps):,} steps; {MOST_STEPS:,} is the limit")
    return lift(legal_model(path.stem), foreign, input_shapes(foreign, shown, size), upto, shown, named)


def read_foreign(path: Path) -> OnnxGraph:
    """The steps of a file, and its tensors. Raises SegcompileError (SC901, SC801)."""
    if form_of(path) is Form.KERAS:
        from segcompile.importers.keras import keras_steps

        return keras_steps(path)
    from segcompile.importers.onnx_file import onnx_steps

    return onnx_steps(path)


def legal_model(stem: str) -> str:
    """A model's name that is near the file's."""
    kept = "".join(each if each.isalnum() and each.isascii() else "_" for each in stem).strip("_").lower()[:80]
    return f"net_{kept}".rstrip("_") if not kept or not kept[0].isalpha() else kept


def input_shapes(foreign: OnnxGraph, shown: str, size: Sequence[int | None] | None = None) -> Mapping[str, Shape]:
    """Input -> channels and sizes; any along an axis that the file leaves open. Raises SegcompileError (SC901)."""
    found = {}
    for name, extents in foreign.inputs.items():
        if name not in foreign.readers:
            continue
        if not 2 <= len(extents) <= 5:
            raise refused_network(
                shown, f"its input `{name}` has {len(extents)} axes: a signal, an image or a volume has 3 to 5"
            )
        last = is_channels_last(foreign, name)
        channels = extents[-1 if last else 1] or _channels(foreign, name)
        if channels is None or not 0 < channels <= _MOST_CHANNELS:
            raise refused_network(shown, f"how many channels its input `{name}` has is not said")
        sizes = extents[1:-1] if last else extents[2:]
        if size is not None and sizes:
            if len(size) != len(sizes):
                raise fail("SC903", f"the input `{name}` has {len(sizes)} axes, and {len(size)} sizes are given")
            sizes = tuple(size)
        found[name] = Shape(channels, tuple(_size(len(sizes), axis, each) for axis, each in enumerate(sizes)))
    if not found:
        raise refused_network(shown, "nothing enters it")
    return found


def refuse_vectors(found: Imported, shown: str) -> None:
    """Raises SegcompileError (SC901) for a network that no spec can be of: something enters it that is no map."""
    vector = next((name for name, shape in found.graph.inputs.items() if not shape.size), None)
    if vector is not None:
        raise refused_network(shown, f"its input `{vector}` is a vector, and no signal, image or volume")


def _size(rank: int, axis: int, extent: int | None) -> Size:
    return AnySize(SYMBOLS[rank][axis]) if extent is None else extent


def _channels(foreign: OnnxGraph, name: str) -> int | None:
    """The channels that the convolution reads which reads an input."""
    for step in foreign.readers.get(name, ()):
        weight = foreign.constants.get(step.input(1))
        if step.op == "Conv" and weight is not None and len(weight.shape) > 1:
            return weight.shape[1] * _groups(step)
    return None


def _groups(step: Step) -> int:
    return max(1, step.integer("group", 1))
