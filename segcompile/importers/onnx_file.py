"""An ONNX file -> a graph of ours, with its weights. Nothing of the file is run, and nothing it claims is believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from segcompile.importers.lift import Imported, is_channels_last, lift
from segcompile.ops import SYMBOLS, AnySize, Shape, Size
from segcompile.text.errors import CODES, Label, SegcompileError, fail
from segcompile.weights.onnx_file import parsed
from segcompile.weights.onnx_graph import OnnxGraph, onnx_graph
from segcompile.weights.onnx_values import Step

OLDEST = 7  # the version of ONNX's ops from which on they are read
MOST_STEPS = 20_000
_MOST_CHANNELS = 2**20
_UPGRADE = "onnx.version_converter.convert_version(onnx.load(path), 17)"


def import_onnx(
    path: Path,
    upto: Sequence[str] = (),
    size: Sequence[int | None] | None = None,
    name: str | None = None,
    named: Label | None = None,
) -> Imported:
    """The network of an ONNX file. `upto`: the values to give instead of its results. `size`: of the inputs, in place
    of what the file says, None along an axis for any. Messages call the file `name`; a spec names it at `named`.

    Raises SegcompileError: SC901 for a file that is damaged or hostile, and as `lift`.
    """
    foreign = read_foreign(path)
    shown = name or str(path)
    if len(foreign.steps) > MOST_STEPS:
        raise _refused(shown, f"it has {len(foreign.steps):,} steps; {MOST_STEPS:,} is the limit")
    return lift(legal_model(path.stem), foreign, input_shapes(foreign, shown, size), upto, shown, named)


def read_foreign(path: Path) -> OnnxGraph:
    """The steps of an ONNX file. Raises SegcompileError (SC901)."""
    try:
        model = parsed(path)
        found = onnx_graph(path, model)
    except SegcompileError as error:  # the words are those of weights
        why = (replace(each, code=CODES["SC901"], message=_as_network(each.message)) for each in error.diagnostics)
        raise SegcompileError(why) from None
    if found.opset < OLDEST:
        why_ = f"its ops are of version {found.opset}, and {OLDEST} is the oldest that is read"
        raise _refused(str(path), why_, f"{_UPGRADE} brings them up to date")
    if not found.steps:
        raise _refused(str(path), "it holds no steps")
    return found


def _as_network(message: str) -> str:
    return message.replace("cannot be read as weights", "cannot be read as a network", 1)


def _refused(shown: str, why: str, help: str | None = None) -> SegcompileError:
    return fail("SC901", f"`{shown}` cannot be read as a network: {why}", help=help)


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
            raise _refused(
                shown, f"its input `{name}` has {len(extents)} axes: a vector, signal, image or volume has 2 to 5"
            )
        last = is_channels_last(foreign, name)
        channels = extents[-1 if last else 1] or _channels(foreign, name)
        if channels is None or not 0 < channels <= _MOST_CHANNELS:
            raise _refused(shown, f"how many channels its input `{name}` has is not said")
        sizes = extents[1:-1] if last else extents[2:]
        if size is not None and sizes:
            if len(size) != len(sizes):
                raise fail("SC903", f"the input `{name}` has {len(sizes)} axes, and {len(size)} sizes are given")
            sizes = tuple(size)
        found[name] = Shape(channels, tuple(_size(len(sizes), axis, each) for axis, each in enumerate(sizes)))
    if not found:
        raise _refused(shown, "nothing enters it")
    return found


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
