"""What YAML takes otherwise than it was meant is told, put together again, and read on."""

from __future__ import annotations

import time

import pytest

from segcompile.text.errors import SegcompileError
from segcompile.text.slips import cut_call, cut_number, without_space
from segcompile.text.source import Node, Scalar, Sequence, parse


def plain(node: Node | None) -> object:
    if isinstance(node, Scalar):
        return node.text
    assert isinstance(node, Sequence)
    return [plain(item) for item in node.items]


@pytest.mark.parametrize(("text", "key", "value", "help"), [
    ("a: {conv: min(W, 8), kernel: 3}", "conv", "min(W, 8)", 'in quotes: `"min(W, 8)"`'),
    ("a: {conv: max(1, min(W, 8)), kernel: 3}", "conv", "max(1, min(W, 8))", 'in quotes: `"max(1, min(W, 8))"`'),
    ("a: {kernel: (3, 5), stride: 2}", "kernel", ["3", "5"], "a list is written `[3, 5]`"),
    ("a: {kernel: 3, 5, stride: 2}", "kernel", ["3", "5"],
     "two numbers are written `3x5` or `[3, 5]`, a decimal `3.5`"),
    ("a: {drop: 0,25}", "drop", "0.25", "a decimal is written `0.25`"),
    ("a: {parameters: 3,221,538}", "parameters", "3221538", "write `3221538`"),
    ("a: {size: 512,512}", "size", "512512", "write `512512`, or two numbers as `[512, 512]`"),
    ("a: {rates: [6, max(W, 8), 18]}", "rates", ["6", "max(W, 8)", "18"], 'in quotes: `"max(W, 8)"`'),
    ("a: {conv:64, kernel: 3}", "conv", "64", "write `conv: 64`"),
])  # fmt: skip
def test_a_value_in_pieces_is_told_once_and_read_as_it_was_meant(text: str, key: str, value: object, help: str) -> None:
    root = parse(text, f"{key}.yaml")
    (found,) = root.wrong
    assert (found.code.code, found.help) == ("SC001", help)
    layer = root.get("a")
    assert not isinstance(layer, Scalar | Sequence | None)
    assert plain(layer.get(key)) == value
    assert {*layer.entries} <= {key, "kernel", "stride"}


@pytest.mark.parametrize("text", [
    "a: {ignore: [255, class:0]}", 'a: {conv: "min(W, 8)"}', "a: {rates: [1, 2, 3]}", "about: f(a, b), 1,000",
    "a: {url: x}\n8:\n", "a: {act: relu, 3: 4}", "a: {b: ReLU(x, y)}",
])  # fmt: skip
def test_what_is_meant_as_it_stands_is_left_alone(text: str) -> None:
    assert parse(text, "net.yaml").wrong == ()


def test_a_cut_on_two_lines_is_found_and_no_number_is_guessed() -> None:
    assert cut_call("  conv: min(W,", 8, "min(W", "8)") is not None
    assert cut_number("  conv: 3,", 8, "3", "4") is None
    assert without_space("12:30") is None


def test_many_open_parentheses_end_soon() -> None:
    started = time.process_time()
    with pytest.raises(SegcompileError) as caught:
        parse("a: {" + ", ".join(f"k{n}: min(, b{n}" for n in range(5000)) + "}", "net.yaml")
    assert len(caught.value.diagnostics) <= 100
    parse("b: {" + ", ".join(f"k{n}: min(W, 8)" for n in range(90)) + "}", "net.yaml")
    assert time.process_time() - started < 5
