"""The torch backend passes the whole kit."""

from __future__ import annotations

from segcompile.testing import conformance

test_conformance = conformance("torch")
