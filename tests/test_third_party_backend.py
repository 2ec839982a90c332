"""A backend of somebody else's: found by its entry point alone, checked before and after it emits."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OUTLINE = ROOT / "tests" / "data" / "third_party_backend"

# What each subprocess starts with: three small graphs, and a `show` that prints a result or the diagnostics.
PRELUDE = """
from segcompile.facts.facts import analyse
from segcompile.facts.shapes import infer_shapes
from segcompile.backend import BuildRequest, Training, installed, load_backend, run_backend
from segcompile.text.errors import Findings, SegcompileError, SourceText, Span
from segcompile.network.graph import Graph, Node, Origin, Role
from segcompile.ops import Activation, Conv, Dropout, Pool, Shape, Softmax
from segcompile.text.report import render_text

def request(*nodes):
    graph = Graph("tiny", {"input": Shape(3, (32, 32))}, nodes, {"output": nodes[-1].name}).verify()
    findings = Findings()
    facts = analyse(graph, infer_shapes(graph, findings))
    assert not findings.diagnostics
    return BuildRequest("tiny", "Tiny", "tiny.yaml", "", {}, graph, facts, Training())

CONV1 = Node("conv1", Conv(channels=8, kernel=(3, 3), pad=("same",)), ("input",), "conv1")
RELU1 = Node("conv1.act", Activation(kind="relu"), ("conv1",), "conv1", role=Role.ACT)
POOL1 = Node("pool1", Pool(kind="max", kernel=(2, 2)), ("conv1.act",), "pool1")
CONV2 = Node("conv2", Conv(channels=21, kernel=(3, 3), dilation=(2, 2)), ("pool1",), "conv2")
TINY = (CONV1, RELU1, POOL1, CONV2)

def show(step, *arguments):
    try:
        result = step(*arguments)
    except SegcompileError as error:
        print(render_text(error.diagnostics))
    else:
        print(result)
"""

# A backend that can emit everything; the tests fill in what is wrong with it.
FAKE = """
from segcompile.backend import Backend, BuildResult
from segcompile.ops import ALL_OPS

def emit(request):
    return BuildResult({emitted})

BACKEND = Backend("{name}", "", {api_version}, frozenset(ALL_OPS), lambda op: None, emit)
"""


@pytest.fixture(scope="module")
def outline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the outline backend is installed into, as `pip install` would."""
    target = tmp_path_factory.mktemp("site")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(OUTLINE)]
    subprocess.run(command, check=True, cwd=target, capture_output=True, text=True)
    return target


def run(code: str, *places: Path) -> str:
    """What Python prints for PRELUDE and `code` with `places` and this repository on its path."""
    path = os.pathsep.join(str(place) for place in (*places, ROOT))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "error", "-c", PRELUDE + code]
    result = subprocess.run(command, env=environment, cwd=places[0], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def install_fake(folder: Path, distribution: str, name: str, source: str) -> None:
    """Write what an installer would leave of a distribution that offers a backend `name` from module `source`."""
    module = distribution.replace("-", "_")
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[segcompile.backends]\n{name} = {module}:BACKEND\n")


def fake(emitted: str = '{"a.txt": "a\\n"}', name: str = "fake", api_version: int = 2) -> str:
    return FAKE.format(emitted=emitted, name=name, api_version=api_version)


# --- the real one


def test_it_is_found_by_its_entry_point(outline: Path) -> None:
    code = "print(installed()['outline'].value)\nprint(load_backend('outline').summary)"
    assert run(code, outline) == "segcompile_outline:BACKEND\nplain text, one line a layer\n"


def test_it_emits(outline: Path) -> None:
    code = "print(run_backend(load_backend('outline'), request(*TINY)).files['outline.txt'])"
    assert run(code, outline) == (
        "tiny\n"
        "conv1  conv + relu  8 x 32 x 32   rf 3x3\n"
        "pool1  max pool     8 x 16 x 16   rf 4x4\n"
        "conv2  conv         21 x 12 x 12  rf 12x12\n"
        "\n"
    )


def test_all_that_it_cannot_emit_is_named_at_once(outline: Path) -> None:
    code = """
spec = SourceText("tiny.yaml", ("- conv2: {conv: 21, act: tanh, drop: 0.5}", "- prob: {softmax: channels}"))
layer, prob = Origin(Span(spec, 1, 3, 5), {}), Origin(Span(spec, 2, 3, 4), {})
odd = (
    Node("conv2.act", Activation(kind="tanh"), ("conv2",), "conv2", layer, Role.ACT),
    Node("conv2.drop", Dropout(rate=0.5), ("conv2.act",), "conv2", layer, Role.DROP),
    Node("prob", Softmax(), ("conv2.drop",), "prob", prob),
)
show(run_backend, load_backend("outline"), request(*TINY, *odd))
"""
    assert run(code, outline) == (
        "error[SC604 unsupported-feature]: backend `outline` cannot emit conv2: no rule for act tanh\n"
        "  --> tiny.yaml:1:3\n"
        " 1 | - conv2: {conv: 21, act: tanh, drop: 0.5}\n"
        "   |   ^^^^^\n"
        "\n"
        "error[SC604 unsupported-feature]: backend `outline` cannot emit conv2: no rule for dropout\n"
        "  --> tiny.yaml:1:3\n"
        " 1 | - conv2: {conv: 21, act: tanh, drop: 0.5}\n"
        "   |   ^^^^^\n"
        "\n"
        "error[SC604 unsupported-feature]: backend `outline` cannot emit prob: no rule for softmax\n"
        "  --> tiny.yaml:2:3\n"
        " 2 | - prob: {softmax: channels}\n"
        "   |   ^^^^\n"
    )


def test_a_misspelt_name_gets_the_right_one(outline: Path) -> None:
    others = {point.name for point in entry_points(group="segcompile.backends")}  # torch, where it is installed
    known = ", ".join(sorted({"outline", *others}))
    assert run("show(load_backend, 'outlin')", outline) == (
        f"error[SC601 unknown-backend]: there is no backend `outlin`; installed: {known}\n"
        "   = help: did you mean `outline`?\n"
    )


CONFORMANCE = """
from segcompile.testing import conformance

test_conformance = conformance("outline")
"""


@pytest.mark.long  # the short tests have the same kit as a scoreboard, in tests/cli/test_cli.py
def test_it_passes_the_kit_in_five_lines_as_far_as_it_declares(outline: Path, tmp_path: Path) -> None:
    (tmp_path / "test_outline.py").write_text(CONFORMANCE)
    path = os.pathsep.join(map(str, (outline, ROOT)))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "."]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    for item in ("emission: conv: 3, kernel: 3", "refusal: softmax: channels", "same bytes: dilated_large"):
        assert f"PASSED test_outline.py::test_conformance[{item}]" in done.stdout
    assert "emission: softmax" not in done.stdout  # it is not declared
    assert "backend `outline` names no runner: what it emits is not run" in done.stdout  # and why the rest is skipped


# --- broken ones


def test_an_import_that_fails_is_reported_with_its_cause(tmp_path: Path) -> None:
    install_fake(tmp_path, "segcompile-fake", "fake", "import a_framework_that_is_not_there\n")
    assert run("show(load_backend, 'fake')", tmp_path) == (
        "error[SC602 plugin-failed]: backend `fake` (segcompile_fake:BACKEND) cannot be loaded: "
        "ModuleNotFoundError: No module named 'a_framework_that_is_not_there'\n"
        "   = help: repair or uninstall its distribution\n"
    )


def test_a_broken_backend_does_not_stand_in_the_way_of_another(outline: Path, tmp_path: Path) -> None:
    install_fake(tmp_path, "segcompile-fake", "fake", "raise RuntimeError('at import')\n")
    assert run("show(lambda: load_backend('outline').name)", tmp_path, outline) == "outline\n"


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("def\n", "SyntaxError: invalid syntax (segcompile_fake.py, line 1)"),
        ("", "AttributeError: module 'segcompile_fake' has no attribute 'BACKEND'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
    ],
)
def test_whatever_goes_wrong_in_an_import_is_the_cause(tmp_path: Path, source: str, cause: str) -> None:
    install_fake(tmp_path, "segcompile-fake", "fake", source)
    assert run("show(load_backend, 'fake')", tmp_path) == (
        f"error[SC602 plugin-failed]: backend `fake` (segcompile_fake:BACKEND) cannot be loaded: {cause}\n"
        "   = help: repair or uninstall its distribution\n"
    )


def test_an_entry_point_to_something_else_is_no_backend(tmp_path: Path) -> None:
    install_fake(tmp_path, "segcompile-fake", "fake", "BACKEND = 'torch'\n")
    assert run("show(load_backend, 'fake')", tmp_path) == (
        "error[SC602 plugin-failed]: backend `fake`: segcompile_fake:BACKEND is a str, "
        "not a segcompile.backend.Backend\n"
        "   = help: repair or uninstall its distribution\n"
    )


def test_a_backend_for_another_api_is_refused(tmp_path: Path) -> None:
    install_fake(tmp_path, "segcompile-fake", "fake", fake(api_version=1))
    assert run("show(load_backend, 'fake')", tmp_path) == (
        "error[SC603 api-version]: backend `fake` is made for API 1; this segcompile has API 2\n"
        "   = help: install matching versions of segcompile and the backend\n"
    )


def test_two_distributions_that_claim_one_name_are_refused(tmp_path: Path) -> None:
    install_fake(tmp_path, "segcompile-fake", "fake", fake())
    install_fake(tmp_path, "other-fake", "fake", fake())
    text = (
        "error[SC605 plugin-conflict]: two backends are called `fake`: other_fake:BACKEND and segcompile_fake:BACKEND\n"
        "   = help: uninstall one of the two distributions\n"
    )
    assert run("show(load_backend, 'fake')\nshow(installed)", tmp_path) == text * 2


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("../x", "x\n", "the path leaves the output folder"),
        ("/tmp/x", "x\n", "the path leaves the output folder"),
        ("a//b", "x\n", "the path leaves the output folder"),
        (".git/config", "x\n", "hidden files are the host's"),
        ("model.py", "def\n", "not Python: invalid syntax in line 1"),
        ("model.py", b"x = 1\n", "Python code is text, not bytes"),
        ("../x", b"x\n", "the path leaves the output folder"),
        ("x", 1, "its content is neither text nor bytes, but int"),
        ("model.py", "x = (\n", "not Python: '(' was never closed in line 1"),
        ("model.py", "x = 1", "the text has trailing spaces or no final newline"),
        ("model.py", "x = 1 \n", "the text has trailing spaces or no final newline"),
    ],
)
def test_output_that_no_folder_may_hold_is_refused(tmp_path: Path, path: str, text: object, problem: str) -> None:
    install_fake(tmp_path, "segcompile-fake", "fake", fake(repr({path: text})))
    assert run("show(run_backend, load_backend('fake'), request(*TINY))", tmp_path) == (
        f"error[SC606 invalid-output]: backend `fake` wrote `{path}`: {problem}\n"
    )


def test_bytes_may_be_any(tmp_path: Path) -> None:
    install_fake(tmp_path, "segcompile-fake", "fake", fake(repr({"a.bin": b"\x00 \n\xff"})))
    code = "show(lambda: run_backend(load_backend('fake'), request(*TINY)).files)"
    assert run(code, tmp_path) == "{'a.bin': b'\\x00 \\n\\xff'}\n"


def test_a_lowering_that_it_does_not_take_is_refused_and_one_that_is_none(outline: Path) -> None:
    code = """
from dataclasses import replace
from segcompile.backend import Options

for name in ("fold_batch_norm", "fold_batchnorm", "x"):
    show(run_backend, load_backend("outline"), replace(request(*TINY), options=Options((name,))))
"""
    assert run(code, outline) == (
        "error[SC604 unsupported-feature]: backend `outline` does not take the lowering `fold_batch_norm`; "
        "it takes: none\n"
        "   = help: build without it, or for another backend\n"
        "error[SC612 unknown-lowering]: there is no lowering `fold_batchnorm`\n"
        "   = help: did you mean `fold_batch_norm`?\n"
        "error[SC612 unknown-lowering]: there is no lowering `x`\n"
        "   = help: known: fold_batch_norm\n"
    )


@pytest.mark.parametrize(
    ("emitted", "path"),
    [
        ('{"a.txt": "a\\n", "b.txt": f"{next(COUNT)}\\n"}', "b.txt"),
        ('{f"a{next(COUNT)}.txt": "a\\n"}', "a0.txt"),
    ],
)
def test_output_that_differs_the_second_time_is_refused(tmp_path: Path, emitted: str, path: str) -> None:
    source = "from itertools import count\nCOUNT = count()\n" + fake(emitted)
    install_fake(tmp_path, "segcompile-fake", "fake", source)
    assert run("show(run_backend, load_backend('fake'), request(*TINY))", tmp_path) == (
        f"error[SC607 nondeterministic-output]: backend `fake` wrote `{path}` differently the second time\n"
    )
