"""Every diagnostic has a page, and the spec on a page gets that diagnostic."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segcompile import explain
from segcompile.build import request_for
from segcompile.compiler import compile_spec
from segcompile.explain import page
from segcompile.text.errors import CODES, Findings, SegcompileError

PAGES = sorted(Path(explain.__file__).parent.glob("*.md"))
SPEC = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def codes_of(text: str, path: Path) -> set[str]:
    """Every code that the spec in `text` gets."""
    path.write_text(text)
    findings = Findings()
    try:
        compiled = compile_spec(path, findings)
        request_for(compiled, path)
    except SegcompileError as error:
        findings.diagnostics += error.diagnostics
    return {found.code.code for found in findings.diagnostics}


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert [path.stem for path in PAGES] == sorted(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_page_starts_with_its_code_and_slug_and_shows_an_example(code: str) -> None:
    text = page(code)
    assert text is not None
    lines = text.splitlines()
    assert lines[0] == f"# {code} {CODES[code].slug}"
    assert lines[1] == "" and lines[2]
    assert text.count("```") == 2
    assert text.rpartition("```\n")[2].strip()  # how to mend it
    assert text.endswith("\n") and not text.endswith("\n\n")
    assert all(len(line) <= 130 and line == line.rstrip() for line in lines)


@pytest.mark.parametrize("code", [path.stem for path in PAGES if SPEC.search(path.read_text())])
def test_the_spec_on_a_page_gets_its_diagnostic(code: str, tmp_path: Path) -> None:
    match = SPEC.search(page(code) or "")
    assert match is not None
    found = codes_of(match[1], tmp_path / "net.yaml")
    assert found == {code}


def test_a_code_may_be_written_small() -> None:
    assert page(" sc401 ") == page("SC401")


@pytest.mark.parametrize("word", ["", "SC999", "401", "../SC401", "SC401.md", "__init__"])
def test_what_is_no_code_has_no_page(word: str) -> None:
    assert page(word) is None
