"""Graph + facts -> the classes that a backend's template prints."""

from __future__ import annotations

from segcompile.emit.calls import WIDTH, Argument, Call, Rules
from segcompile.emit.classes import Class, ModelView, view_model
from segcompile.emit.templates import camel, environment, one_line

__all__ = ["WIDTH", "Argument", "Call", "Class", "ModelView", "Rules", "camel", "environment", "one_line", "view_model"]
