"""`segcompile weights import`: the tensors of another tool's file, as the weights of a spec."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segcompile.compiler import Compiled
from segcompile.weights.images import Images, check_images, first_kernels, other_readers
from segcompile.weights.parameters import tensors
from segcompile.weights.placing import Place, left_over, place
from segcompile.weights.reading import read_weights
from segcompile.weights.report import Filled
from segcompile.weights.stored import Array, Source
from segcompile.weights.writing import check_target, write_weights


def import_weights(file: Path, compiled: Compiled, images: Images, target: Path) -> Filled:
    """Write `target` with all that `file` has for the network. Raises SegcompileError, with nothing written: SC801 to
    SC804, SC013."""
    check_target(target)
    source = read_weights(file)
    places = place(source, compiled.model, tuple(tensors(compiled.graph, compiled.facts)))
    kernels = first_kernels(compiled.graph, places)
    check_images(images, kernels, other_readers(compiled.graph))
    values = placed_values(source, places)
    notes = []
    for name, (image, bias) in kernels.items():
        values[name], shifted = images.adapt(values[name], values.get(bias or ""))
        if bias is not None and shifted is not None:
            values[bias] = shifted
        notes.append(images.said(name, image))
    write_weights(target, compiled.model, values, [found.tensor.name for found in places if not found.stored])
    return Filled(compiled.model, (file,), target, places, tuple(left_over(source, places)), tuple(notes))


def placed_values(source: Source, places: Sequence[Place]) -> dict[str, Array]:
    """Parameter -> its values, for those that come from the file. Raises SegcompileError (SC801)."""
    return {
        found.tensor.name: source.values(found.stored).reshape(found.tensor.shape)
        for found in places
        if found.stored is not None
    }
