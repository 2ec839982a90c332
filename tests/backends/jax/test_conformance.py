"""The JAX backend passes the whole kit. Each model is compiled: the short tests have a part (tests/conftest.py)."""

from __future__ import annotations

from segcompile.testing import conformance

test_conformance = conformance("jax")
