"""The JAX backend passes the whole kit. Every network is compiled for each kind of number: minutes."""

from __future__ import annotations

import pytest

from segcompile.testing import conformance

test_conformance = pytest.mark.long(conformance("jax"))
