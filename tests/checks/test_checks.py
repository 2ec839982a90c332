"""CHECKS is all that can be said of a network: every code that a check can say stands in it, and every check once."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from pathlib import Path

import segcompile.checks
from segcompile.checks import CHECKS
from segcompile.text.errors import CODES

ROOM = Path(segcompile.checks.__file__).parent


def codes_in(text: str) -> set[str]:
    """The codes that stand in a file as strings of their own."""
    strings = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
    return {value for value in strings if isinstance(value, str) and re.fullmatch(r"SC\d{3}", value)}


def test_every_code_of_a_check_stands_in_the_list_and_no_other() -> None:
    listed: dict[str, set[str]] = defaultdict(set)
    for check in CHECKS:
        listed[Path(inspect.getfile(check.find)).name] |= {*check.codes}
    for path in sorted(ROOM.glob("*.py")):
        if path.name != "__init__.py":
            assert codes_in(path.read_text()) == listed[path.name], path.name


def test_every_check_is_named_once() -> None:
    functions = [check.find.__name__ for check in CHECKS]  # type: ignore[attr-defined]
    written = re.findall(r"^def (check_\w+)\(subject", "".join(path.read_text() for path in ROOM.glob("*.py")), re.M)
    assert sorted(functions) == sorted({*written})
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(len({*check.codes}) == len(check.codes) for check in CHECKS)


def test_a_code_of_the_list_is_one_of_the_table() -> None:
    assert {code for check in CHECKS for code in check.codes} <= {*CODES}


def test_a_code_in_a_file_is_found() -> None:
    assert codes_in('"""SC311: joins"""\nfinding("SC409", f"SC102 {x}")\nTABLE = {"size": "SC403"}\n') == {
        "SC409",
        "SC403",
    }
