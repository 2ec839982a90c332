"""A compiled spec -> what a backend is asked to build."""

from __future__ import annotations

import textwrap
from pathlib import Path

from segcompile.backend import BuildRequest
from segcompile.compiler import Compiled
from segcompile.emit.templates import camel
from segcompile.language.training import read_training
from segcompile.source import Scalar


def request_for(compiled: Compiled, path: Path) -> BuildRequest:
    """The request for a spec read from `path`, of which only the file's name is told. Raises SegcompileError (SC0xx)."""
    about = compiled.document.root.get("about")
    cite = compiled.document.section("cite")
    return BuildRequest(
        model=compiled.model,
        class_name=camel(compiled.model),
        spec=path.name,
        about=_line(about.text) if isinstance(about, Scalar) else "",
        cite={key.text: _line(node.text) for key, node in cite.entries.values() if isinstance(node, Scalar)}
        if cite
        else {},
        graph=compiled.graph,
        facts=compiled.facts,
        training=read_training(compiled.document, compiled.expansion.values),
    )


def _line(text: str) -> str:
    """One line that can stand in a docstring, a comment and Markdown, whatever the spec says."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return textwrap.shorten(plain.replace("\\", "/").replace('"', "'"), 100, placeholder=" ...")
