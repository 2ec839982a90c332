"""How a command ends: its answer, as text or as JSON, and its exit status."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from segcompile import interruption
from segcompile.text.colour import coloured, wanted
from segcompile.text.errors import Diagnostic, SegcompileError
from segcompile.text.report import as_json, render_text

CLEAN = 0
DIAGNOSTICS = 1  # errors in what was given, or a false claim
USAGE = 2  # click's own
DRIFT = 3  # `build --check`: the folder is not what would be written
BACKEND = 4  # a backend cannot be loaded, or failed
UNDECIDED = 5  # `prove`: neither proved nor refuted
INTERNAL = 70
STOPPED = 130  # Ctrl-C


def say(text: str, nl: bool = True, err: bool = False) -> None:
    """Print text for people, with colours where they are wanted: on a terminal, and not in a pipe."""
    click.echo(coloured(text), nl=nl, err=err, color=wanted(os.environ))


def say_findings(diagnostics: Sequence[Diagnostic], err: bool = True) -> None:
    """Print diagnostics for people, if there are any."""
    if diagnostics:
        say(render_text(diagnostics), err=err)


def say_json(data: Mapping[str, Any]) -> None:
    """Print an answer for programs."""
    click.echo(json.dumps(data, indent=2))


def findings_json(diagnostics: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """Diagnostics for programs, as every answer has them under `diagnostics`."""
    return [as_json(found) for found in diagnostics]


def say_progress(text: str = "") -> None:
    """How far a command is, in the last line of a terminal, in the place of what stood there; nothing in a pipe."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{text}", nl=False, err=True)


def status(diagnostics: Sequence[Diagnostic], drift: bool = False) -> int:
    """The exit status after these findings. `drift`: what differs in a folder was asked for, and is no error."""
    errors = [found for found in diagnostics if found.is_error]
    if drift and errors and all(found.code.code.startswith("SC7") for found in errors):
        return DRIFT
    if any(map(_of_a_backend, errors)):
        return BACKEND
    return DIAGNOSTICS if errors else CLEAN


def _of_a_backend(found: Diagnostic) -> bool:
    """Whether a backend failed; what it cannot emit is at its place in the spec, and to be mended there."""
    return found.code.code.startswith("SC6") and found.span is None


def guarded(run: Callable[[], Any]) -> int:
    """The exit status of a command, whatever happens in it; what went wrong is printed."""
    try:
        given = run()
        return given if isinstance(given, int) else CLEAN
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        click.echo("stopped", err=True)
        return STOPPED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SegcompileError as error:
        say_findings(error.diagnostics)
        return status(error.diagnostics)
    except BrokenPipeError:
        sys.stderr.close()  # the reader is gone: `segcompile rf x | head`
        return CLEAN
    except Exception as error:
        if interruption.stopped():  # __main__.py says so
            raise
        message = f"internal error: {type(error).__name__}: {error}\nThis is a bug of segcompile, not of your spec."
        click.echo(f"{message} SEGCOMPILE_TRACEBACK=1 shows where.", err=True)
        if os.environ.get("SEGCOMPILE_TRACEBACK"):
            traceback.print_exc()
        return INTERNAL
