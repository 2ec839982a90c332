"""`segcompile verify-backend`: the conformance kit, run on an installed backend."""

from __future__ import annotations

import gc

import click

from segcompile.backend import load_backend
from segcompile.cli.options import Command, format_option
from segcompile.cli.outcome import BACKEND, CLEAN, DIAGNOSTICS, say, say_json, say_progress


@click.command("verify-backend", cls=Command)
@click.argument("name")
@format_option
def verify_backend(name: str, form: str) -> int:
    """Put an installed backend to every check of the conformance kit, and print the scoreboard.

    Exit status 1 if anything that the backend declares fails, 4 if it cannot be loaded or its framework is missing.
    """
    from segcompile.testing.runner import NoRunner, runner_of  # NumPy, as in build.py
    from segcompile.testing.scoreboard import Row, board, summary
    from segcompile.testing.trial import Trial

    backend, rows = load_backend(name), list[Row]()
    try:
        _ = backend.runner and runner_of(backend)
    except NoRunner as reason:
        say(f"error: {reason}", err=True)
        return BACKEND
    gc.enable()  # a model's parts know each other: without, hundreds of models fill any memory

    def progress(row: Row) -> None:
        say_progress(f"  {row.check.name} {row.done}/{row.cases}")

    for row in board(Trial(backend), progress):
        rows.append(row)
        say_progress()
        if form == "text":
            say(row.text)
    passed = all(row.holds for row in rows)
    if form == "json":
        say_json({"backend": name, "ok": passed, "checks": [row.data for row in rows]})
    else:
        say(summary(name, rows))
    return CLEAN if passed else DIAGNOSTICS
