"""`python -m segcompile.testing.alone RUNNER`: runs emitted folders where segcompile cannot be imported.

Reads {folder, class_name, inputs} from stdin, one a line, and prints what went wrong with each, null where nothing did.
"""

from __future__ import annotations

import importlib
import json
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np

ANSWER = "alone: "  # emitted code may print, too


class _Absent(MetaPathFinder):
    """Finds nothing of segcompile, and says so."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name.partition(".")[0].startswith("segcompile"):
            raise ModuleNotFoundError(f"No module named {name!r}: segcompile is not installed here")
        return None


def main(runner: str) -> None:
    """Load the runner, take segcompile away, run every job of stdin as it comes."""
    module, _, name = runner.partition(":")
    loader = getattr(importlib.import_module(module), name)
    for known in [name for name in sys.modules if name.partition(".")[0].startswith("segcompile")]:
        del sys.modules[known]
    sys.meta_path.insert(0, _Absent())
    for line in sys.stdin:
        print(ANSWER + json.dumps(_fault(loader, json.loads(line))), flush=True)


def _fault(loader: Any, job: dict[str, Any]) -> str | None:
    folder, before = Path(job["folder"]), set(sys.modules)
    sys.path.insert(0, str(folder))
    current = "model"
    try:
        model = loader.load(folder, job["class_name"], double=False, seed=0)
        model.forward(*(np.zeros(shape, np.float32) for shape in job["inputs"]))
        for path in sorted(folder.glob("*.py")):
            current = path.stem
            importlib.import_module(current)
    except Exception as error:  # whatever the emitted code does is what there is to tell
        return f"{current}.py: {type(error).__name__}: {error}"
    finally:
        sys.path.remove(str(folder))
        for name in {path.stem for path in folder.glob("*.py")} & (set(sys.modules) - before):
            del sys.modules[name]
    return None


if __name__ == "__main__":
    main(sys.argv[1])
