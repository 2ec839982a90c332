"""Warnings about the text of a spec rather than about its network."""

from __future__ import annotations

from segcompile.language.derive import Document
from segcompile.language.expressions import names_in
from segcompile.text.errors import Findings
from segcompile.text.source import Scalar, scalars

_PROSE = ("params", "about", "model", "cite", "accept")  # what names no parameter


def warn_unused_parameters(document: Document, findings: Findings) -> None:
    """SC106 for a parameter that no value, name or claim of the spec mentions."""
    section = document.section("params")
    if section is None:
        return
    used: set[str] = set()
    parts = [node for key, node in document.root.entries.values() if key.text not in _PROSE]
    own = [node for step in document.steps for node in (step.edits, step.claims) if node is not None]
    for node in (*parts, *own):
        for scalar in scalars(node):
            used |= names_in(scalar.text)
    for _, node in section.entries.values():
        used |= names_in(node.text) if isinstance(node, Scalar) else set()
    for key, _ in section.entries.values():
        if key.text not in used:
            findings.add("SC106", f"nothing uses parameter `{key.text}`", key.span, help="remove it, or use it")
