"""Integer expressions, as papers write them."""

from __future__ import annotations

import pytest

from segcompile.language.expressions import evaluate
from segcompile.text.errors import SegcompileError, SourceText, Span
from segcompile.text.source import Scalar

VALUES = {"C": 3, "W": 64, "d": 2, "tap": "pool4"}


def written(text: str) -> Scalar:
    return Scalar(text, Span(SourceText("net.yaml", (text,)), 1, 1, len(text)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7), ("C", 3), ("2C", 6), ("2 C", 6), ("2C**2", 18), ("(2C)**2", 36), ("W//2C", 10), ("W*2**d", 256),
        ("16W", 1024), ("2**d**C", 256), ("-C", -3), ("-C**2", -9), ("2*-C", -6), ("W%10", 4), ("10-4-3", 3),
        ("100//5//2", 10), ("3(C-1)", 6), ("2(3)", 6), ("15422*C**2", 138798), (" 1 + 2 ", 3), ("0", 0),
        ("(((1)))", 1), ("-7//2", -4), ("2C+1", 7), ("2C*2", 12), ("--3", 3),
    ],
)  # fmt: skip
def test_it_has_this_value(text: str, value: int) -> None:
    assert evaluate(written(text), VALUES) == value


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "SC104"), ("2*", "SC104"), ("(C", "SC104"), ("C)", "SC104"), ("C/2", "SC104"), ("1.5", "SC104"),
        ("C C", "SC104"), ("C(2)", "SC104"), ("1 2", "SC104"), ("C//0", "SC104"), ("C%0", "SC104"), ("2**-1", "SC104"),
        ("2**65", "SC104"), ("2**64", "SC104"), ("9" * 30, "SC104"), ("1+" * 150 + "1", "SC104"), ("²", "SC104"),
        ("(" * 90 + "1" + ")" * 90, "SC104"), ("-" * 150 + "1", "SC104"), ("2**" * 60 + "1", "SC104"),
        ("X", "SC101"), ("2X", "SC101"), ("tap", "SC004"), ("C2", "SC101"), ("__import__", "SC101"),
        ("C.real", "SC104"),
    ],
)  # fmt: skip
def test_it_is_refused(text: str, code: str) -> None:
    with pytest.raises(SegcompileError) as caught:
        evaluate(written(text), VALUES)
    (found,) = caught.value.diagnostics
    assert found.code.code == code
    assert found.span is not None and found.span.text in text


@pytest.mark.parametrize(
    ("text", "help"), [("1.5k", "all its digits: `1500`"), ("1.5W", "`3W//2`"), ("2.5px", "an integer, or")]
)
def test_a_fraction_is_told_a_whole_number_to_write(text: str, help: str) -> None:
    with pytest.raises(SegcompileError) as caught:
        evaluate(written(text), VALUES)
    (found,) = caught.value.diagnostics
    assert found.help is not None and help in found.help
