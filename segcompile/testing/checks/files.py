"""The emitted files themselves: emitted at all, the same again, standalone, clean."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from segcompile.backend import run_backend
from segcompile.testing.alone import ANSWER
from segcompile.testing.bench import Bench, Mismatch, Unasked
from segcompile.testing.cases import Case
from segcompile.text.errors import SegcompileError
from segcompile.writer import as_bytes

RULES = "E,F,W,I,B,UP"  # of ruff


def emission(bench: Bench, case: Case) -> None:
    """What is declared is emitted: twice the same in one process, as files that a folder can hold."""
    try:
        bench.built(case.request)
    except SegcompileError as error:
        raise Mismatch(error.diagnostics[0].message) from error


def refusal(bench: Bench, case: Case) -> None:
    """What is not declared is refused before emission, every layer of it (SC604)."""
    try:
        bench.built(case.request)
    except SegcompileError as error:
        other = next((found for found in error.diagnostics if found.code.code != "SC604"), None)
        if other is not None:
            raise Mismatch(f"{other.code.code} instead of SC604: {other.message}") from error
        return
    raise Mismatch("is emitted, though the backend does not declare it")


def same_bytes(bench: Bench, case: Case) -> None:
    """Another process, with another hash seed, another locale and another working directory, emits the same bytes."""
    here, there = digests(run_backend(bench.backend, case.request).files), _digests_elsewhere(bench, case)
    for path in sorted({*here, *there}):
        if here.get(path) != there.get(path):
            raise Mismatch(f"{path} differs between two processes")


def _digests_elsewhere(bench: Bench, case: Case) -> dict[str, str]:
    """Path -> digest, as a process of its own emits a whole network."""
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"LC_ALL": "C", "TZ": "UTC+1", "PYTHONDONTWRITEBYTECODE": "1"}
    folder = bench.place / "elsewhere"
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "segcompile.testing.digests", bench.backend.name, case.name]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise Mismatch(f"a process of its own cannot emit: {_last_line(done.stderr)}")
    found: dict[str, str] = json.loads(done.stdout)
    return found


def digests(files: Mapping[str, str | bytes]) -> dict[str, str]:
    """Path -> digest of its text."""
    return {path: hashlib.sha256(as_bytes(content)).hexdigest() for path, content in files.items()}


def standalone(bench: Bench, case: Case) -> None:
    """No file imports segcompile, and all of them can be imported, and the model run, where it is absent."""
    folder = bench.built(case.request)
    for path in sorted(folder.rglob("*.py")):
        for line, module in _imports(path.read_text(encoding="utf-8")):
            if module.partition(".")[0].startswith("segcompile"):
                raise Mismatch(f"{path.name}:{line} imports {module}")
    fault = bench.once("alone", lambda: _Alone(bench)).fault(folder, case)
    if fault is not None:
        raise Mismatch(fault)


def _imports(source: str) -> Iterator[tuple[int, str]]:
    """Line and module of every import, also of those inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


class _Alone:
    """A process in which segcompile cannot be imported. One for all cases, since frameworks take long to import."""

    def __init__(self, bench: Bench) -> None:
        self.log = bench.place / "alone.txt"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "segcompile.testing.alone", str(bench.backend.runner)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, env=environment, cwd=bench.place, text=True, bufsize=1,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        weakref.finalize(self, _ended, self.process)

    def fault(self, folder: Path, case: Case) -> str | None:
        """What goes wrong in a folder; None if nothing does. Raises Mismatch where the process has ended."""
        shapes = [(1, shape.channels, *shape.size) for shape in case.request.graph.inputs.values()]
        job = {"folder": str(folder), "class_name": case.request.class_name, "inputs": shapes}
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(job) + "\n")
        answer = next((line for line in self.process.stdout if line.startswith(ANSWER)), None)
        if answer is None:
            raise Mismatch(f"nothing runs alone: {_last_line(self.log.read_text())}")
        found: str | None = json.loads(answer.removeprefix(ANSWER))
        return found


def _ended(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def lint(bench: Bench, case: Case) -> None:
    """ruff finds nothing."""
    command = ["ruff", "check", "--isolated", "--no-cache", "--line-length", "120", "--select", RULES]
    _tool(bench, case, [*command, "--output-format", "concise", "."])


def types(bench: Bench, case: Case) -> None:
    """mypy finds nothing, strictly; whether a framework's functions have types is not the folder's doing."""
    cache = str(bench.place / "mypy")
    _tool(
        bench,
        case,
        ["mypy", "--strict", "--allow-untyped-calls", "--config-file", os.devnull, "--cache-dir", cache, "."],
    )


def _tool(bench: Bench, case: Case, command: list[str]) -> None:
    folder = bench.built(case.request)
    if not any(folder.rglob("*.py")):
        raise Unasked("it holds no Python")
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MYPYPATH")}
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise Mismatch((done.stdout or done.stderr).strip().partition("\n")[0])


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
