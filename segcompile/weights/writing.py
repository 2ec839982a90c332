"""Tensors -> a safetensors file, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from segcompile.text.errors import fail
from segcompile.weights.placing import COUNTER
from segcompile.weights.stored import Array
from segcompile.whole_file import whole_file

FRESH = "fresh"  # the note that names, as a JSON list, what the file leaves to the network's own initialisation


def check_target(path: Path) -> None:
    """Raises SegcompileError (SC013) for a name that is not a safetensors file's."""
    if path.suffix != ".safetensors":
        raise fail("SC013", f"`{path}` is no name of a weight file", help=f"{path.stem or 'weights'}.safetensors")


def write_weights(
    path: Path, model: str, values: Mapping[str, Array], fresh: Sequence[str], more: Mapping[str, str]
) -> None:
    """Write what the harness's `train.py --init` takes: tensors in float32 under their names in the state dict, the
    counters of batch norms, a note of what starts fresh, and `more` notes. Raises SegcompileError (SC013, SC105)."""
    counters = {
        f"{name.removesuffix('running_mean')}{COUNTER}": np.zeros((), np.int64)
        for name in (*values, *fresh)
        if name.endswith(".running_mean")
    }
    for name, value in values.items():
        if not np.isfinite(value).all():
            if np.isnan(value).any():
                raise fail("SC105", f"some values for `{name}` are NaN, not numbers", help="is the file damaged?")
            help = "numbers below 3.4e38: is the file damaged, or --std too small?"
            raise fail("SC105", f"the values for `{name}` are too large for float32", help=help)
    notes = {"model": model, FRESH: json.dumps(list(fresh)), **more}
    whole = {name: np.asarray(value, order="C") for name, value in {**values, **counters}.items()}
    with whole_file(path) as aside:
        aside.touch()
        mode = aside.stat().st_mode  # as the user's umask has it; safetensors keeps others out
        try:
            save_file(whole, aside, notes)
        except Exception as error:  # safetensors has errors of its own for what the disk says
            raise error if isinstance(error, OSError) else OSError(str(error).partition("\n")[0]) from None
        aside.chmod(mode)
