"""The one Jinja environment: templates only loop and print, and a missing value is an error."""

from __future__ import annotations

import re
import textwrap
from functools import lru_cache
from importlib.resources.abc import Traversable

from jinja2 import Environment, FunctionLoader, StrictUndefined


def environment(*folders: Traversable) -> Environment:
    """An environment over template folders; the first one that has a name wins."""
    return _environment(folders)


@lru_cache(maxsize=4)  # to compile templates is nine tenths of what an emission costs
def _environment(folders: tuple[Traversable, ...]) -> Environment:

    def load(name: str) -> str | None:
        found = (folder / name for folder in folders)
        return next((template.read_text(encoding="utf-8") for template in found if template.is_file()), None)

    return Environment(
        loader=FunctionLoader(load),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


def defined(template: Traversable) -> frozenset[str]:
    """The functions, classes and constants that a template of Python code defines, under any condition."""
    lines = template.read_text(encoding="utf-8").splitlines()
    found = (re.match(r"(?:def |class )?(\w+)(?:\(| = )", line) for line in lines)
    return frozenset(name[1] for name in found if name)


def camel(name: str) -> str:
    """`dilated_large` -> `DilatedLarge`."""
    return "".join(part[:1].upper() + part[1:] for part in name.replace(".", "_").split("_") if part)


def one_line(text: str, most: int = 100) -> str:
    """One line that can stand in a docstring, a comment and Markdown, whatever the spec says."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return textwrap.shorten(plain.replace("\\", "/").replace('"', "'"), most, placeholder=" ...")
