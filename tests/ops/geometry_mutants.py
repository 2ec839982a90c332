"""Mutants of the geometry: every number that a rule in `segcompile/ops` reckons with, one more or one less.

python tests/ops/geometry_mutants.py               # lists the mutants
python tests/ops/geometry_mutants.py Conv.window_on   # tries those of one function: which test kills each
"""

from __future__ import annotations

import ast
import importlib.util
import os
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

ROOT = Path(__file__).parents[2]
OPS = ROOT / "segcompile" / "ops"
ROOMS = (
    "attention",
    "base",
    "channels",
    "convolution",
    "joins",
    "linear",
    "local_attention",
    "needs",
    "pooling",
    "resampling",
    "shuffling",
    "size",
    "tokens",
)
# No geometry: texts, channels, weights, costs, and how an attribute is read.
BUT = {"__str__", "title", "summary", "reads", "parameters", "count", "is_bias", "macs", "product", "check_groups"}
BUT |= {"check_init", "_scaled", "_listed", "_apart", "_uncovered", "_no_window", "_nothing_left", "_cannot_split"}
BUT |= {"refusal", "_only", "__init__", "says", "cost"}
# Fast tests that try the geometry. The plain ones, which need no fixtures, are called without pytest, whose start takes
# a hundred times as long as what most mutants live.
PLAIN = (
    "tests/ops/test_geometry.py",
    "tests/ops/test_lists.py",
    "tests/ops/test_attended.py",
    "tests/ops/test_any_size.py",
    "tests/ops/test_answers.py",
)
OTHERS = ("tests/ops/test_sweep.py",)
MOST_SECONDS = 60  # of the processor, for one mutant: an endless loop is a kill, too


@dataclass(frozen=True)
class Mutant:
    """One expression of one function, with `change` (+1 or -1) added to it."""

    room: str
    function: str
    place: int  # of the expression among those of the function, in the order of the text
    text: str
    change: int

    def __str__(self) -> str:
        return f"{self.room}.{self.function}: {self.text} {self.change:+d} (#{self.place})"


def mutants() -> Iterator[Mutant]:
    """All of them, in the order of the text."""
    for room in ROOMS:
        for function, node in _functions(_tree(room)):
            for place, expression in enumerate(_numbers(node)):
                for change in (1, -1):
                    yield Mutant(room, function, place, ast.unparse(expression), change)


def functions() -> list[str]:
    """The functions that have mutants."""
    return list(dict.fromkeys(mutant.function for mutant in mutants()))


@cache
def _text(room: str) -> str:
    return (OPS / f"{room}.py").read_text()


def _tree(room: str) -> ast.Module:
    return ast.parse(_text(room))


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Qualified name and node of each function and method that reckons with geometry."""
    for node in tree.body:
        owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for part in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(part, ast.FunctionDef) and part.name not in BUT:
                yield owner + part.name, part


def _numbers(function: ast.FunctionDef) -> list[ast.expr]:
    """The expressions of a function that are numbers of its geometry: sums and products as a whole and their parts that
    are no terms, constants, what is compared by order, arguments of a Window, the slack of a Need, what is returned."""
    found: list[ast.expr] = []

    def add(node: ast.expr) -> None:
        for part in node.elts if isinstance(node, ast.Tuple) else [node]:
            number = isinstance(part, ast.BinOp | ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.UnaryOp)
            if (number or _is_whole(part)) and part not in found:
                found.append(part)

    for node in _walk(function):
        if _is_reckoned(node) or _is_whole(node):
            add(node)
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Lt | ast.Gt | ast.LtE | ast.GtE):
            add(node.left)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Window":
            for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                add(argument)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Need":
            add(node.args[1])
        elif isinstance(node, ast.Return) and node.value is not None and _returns_numbers(function, node.value):
            add(node.value)
    choices = _choices(function)
    found = [node for node in found if id(node) not in choices]
    terms = {id(side) for node in found if _is_sum(node) for side in (node.left, node.right)}
    return [node for node in found if id(node) not in terms]  # a term one more is its sum one more


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """What is reckoned with: no texts, no annotations, no refusals."""
    if isinstance(node, ast.JoinedStr | ast.Raise | ast.arguments):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("returns", "annotation", "decorator_list"):
            continue
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.AST):
                yield from _walk(part)


def _choices(function: ast.FunctionDef) -> set[int]:
    """The constants that choose one of the inputs: `shapes[0]`."""
    indexed = (node for node in ast.walk(function) if isinstance(node, ast.Subscript))
    return {
        id(node.slice) for node in indexed if isinstance(node.value, ast.Name) and node.value.id in ("shapes", "sizes")
    }


def _is_reckoned(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and not isinstance(node.op, ast.BitOr)


def _is_sum(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)


def _is_whole(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _returns_numbers(function: ast.FunctionDef, value: ast.expr) -> bool:
    told = ast.unparse(function.returns) if function.returns else ""
    return told in ("int", "Size", "int | None") or (told == "tuple[int, int]" and isinstance(value, ast.Tuple))


def mutated(mutant: Mutant) -> CodeType:
    """The code of the mutant's function."""
    tree = _tree(mutant.room)
    node = dict(_functions(tree))[mutant.function]
    target = _numbers(node)[mutant.place]
    changed = ast.BinOp(target, ast.Add() if mutant.change > 0 else ast.Sub(), ast.Constant(1))

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            return changed if node is target else self.generic_visit(node)

    Replace().visit(node)
    code = compile(ast.fix_missing_locations(tree), str(OPS / f"{mutant.room}.py"), "exec")
    for name in mutant.function.split("."):
        code = next(part for part in code.co_consts if isinstance(part, CodeType) and part.co_name == name)
    return code


def apply(mutant: Mutant) -> None:
    """Change the function in this process, wherever it is known already."""
    found: Any = importlib.import_module(f"segcompile.ops.{mutant.room}")
    for name in mutant.function.split("."):
        found = vars(found)[name]
    _function(found).__code__ = mutated(mutant)


def _function(found: Any) -> FunctionType:
    if isinstance(found, property):
        found = found.fget
    return getattr(found, "__wrapped__", found)  # of an lru_cache


def killer(change: Callable[[], None], plain: Sequence[Callable[[], None]]) -> str:
    """The first test that fails after a change, in a process of its own; an empty text where none does."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))  # ends this process
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        try:
            change()
            os.write(writer, (_first_failure(plain) or _first_failure_of_others()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return told if status == 0 else f"none ends within {MOST_SECONDS} s"


def plain_tests() -> list[Callable[[], None]]:
    """The tests of `PLAIN`, one call a case, in the order of the text."""
    found = []
    for path in PLAIN:
        spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, test in vars(module).items():
            if name.startswith("test_"):
                found += [partial(test, **case) for case in _cases(test)]
    return found


def _cases(test: Callable[..., None]) -> list[dict[str, Any]]:
    """The arguments that the marks of a test give it."""
    cases: list[dict[str, Any]] = [{}]
    for mark in getattr(test, "pytestmark", ()):
        names, values = mark.args
        names = [names] if isinstance(names, str) else names
        given = [dict(zip(names, value if len(names) > 1 else [value], strict=True)) for value in values]
        cases = [case | more for case in cases for more in given]
    return cases


def _first_failure(tests: Sequence[Callable[[], None]]) -> str:
    for test in tests:
        try:
            test()
        except BaseException:  # pytest's own outcome of `raises` is no Exception
            return test.func.__name__  # type: ignore[attr-defined]
    return ""


def _first_failure_of_others() -> str:
    import pytest

    class First:
        told = ""

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                self.told = self.told or report.nodeid

    first = First()
    options = ["-x", "-q", "-m", "not long", "-p", "no:cacheprovider", "-p", "no:xdist"]
    if pytest.main([*options, *OTHERS], plugins=[first]) != 0:
        return first.told or "a bundled spec, whose claims do not hold any more"
    return ""


def main(names: list[str]) -> int:
    """List the mutants, or try those of the named functions; the number of those that no test kills."""
    if not names:
        print(*mutants(), sep="\n")
        return 0
    os.chdir(ROOT)
    plain = plain_tests()
    assert killer(lambda: None, plain) == "", "the tests fail without any change"
    alive = 0
    for mutant in mutants():
        if mutant.function in names:
            told = killer(partial(apply, mutant), plain)
            alive += not told
            print(f"{'killed' if told else 'ALIVE '}  {mutant}  {told}", flush=True)
    return alive


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 99))
