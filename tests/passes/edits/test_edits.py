"""Each edit does to a network what its folder says: `before.yaml`, the edits, and the network after them, written flat.

`python -m tests.passes.edits.test_edits` writes the networks anew; read the difference before you commit it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from segcompile.compiler import compile_spec
from segcompile.language.write import write_spec
from segcompile.passes.edits import EDITS
from segcompile.text.errors import Findings

HERE = Path(__file__).parent
CASES = sorted(path for path in HERE.glob("*/*.yaml") if not path.name.endswith(".after.yaml"))


def after(path: Path) -> str:
    return write_spec(compile_spec(path, Findings()).graph)


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_network_after_the_edit_is_this(path: Path) -> None:
    assert after(path) == path.with_suffix(".after.yaml").read_text()


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_is_written_is_a_spec(path: Path) -> None:
    assert after(path.with_suffix(".after.yaml")) == path.with_suffix(".after.yaml").read_text()


def test_every_edit_has_a_folder() -> None:
    words = {"change": "set", "insert_after": "insert", "insert_before": "insert"}
    assert {path.parent.name for path in CASES} == {words.get(edit.__name__, edit.__name__) for edit in EDITS}


if __name__ == "__main__":
    for case in CASES:
        case.with_suffix(".after.yaml").write_text(after(case))
