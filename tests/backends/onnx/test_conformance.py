"""The ONNX backend passes the whole kit. A file holds all weights: of large networks it is made in the long tests."""

from __future__ import annotations

from segcompile.testing import conformance

test_conformance = conformance("onnx")
