"""A file of another tool -> a graph of ours, with its weights, whatever wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segcompile.importers import Form, form_of
from segcompile.importers.lift import Imported
from segcompile.text.errors import Label


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
    if form_of(path) is Form.KERAS:
        from segcompile.importers.keras import import_keras

        return import_keras(path, upto, size, name, named)
    from segcompile.importers.onnx_file import import_onnx

    return import_onnx(path, upto, size, name, named)
