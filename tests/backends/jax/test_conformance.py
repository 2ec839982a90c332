"""The JAX backend passes the whole kit. Each of its hundreds of models is compiled: minutes."""

from __future__ import annotations

import pytest

from segcompile.testing import conformance

test_conformance = pytest.mark.long(conformance("jax"))
