"""A spec of one's own that derives from another one: compiled, and written where no file was."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from segcompile.compiler import Compiled, compile_spec, find_spec
from segcompile.language.schema import validate
from segcompile.show.derived import derived_spec
from segcompile.text.errors import Findings, SourceText, Span
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node, Scalar, Sequence
from segcompile.whole_file import new_file


def start(
    model: str, base: str, variant: str | None, overrides: Mapping[str, int], out: Path, findings: Findings
) -> Compiled:
    """Write a spec that derives from `base` into the file `out`, and compile it. Warnings go to `findings`.

    Raises SegcompileError, with nothing written, for a name that no model has (SC111, SC114), for all that is wrong
    with the base, its variant and its parameters, and for a file that is there already or cannot be written (SC013).
    """
    _check_name(model)
    path = find_spec(base)
    compiled = compile_spec(path, Findings(), variant=variant, overrides=overrides)
    written = _relative(path, out) if path == Path(base) else base
    return _write(derived_spec(model, written, variant, overrides, compiled), out, findings)


def _check_name(model: str) -> None:
    """Refuse what no spec can have as its `model`."""
    span, findings = Span(SourceText("NAME", (model,)), 1, 1, len(model)), Findings()
    entries: dict[str, Node] = {"segcompile": Scalar("1", span), "model": Scalar(model, span)}
    entries |= {"input": MappingNode({}, span), "layers": Sequence((), span)}
    validate(MappingNode({key: (Scalar(key, span), node) for key, node in entries.items()}, span), findings)
    findings.stop_on_errors()


def _relative(path: Path, out: Path) -> str:
    """How a spec in `out` names the file of its base."""
    return Path(os.path.relpath(path.resolve(), out.parent.resolve())).as_posix()


def _write(text: str, out: Path, findings: Findings) -> Compiled:
    """Write a spec, whole and without an error, or not at all."""
    help = "choose another name, or another file with --out"
    with new_file(out, ".yaml", help) as aside:  # in the folder from which its base is looked for
        aside.write_text(text, encoding="utf-8")
        compiled = compile_spec(aside, findings, name=str(out))
        findings.stop_on_errors()
    return compiled
