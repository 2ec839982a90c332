"""A file is written whole, or not at all: aside first, and then put in its place in one step."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from segcompile.text.errors import SegcompileError, fail


@contextmanager
def whole_file(path: Path, ending: str = "") -> Iterator[Path]:
    """A name beside `path`, with this ending, under which it is written; in the end that takes the place of `path`.

    Where anything is raised meanwhile, Ctrl-C too, `path` is as it was, and nothing is left beside it. What the system
    says (OSError) is SC013.
    """
    aside = path.parent / f".segcompile-{secrets.token_hex(8)}{ending}"  # on its disk
    try:
        yield aside
        aside.replace(path)
    except OSError as error:
        raise fail("SC013", f"`{path}` cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


@contextmanager
def new_file(path: Path, ending: str, help: str) -> Iterator[Path]:
    """As `whole_file`, where none is: a file that is there, as soon as anybody has made it, is SC013 with this help."""
    check_new(path, help)
    ours = False
    try:
        with whole_file(path, ending) as aside:
            yield aside
            try:
                path.open("x").close()
            except FileExistsError:
                raise _is_there(path, help) from None
            ours = True
        ours = False
    finally:
        if ours:  # the empty file that kept the name
            path.unlink()


def check_new(path: Path, help: str) -> None:
    """Raises SegcompileError (SC013) for a file that is there already: asked before the work whose result it would
    hold."""
    if path.exists() or path.is_symlink():
        raise _is_there(path, help)


def _is_there(path: Path, help: str) -> SegcompileError:
    return fail("SC013", f"`{path}` cannot be written: it is there already", help=help)
