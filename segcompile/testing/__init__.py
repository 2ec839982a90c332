"""The conformance kit that every backend must pass, and what tests of specs and graphs are made of.

Nothing of segcompile imports this room but the command line, when `verify-backend` or `--verify` asks for it. The
strategies need `hypothesis`, and `conformance` needs `pytest`.
"""

from __future__ import annotations

from segcompile.testing.conformance import conformance

__all__ = ["conformance"]
