"""`segcompile weights import`: the tensors of another tool's file, as the weights of a spec."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segcompile.compiler import Compiled
from segcompile.text.errors import fail
from segcompile.weights.comparing import check_layers, norms_astray
from segcompile.weights.folding import folds_said
from segcompile.weights.images import (
    AS_GIVEN,
    NOTE,
    Images,
    check_images,
    first_kernels,
    of_other_images,
    other_readers,
)
from segcompile.weights.mapping import place
from segcompile.weights.misfits import misfits_said
from segcompile.weights.naming import named, read_names
from segcompile.weights.parameters import tensors
from segcompile.weights.placing import EXAMPLES, Place, left_over, shown, twin_said
from segcompile.weights.reading import read_weights
from segcompile.weights.report import Filled
from segcompile.weights.stored import Array, Order, Source, Stored
from segcompile.weights.writing import check_target, write_weights


def import_weights(
    file: Path,
    compiled: Compiled,
    images: Images,
    target: Path,
    names: Path | None = None,
    strict: bool = False,
    weights_only: bool = False,
    state_dict: str | None = None,
) -> Filled:
    """Write `target` with all that `file` has for the network. `names`: a file that says where tensors go. `strict`:
    everything must come from the file, and all of the file must find a place. `weights_only`: the file's convolutions
    may read elsewhere than the spec's. `state_dict`: which one of a checkpoint.

    Raises SegcompileError, with nothing written: SC801 to SC808, SC009, SC013."""
    check_target(target)
    renames = read_names(names) if names else ()
    source = read_weights(file, state_dict)
    wanted = [tensor.name for tensor in tensors(compiled.graph, compiled.facts)]
    assignment = place(source, compiled, named(source, renames, wanted))
    places, left = assignment.places, tuple(left_over(source, assignment.places))
    if strict:
        _check_whole(source, places, left)
    notes = [
        *source.said,
        *twin_said(places, left),
        *misfits_said(compiled, places, assignment.misfits),
        *folds_said(file.name, places),
        *check_layers(compiled.graph, places, weights_only),
        *(norms_astray(places) if source.order is Order.EXECUTED else ()),
    ]
    kernels = first_kernels(compiled.graph, places)
    other = of_other_images(compiled.graph, assignment.misfits)
    images = images.noted(source.notes) if kernels else images
    check_images(images, kernels, other_readers(compiled.graph), other)
    values = placed_values(source, places)
    for name, (image, shifted) in kernels.items():
        values[name], more = images.adapt(values[name])
        if shifted is not None and more is not None:
            with np.errstate(over="ignore"):  # what is written is looked at there
                values[shifted.name] = (values[shifted.name] + shifted.sign * more).astype(np.float32)
        notes.append(images.said(name, image))
    fresh = [found.tensor.name for found in places if not found.stored]
    write_weights(target, compiled.model, values, fresh, {NOTE: AS_GIVEN} if kernels else {})
    return Filled(compiled.model, (file,), target, places, left, tuple(notes), assignment)


def _check_whole(source: Source, places: Sequence[Place], left: Sequence[Stored]) -> None:
    """Raises SegcompileError (SC808) if anything starts fresh or finds no place."""
    fresh = [f"`{found.tensor.name}` starts fresh: {found.why}" for found in places if not found.stored]
    unplaced = [f"`{stored.name}`, {shown(stored.shape)}, finds no place" for stored in left]
    if fresh or unplaced:
        counts = f"{len(fresh)} of {len(places)} tensors start fresh, and {len(unplaced)} of the file find no place"
        notes = [*fresh[:EXAMPLES], *unplaced[:EXAMPLES]]
        raise fail("SC808", f"`{source.path}` is not the whole network and nothing else: {counts}", notes=notes)


def placed_values(source: Source, places: Sequence[Place]) -> dict[str, Array]:
    """Parameter -> its values, for those that come from the file. Raises SegcompileError (SC801)."""
    return {found.tensor.name: found.value(source.values(found.stored)) for found in places if found.stored is not None}
