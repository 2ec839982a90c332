"""A spec of one's own that derives from another one: compiled, and written where no file was."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from segcompile.compiler import Compiled, compile_spec, find_spec
from segcompile.language.schema import validate
from segcompile.show.derived import derived_spec
from segcompile.text.errors import Findings, SourceText, Span, fail
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node, Scalar, Sequence


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
    aside = out.parent / f".{secrets.token_hex(16)}.yaml"  # in the folder from which its base is looked for
    try:
        aside.write_text(text, encoding="utf-8")
        compiled = compile_spec(aside, findings, name=str(out))
        findings.stop_on_errors()
        _move(aside, out)
    except FileExistsError:
        help = "choose another name, or another file with --out"
        raise fail("SC013", f"`{out}` cannot be written: it is there already", help=help) from None
    except OSError as error:
        raise fail("SC013", f"`{out}` cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
    return compiled


def _move(aside: Path, out: Path) -> None:
    """Move a file to where none is. Raises FileExistsError if there is one, as soon as anybody has made it."""
    out.open("x").close()  # the name is ours from here on
    try:
        aside.replace(out)
    except BaseException:  # Ctrl-C, too
        out.unlink()
        raise
