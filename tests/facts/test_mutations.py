"""Slips in the dilated table: whichever number is wrong, the claims say so, at a number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from segcompile.compiler import compile_spec
from segcompile.text.errors import Diagnostic, Findings, SegcompileError

SPEC = Path(__file__).parents[2] / "specs/dilated_context.yaml"
TEXT = SPEC.read_text()
ROWS = {
    "convolution": ["3x3"] * 7 + ["1x1"],
    "dilation": ["1", "1", "2", "4", "8", "16", "1", "1"],
    "basic": ["C"] * 8,
    "large": ["2C", "2C", "4C", "8C", "16C", "32C", "32C", "C"],
}
WRONG = {
    "convolution": ["1x1", "3x3", "5x5", "7x7", "3x1", "1x3", "3x5", "2x2"],
    "dilation": ["1", "2", "3", "4", "8", "16", "32", "17"],
    "basic": ["1", "2C", "C+1", "20", "2*C-1"],
    "large": ["C", "2C", "3C", "4C", "8C", "16C", "31C", "32C", "33C", "1"],
}
VARIANTS = {"convolution": ["basic", "large"], "dilation": ["basic", "large"], "basic": ["basic"], "large": ["large"]}


def row(values: list[str]) -> str:
    return f"[{', '.join(values)}]"


def mutated(key: str, values: list[str]) -> str:
    """The spec with other values in one row of the table."""
    lines = TEXT.split("\n")
    (index,) = (i for i, line in enumerate(lines) if line.strip().startswith(f"{key}:") and "[" in line and i < 18)
    head = lines[index].partition(":")[0]
    lines[index] = f"{head}: {row(values)}"
    return "\n".join(lines)


def slips() -> Iterator[tuple[str, str, int, str]]:
    """Row, variant, column, wrong value."""
    for key, right in ROWS.items():
        for column in range(8):
            for wrong in WRONG[key]:
                if wrong != right[column]:
                    yield from ((key, variant, column, wrong) for variant in VARIANTS[key])


def found_in(path: Path, text: str, variant: str) -> list[Diagnostic]:
    path.write_text(text)
    findings = Findings()
    try:
        compile_spec(path, findings, variant=variant)
    except SegcompileError as error:
        findings.absorb(error)
    return findings.diagnostics


def on_a_number(diagnostic: Diagnostic) -> bool:
    """Whether the caret stands under something with a digit or a parameter, not under a name."""
    span = diagnostic.span
    if span is None:
        return False
    word = span.source.lines[span.line - 1][span.column - 1 :][: span.length]
    return any(character.isdigit() for character in word) or word == "C"


def test_the_table_as_printed_has_no_slip(tmp_path: Path) -> None:
    for variant in ("basic", "large"):
        assert mutated("dilation", ROWS["dilation"]).count("\n") == TEXT.count("\n")
        assert found_in(tmp_path / "net.yaml", mutated("dilation", ROWS["dilation"]), variant) == []


@pytest.mark.parametrize("key", ROWS)
def test_every_wrong_cell_is_an_error_at_a_number(key: str, tmp_path: Path) -> None:
    slipped = []
    for row_key, variant, column, wrong in slips():
        if row_key != key:
            continue
        values = [*ROWS[key][:column], wrong, *ROWS[key][column + 1 :]]
        found = found_in(tmp_path / "net.yaml", mutated(key, values), variant)
        errors = [diagnostic for diagnostic in found if diagnostic.is_error]
        if key == "dilation" and column == 7:  # nothing to dilate: the network is the same
            assert [diagnostic.code.slug for diagnostic in found] == ["no-effect"] and on_a_number(found[0])
        elif not errors or not all(on_a_number(diagnostic) for diagnostic in errors):
            slipped.append((variant, column + 1, wrong, [str(error.message) for error in errors]))
    assert slipped == []


@pytest.mark.parametrize("variant", ["basic", "large"])
@pytest.mark.parametrize("column", range(8))
@pytest.mark.parametrize("stride", ["2", "3", "1x2"])
def test_a_stride_in_the_table_is_an_error_at_a_number(column: int, stride: str, variant: str, tmp_path: Path) -> None:
    values = ["1"] * 8
    values[column] = stride
    text = TEXT.replace("  truncation:", f"  stride: {row(values)}\n  truncation:")
    errors = [found for found in found_in(tmp_path / "net.yaml", text, variant) if found.is_error]
    assert errors and all(on_a_number(error) for error in errors), [error.message for error in errors]
