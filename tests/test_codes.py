"""The slug of a code describes what is said under it, in every place that says something under a wide one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from segcompile.text.errors import CODES

ROOT = Path(__file__).parents[1]
SOURCES = [path for room in ("segcompile", "backends") for path in sorted((ROOT / room).rglob("*.py"))]
TEXTS = sorted((ROOT / "tests" / "data" / "invalid").glob("*.txt"))
RENDERED = re.compile(r"^(?:error|warning)\[(SC\d{3}) [a-z0-9-]+\]: (.*)$", re.MULTILINE)

# What a message of these codes says, in one of these ways: they are raised in many places.
SAYS = {
    "SC003": r"\bno(ne)?\b",  # unknown-key
    "SC004": r"\bnot\b|\bno (value|options)\b|cannot be (a|\{)",  # wrong-type
    "SC007": r"\bhas (\d+|\{\}) (cells|values|classes)|weights for",  # length-mismatch
    "SC008": r"\bneeds\b|\bhas no\b",  # missing-attribute
    "SC009": r"\bno (file|spec)\b|cannot be read|is a directory|not UTF-8",  # unreadable-file
    "SC012": r"\bneeds\b|missing|empty|has no value|says no op",  # incomplete
    "SC013": r"cannot be|a file, not a folder|folder|written by|no name",  # unwritable-place
    "SC105": r", not\b|too large|at most",  # out-of-range
    "SC111": r"more (than|entries)|expands to|larger than|too long|the most",  # too-large
    "SC114": r"cannot be|no layer can be called so",  # bad-name
    "SC115": r"there is no|is due here",  # unknown-word
    "SC310": r"size|fixed",  # size-needed
}


def literals(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(code, message) of each call that spells out both; `{}` for what a message fills in."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and len(call.args) > 1:
            code, message = call.args[:2]
            if isinstance(code, ast.Constant) and code.value in CODES:
                parts = message.values if isinstance(message, ast.JoinedStr) else [message]
                if all(isinstance(part, ast.Constant | ast.FormattedValue) for part in parts):
                    yield code.value, "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts)


def said() -> set[tuple[str, str]]:
    """All (code, message) that the sources spell out and that the invalid specs get."""
    found = {pair for path in SOURCES for pair in literals(ast.parse(path.read_text()))}
    return found | {pair for path in TEXTS for pair in RENDERED.findall(path.read_text())}


@pytest.mark.parametrize("code", SAYS)
def test_what_is_said_under_a_code_is_what_its_slug_says(code: str) -> None:
    messages = {message for own, message in said() if own == code}
    assert len(messages) > 2
    assert {message for message in messages if not re.search(SAYS[code], message)} == set()


def test_a_value_of_the_wrong_kind_or_size_comes_with_what_to_write() -> None:
    calls = [call for path in SOURCES for call in ast.walk(ast.parse(path.read_text())) if isinstance(call, ast.Call)]
    wrong = [call for call in calls if call.args and getattr(call.args[0], "value", None) in ("SC004", "SC105")]
    assert len(wrong) > 50
    assert [ast.unparse(call) for call in wrong if "help" not in {keyword.arg for keyword in call.keywords}] == []
    texts = [text for path in TEXTS for text in path.read_text().split("\n\n") if re.search(r"\[SC(004|105) ", text)]
    assert [text for text in texts if "   = help: " not in text] == []


def test_every_code_is_raised_somewhere() -> None:
    raised = {
        word for path in SOURCES if path.name != "errors.py" for word in re.findall(r'"(SC\d{3})"', path.read_text())
    }
    assert raised == {*CODES}
