"""What is said of each invalid spec in tests/data/invalid, word for word.

`python tests/language/test_invalid.py` writes the texts anew, to be read before they are committed.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from segcompile.compiler import compile_spec
from segcompile.text.errors import CODES, Findings, SegcompileError
from segcompile.text.report import render_text

FOLDER = Path(__file__).parents[1] / "data" / "invalid"
SPECS = sorted(FOLDER.glob("*.yaml"))
VARIANT = {
    "SC114_argument_like_a_variant": "small",
    "SC114_layer_called_like_a_variant": "small",
    "SC012_variant_without_value": "small",
    "SC110_unknown": "huge",
}
OF_A_SPEC = [code for code in CODES if code < "SC6"]
# See tests/text/test_source.py, test_writer.py, test_accept.py, tests/show/test_rf.py.
NEVER_RAISED = {"SC009", "SC013", "SC118", "SC410"}


@cache
def report(path: Path) -> str:
    """All that is said of a spec, in the names of its own folder."""
    findings = Findings()
    try:
        compile_spec(path, findings, variant=VARIANT.get(path.stem), name=path.name)
    except SegcompileError as error:
        findings = Findings(list(error.diagnostics))
    text = render_text(findings.diagnostics) + "\n"
    return text.replace(f"{FOLDER}/", "").replace(f"{FOLDER.parents[2] / 'specs'}/", "specs/")


@pytest.mark.parametrize("path", SPECS, ids=[path.stem for path in SPECS])
def test_the_report_is_this(path: Path) -> None:
    assert report(path) == path.with_suffix(".txt").read_text()


@pytest.mark.parametrize("path", SPECS, ids=[path.stem for path in SPECS])
def test_the_report_has_the_code_that_the_file_is_named_after(path: Path) -> None:
    code = path.stem.partition("_")[0]
    assert code in report(path) or not code.startswith("SC")


def test_every_code_has_a_spec_that_gets_it() -> None:
    got = {code for path in SPECS for code in re.findall(r"\[(SC\d+) ", report(path))}
    assert {*OF_A_SPEC} - NEVER_RAISED - got == set()


if __name__ == "__main__":
    for spec in SPECS:
        spec.with_suffix(".txt").write_text(report(spec))
