"""Whatever a spec says, compiling it returns or reports, soon: never another exception.

`python -m tests.language.test_fuzz 100000` tries as many mutated specs of today, always others, 12 ms each.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segcompile.compiler import compile_spec
from segcompile.text.errors import Findings, SegcompileError
from segcompile.text.report import as_json, render_text

ROOT = Path(__file__).parents[2]
TODAY = [ROOT / "tests/data/valid" / name for name in ("today.yaml", "today_derived.yaml")]  # each way of writing
SOURCES = [*sorted((ROOT / "specs").glob("*.yaml")), *sorted((ROOT / "tests/data/invalid").glob("*.yaml")), *TODAY]
TEXTS = [path.read_text() for path in SOURCES]
WORDS = sorted({word for text in TEXTS for word in re.findall(r"[\w.{}*+-]+", text)})
ODD = [
    "~", "", "010", "1_000", "0x10", "1e400", "-1", "0", "1", "2", "7", "99999999999999999999", "2**62",
    "10**9", "65536", "4097", "yes", "{}", "[]", "[[]]", "a.b", "{i}", "\"{i}\"", "\"{\"", "\"{}\"", "\"{-1}\"",
    "é", "日本", "../x", "x/y.yaml", ".", "same", "any", "none", "input", "output", "3x3", "3x", "1/2", "1/0",
    "1..3", "3..1 by -1", "1..2**62", "1..n by 0", "-3..3", "..", "1..", "[1..3, 7]", "min(W, 8)", "\"min(W, 8)\"",
    "\"s != 1\"", "\"a == b == c\"", "above", "network", "network.input", "network.", "args: [w, s: w]", "[]",
    "{for: {j: 1..3}, name: \"x{j}\"}", "{for: {j: 1..3}, edits: [remove: \"x{j}\"]}", "for: {i: 1..20000}", "1..20000",
    "{for: {j: 1..3}, claims: {\"c{j}\": {stride: j}}}", "{for: {j: 1..3}, outputs: {\"h{j}\": stem}}", "edits",
    "claims", "outputs", "accept: {SC202: \"so\"}", "SC311", "data", "classes", "heads", "dice", "{dice: {at: stem}}",
    "balanced", "repeat: 0", "channels",
    "share: turn1", "share: old", "share: above", "share: wide", "{a: 1}", "[[1, 1], [2, 2]]",
    "2C", "C**64", "dilated_context.yaml", "net.yaml", "unet", "norm", "act", "block", "use", "for", "from",
    "repeat", "[3, 3]", "[1, 2, 3, 4]", "{conv: 3, kernel: 1}", "[input, input]", "concat", "!!int 3", "&a",
    "*a", "'", "|", ">", "? x", "- - -", "\x7f", "\u2028", "nan", "inf", ".5", "1.", "- x", "a: b: c",
]  # fmt: skip
TODAYS = [path.read_text() for path in TODAY]
WORDS_OF_TODAY = [*ODD, *re.findall(r"[\w.{}*+-]+", "\n".join(TODAYS))]
LIMIT_S = 6  # of one core; the slowest takes about 2 s


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A spec of ours with a few words or lines replaced, dropped, doubled or swapped."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 5))):
        if draw(st.booleans()):
            words = list(re.finditer(r"[^\s:,\[\]{}#]+", text)) or list(re.finditer(".", text))
            match = words[draw(st.integers(0, len(words) - 1))]
            new = draw(st.one_of(st.sampled_from(ODD), st.sampled_from(WORDS), st.text(max_size=5)))
            text = text[: match.start()] + new + text[match.end() :]
        else:
            lines = text.splitlines()
            i, j = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
            kind = draw(st.sampled_from(["drop", "double", "swap", "indent", "other"]))
            if kind == "drop":
                del lines[i]
            elif kind == "double":
                lines.insert(j, lines[i])
            elif kind == "swap":
                lines[i], lines[j] = lines[j], lines[i]
            elif kind == "indent":
                lines[i] = "  " + lines[i]
            else:
                other = draw(st.sampled_from(TEXTS)).splitlines()
                lines.insert(i, draw(st.sampled_from(other)))
            text = "\n".join(lines) + "\n"
        text = text if text.strip() else "x"
    return text


def outcome(path: Path, variant: str | None = None) -> str:
    """All that is said; fails where compiling does neither return nor report, or takes too long."""
    findings = Findings()
    start = time.process_time()
    try:
        compile_spec(path, findings, variant=variant, name=path.name)
    except SegcompileError as error:
        assert any(found.is_error for found in error.diagnostics)
        findings = Findings(list(error.diagnostics))
    assert time.process_time() - start < LIMIT_S, path.read_text()
    for found in findings.diagnostics:
        assert as_json(found)
    return render_text(findings.diagnostics)


@st.composite
def mutated_today(draw: st.DrawFn) -> str:
    """As `mutated`, of the specs that have every way in which today's networks are written."""
    text = draw(st.sampled_from(TODAYS))
    for _ in range(draw(st.integers(1, 6))):
        places = list(re.finditer(r"[^\s:,\[\]{}#]+", text))
        match = places[draw(st.integers(0, len(places) - 1))]
        text = text[: match.start()] + draw(st.sampled_from(WORDS_OF_TODAY)) + text[match.end() :]
    return text


def compile_or_refuse(text: str, folder: Path) -> None:
    """Try a text beside the base that it may have."""
    path = folder / "net.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    if not (folder / TODAY[0].name).exists():
        shutil.copy(TODAY[0], folder)
    outcome(path)


@pytest.mark.parametrize("path", TODAY, ids=lambda path: path.stem)
def test_the_specs_that_are_mutated_are_right(path: Path) -> None:
    assert "error[" not in outcome(path)


@settings(max_examples=150)
@given(mutated_today())
def test_a_mutated_spec_of_today_compiles_or_is_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    compile_or_refuse(text, tmp_path_factory.getbasetemp())


@pytest.mark.long
@settings(max_examples=20_000, derandomize=False)
@given(mutated_today())
def test_twenty_thousand_mutated_specs_of_today(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    compile_or_refuse(text, tmp_path_factory.getbasetemp())


@settings(max_examples=150)
@given(mutated(), st.sampled_from([None, None, "basic", "large", "small"]))
def test_a_mutated_spec_compiles_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str, variant: str | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "net.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    outcome(path, variant)


if __name__ == "__main__":
    with TemporaryDirectory() as name:
        tried = given(mutated_today())(lambda text: compile_or_refuse(text, Path(name)))
        settings(max_examples=int(sys.argv[1]), derandomize=False, database=None, deadline=None)(tried)()
