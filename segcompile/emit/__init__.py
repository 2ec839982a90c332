"""Graph + facts -> the files of a folder, of which a backend gives the rules and the templates."""

from __future__ import annotations

from segcompile.emit.calls import AMBIGUOUS, WIDTH, Argument, Call, Code, Needs, Rule, Rules
from segcompile.emit.classes import Class, ModelView, view_model
from segcompile.emit.folder import Target
from segcompile.emit.templates import camel, defined, environment, one_line

__all__ = [
    "AMBIGUOUS", "WIDTH", "Argument", "Call", "Class", "Code", "ModelView", "Needs", "Rule", "Rules", "Target", "camel",
    "defined", "environment", "one_line", "view_model",
]  # fmt: skip
