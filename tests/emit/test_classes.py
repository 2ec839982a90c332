"""The classes of a model: which scopes have one, what it is called, and what its constructor takes."""

from __future__ import annotations

import pytest

from segcompile.backend import load_backend, run_backend
from segcompile.testing.cases import compiled

BACKENDS = ["torch", "jax"]


def model(layers: str, backend: str = "torch", blocks: str = "", size: int = 16) -> str:
    """model.py of a network of these layers, and of these blocks."""
    text = f"segcompile: 1\nmodel: net\ninput: {{channels: 4, size: {size}}}\n"
    text += "defaults: {conv: {kernel: 3, pad: same}}\n"
    text += f"blocks:\n{blocks}" if blocks else ""
    return str(run_backend(load_backend(backend), compiled(f"{text}layers:\n{layers}")[1]).files["model.py"])


def lines(source: str, word: str) -> list[str]:
    """The lines that hold a word, without their comments."""
    return [line.partition("  #")[0].strip() for line in source.splitlines() if word in line]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_scope_without_weights_is_written_in_place(backend: str) -> None:
    blocks = "  up: {args: [to], layers: [big: {resize: to}, both: {concat: [big, to]}]}\n"
    layers = "  - a: {conv: 4}\n  - half: {conv: 4, stride: 2}\n  - b: {block: up, to: a}\n"
    found = model(f"{layers}  - c: {{conv: 4}}\n  - d: {{add: [b.big, c]}}\n", backend, blocks)
    assert "class Up" not in found and "self.b" not in found
    assert lines(found, "([")[0].startswith("x = ") and "([big, a], " in found  # the only name that is read again


def test_a_variable_is_free_again_where_it_is_read_no_more() -> None:
    blocks = "  two: {args: [a, b], layers: [c: {conv: 4, from: a}, d: {conv: 4, from: b}]}\n"
    layers = "  - a: {conv: 4}\n  - b: {conv: 4}\n  - one: {block: two, a: a, b: b}\n"
    layers += "  - two: {block: two, a: one.c, b: one.d}\n  - end: {add: [two.c, two.d]}\n"
    assert lines(model(layers, blocks=blocks), "self.one(") == ["c, d = self.one(a, x)"]
    assert lines(model(layers, blocks=blocks), "self.two(") == ["c, d = self.two(c, d)"]
