"""segcompile: from a paper's architecture table to checked, standalone code."""

from __future__ import annotations

__version__ = "0.1.0"
