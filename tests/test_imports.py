"""The layering of the house: which room must never import which. Read from the sources; nothing is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from segcompile.network.graph import find_cycles

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Rule:
    """Files that match `files` (and not `but`) never import `never`, at the top or inside a function."""

    files: str
    never: tuple[str, ...]
    why: str
    but: tuple[str, ...] = ()


FRAMEWORKS = ("torch*", "jax*", "flax", "onnxruntime")
ROOMS = (
    "text",
    "ops",
    "network",
    "language",
    "passes",
    "facts",
    "checks",
    "show",
    "emit",
    "backend",
    "notebook",
    "diff",
)


def rooms_but(*rooms: str) -> tuple[str, ...]:
    """The packages of all other rooms."""
    return tuple(f"segcompile.{room}" for room in ROOMS if room not in rooms)


TORCH_FILES = (  # inside their functions, where a user's file is one of PyTorch's, or a user's network
    "segcompile/weights/torch_file.py",
    "segcompile/importers/torch_export.py",
)
NUMERIC = (
    "segcompile/facts/coverage*",
    "segcompile/checks/gridding.py",
    "segcompile/testing/*",
    "segcompile/weights/*",
    "segcompile/importers/*",
    "segcompile/prove/*",
)
LAST = (
    "segcompile.cli",
    "segcompile.build",
    "segcompile.fix",
    "segcompile.compiler",
    "segcompile.testing",
    "segcompile.weights",
    "segcompile.prove",
)
SHOWN = (*LAST, "segcompile.show", "segcompile.notebook", "segcompile.diff")
COMMANDS = tuple(
    f"segcompile.cli.{path.stem}"
    for path in sorted((ROOT / "segcompile/cli").glob("*.py"))
    if path.stem not in ("__init__", "options", "outcome")
)
EMITTED = (*SHOWN, "segcompile.emit", "segcompile.backend")
EMITTED_ALONE = ("segcompile.emit", "segcompile.backend", "segcompile.build", "segcompile.language")
UNSHOWN = tuple(f"segcompile.{room}" for room in ("build", "testing", "weights", "passes", "emit", "backend"))
WRITTEN = ("segcompile.language", "segcompile.text.source")
WITHOUT_TEXT = (
    "segcompile/facts/*",
    "segcompile/checks/*",
    "segcompile/passes/*",
    "segcompile/network/*",
    "segcompile/emit/*",
    "segcompile/backend.py",
    "backends/*",
)
BROUGHT_IN = tuple(
    f"segcompile.{room}" for room in ("language", "passes", "checks", "show", "emit", "backend", "build")
)
RULES = (
    Rule("segcompile/*", FRAMEWORKS, "the core knows no framework", but=TORCH_FILES),
    Rule("segcompile/*", ("segcompile_*",), "backends are found by entry point"),
    Rule("segcompile/*", ("numpy",), "a light core", but=NUMERIC),
    Rule("*", ("matplotlib",), "pictures are drawn in one file", but=("segcompile/show/plot.py",)),
    Rule("*", ("ruamel", "yaml"), "YAML is read in one file", but=("segcompile/text/source.py",)),
    Rule("*", ("networkx",), "graph algorithms are called in one file", but=("segcompile/network/graph.py",)),
    Rule("*", ("click",), "the command line is one room", but=("segcompile/cli/*",)),
    Rule("segcompile/*", ("jinja2",), "templates are printed in one room", but=("segcompile/emit*",)),
    Rule("segcompile/text/*", (*rooms_but("text"), *LAST), "it comes first"),
    Rule("segcompile/ops/*", (*rooms_but("ops", "text"), *LAST), "an op knows no network"),
    Rule("segcompile/network/*", (*rooms_but("network", "ops", "text"), *LAST), "a network is the currency"),
    Rule("segcompile/facts/*", (*EMITTED, "segcompile.passes", "segcompile.checks"), "a fact only looks"),
    Rule("segcompile/checks/*", (*EMITTED, "segcompile.passes"), "a check only looks"),
    *(Rule(files, WRITTEN, "it reads no text") for files in WITHOUT_TEXT),
    Rule(
        "segcompile/prove/*", ("segcompile.compiler", "segcompile.show", *EMITTED_ALONE), "a proof knows graphs alone"
    ),
    Rule("segcompile/weights/*", ("segcompile.emit", "segcompile.backend"), "names are the graph's"),
    Rule("segcompile/importers/*", BROUGHT_IN, "what comes in is a graph alone"),
    Rule("segcompile/passes/*", (*EMITTED, "segcompile.checks", "segcompile.language"), "a pass knows no target"),
    Rule("segcompile/language/*", (*EMITTED, "segcompile.checks", "segcompile.facts"), "what is read has no sizes yet"),
    Rule(
        "*",
        ("segcompile.cli",),
        "the command line is the last room",
        but=("segcompile/__main__.py", "segcompile/cli/*"),
    ),
    Rule("segcompile/cli/*", COMMANDS, "a command knows no other"),
    Rule("segcompile/show/*", UNSHOWN, "what is shown was found before"),
    Rule("segcompile/build.py", ("segcompile.show", "segcompile.notebook", "segcompile.diff"), "a build tells nothing"),
    Rule("backends/*", ("segcompile_*",), "a backend stands alone"),
    Rule("backends/*", FRAMEWORKS, "emission needs no framework", but=("backends/*/runner.py",)),
    Rule("backends/*", ("onnx",), "the format's library is the onnx backend's", but=("backends/onnx/*",)),
    Rule("segcompile/*", ("hypothesis", "pytest"), "tests are made of them", but=("segcompile/testing/*",)),
    Rule(
        "*",
        ("segcompile.testing",),
        "the kit is for tests",
        but=("segcompile/testing/*", "segcompile/cli/*", "backends/*/runner.py"),
    ),
    Rule("generated/*", ("segcompile", "segcompile_*"), "generated code is standalone"),
    Rule("generated/*/torch/*", ("jax*", "flax", "optax", "orbax"), "one framework a folder"),
    Rule("generated/*/jax/*", ("torch*",), "one framework a folder"),
)


def violations(sources: Mapping[str, str], rules: tuple[Rule, ...] = RULES) -> list[str]:
    """`path:line: module: why` for every import in `sources` (path -> Python text) that a rule forbids, and every
    `__init__.py` that would make a package called `backends`."""
    found = [f"{path}: a package here can shadow the framework" for path in sources if _shadows(path)]
    for path, text in sources.items():
        for line, module in _imports(path, text):
            found += [f"{path}:{line}: {module}: {rule.why}" for rule in rules if _forbids(rule, path, module)]
    return found


def _shadows(path: str) -> bool:
    return re.fullmatch(r"backends/([^/]+/)?__init__\.py", path) is not None


def _forbids(rule: Rule, path: str, module: str) -> bool:
    parts = path.split("/")
    if parts[0] == "backends" and module.partition(".")[0] == f"segcompile_{parts[1]}":
        return False  # its own package
    if not fnmatch(path, rule.files) or any(fnmatch(path, place) for place in rule.but):
        return False
    return any(fnmatch(module, never) or fnmatch(module, f"{never}.*") for never in rule.never)


def _imports(path: str, text: str) -> Iterator[tuple[int, str]]:
    """(line, absolute name) of all that a file imports, also by `__import__` and `import_module`."""
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.removesuffix(".py").split("/")[: -node.level] if node.level else []
            module = ".".join([*package, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{name.name}") for name in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("__import__", "import_module"):
                yield node.lineno, str(node.args[0].value)


def test_the_house_keeps_its_rules() -> None:
    files = [path for room in ("segcompile", "backends", "generated") for path in (ROOT / room).rglob("*.py")]
    sources = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(files)}
    assert len(sources) > 20
    assert violations(sources) == []


def test_no_import_goes_round_in_a_circle() -> None:
    """Also not inside a function, nor for a type alone."""
    files = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "segcompile").rglob("*.py")}
    modules = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in files}
    edges = [
        (modules[module], modules[found])
        for module, path in modules.items()
        for _, name in _imports(path, files[path])
        if (found := next((part for part in (name, name.rpartition(".")[0]) if part in modules), None)) is not None
        and found not in ("segcompile", module)
    ]
    assert len(edges) > 200
    assert [cycle.path for cycle in find_cycles(edges)] == []


PLANTED = [
    ("segcompile/emit/x.py", "import torch", "torch: the core knows no framework"),
    ("segcompile/x.py", "import torch.nn as nn", "torch.nn: the core knows no framework"),
    ("segcompile/x.py", "def f():\n    from jax import numpy", "jax.numpy: the core knows no framework"),
    ("segcompile/x.py", "__import__('torchvision')", "torchvision: the core knows no framework"),
    ("segcompile/x.py", "import segcompile_torch.rules", "segcompile_torch.rules: backends are found by entry point"),
    ("segcompile/x.py", "import_module('segcompile_torch')", "segcompile_torch: backends are found by entry point"),
    ("segcompile/ops/x.py", "import numpy as np", "numpy: a light core"),
    ("segcompile/x.py", "from numpy import array", "numpy.array: a light core"),
    ("segcompile/facts/shapes.py", "import numpy", "numpy: a light core"),
    ("segcompile/x.py", "from matplotlib import pyplot", "matplotlib.pyplot: pictures are drawn in one file"),
    ("segcompile/language/x.py", "from ruamel.yaml import YAML", "ruamel.yaml.YAML: YAML is read in one file"),
    ("backends/torch/segcompile_torch/x.py", "import yaml", "yaml: YAML is read in one file"),
    ("segcompile/passes/x.py", "import networkx", "networkx: graph algorithms are called in one file"),
    ("segcompile/compiler.py", "import click", "click: the command line is one room"),
    ("segcompile/writer.py", "import jinja2", "jinja2: templates are printed in one room"),
    ("segcompile/text/errors.py", "from segcompile.ops import Op", "segcompile.ops.Op: it comes first"),
    ("segcompile/ops/x.py", "import segcompile.network.graph", "segcompile.network.graph: an op knows no network"),
    ("segcompile/ops/x.py", "from ..language import table", "segcompile.language.table: an op knows no network"),
    ("segcompile/network/x.py", "from segcompile import passes", "segcompile.passes: a network is the currency"),
    ("segcompile/facts/x.py", "import segcompile.passes.y", "segcompile.passes.y: a fact only looks"),
    ("segcompile/facts/x.py", "from segcompile import emit", "segcompile.emit: a fact only looks"),
    ("segcompile/facts/x.py", "from .. import backend", "segcompile.backend: a fact only looks"),
    ("segcompile/checks/x.py", "import segcompile.notebook", "segcompile.notebook: a check only looks"),
    ("segcompile/checks/x.py", "from segcompile.language import words", "segcompile.language.words: it reads no text"),
    ("segcompile/checks/x.py", "import segcompile.text.source", "segcompile.text.source: it reads no text"),
    ("segcompile/facts/x.py", "import segcompile.text.source", "segcompile.text.source: it reads no text"),
    ("segcompile/passes/x.py", "from segcompile.text import source", "segcompile.text.source: it reads no text"),
    ("segcompile/network/x.py", "import segcompile.text.source", "segcompile.text.source: it reads no text"),
    ("segcompile/emit/x.py", "import segcompile.language", "segcompile.language: it reads no text"),
    ("segcompile/backend.py", "import segcompile.language", "segcompile.language: it reads no text"),
    ("backends/jax/segcompile_jax/x.py", "import segcompile.language", "segcompile.language: it reads no text"),
    ("segcompile/language/x.py", "import segcompile.facts", "segcompile.facts: what is read has no sizes yet"),
    ("segcompile/weights/x.py", "from segcompile.emit import Rules", "segcompile.emit.Rules: names are the graph's"),
    ("segcompile/prove/x.py", "import segcompile.emit", "segcompile.emit: a proof knows graphs alone"),
    ("segcompile/importers/x.py", "import segcompile.passes", "segcompile.passes: what comes in is a graph alone"),
    ("segcompile/show/text.py", "import numpy", "numpy: a light core"),
    ("segcompile/show/text.py", "import matplotlib", "matplotlib: pictures are drawn in one file"),
    ("segcompile/passes/x.py", "import segcompile.emit", "segcompile.emit: a pass knows no target"),
    ("segcompile/x.py", "from segcompile.cli import main", "segcompile.cli.main: the command line is the last room"),
    ("segcompile/x.py", "from .cli import main", "segcompile.cli.main: the command line is the last room"),
    ("segcompile/cli/x.py", "import segcompile.cli.rf", "segcompile.cli.rf: a command knows no other"),
    ("segcompile/show/x.py", "import segcompile.emit", "segcompile.emit: what is shown was found before"),
    ("segcompile/build.py", "import segcompile.show.diff", "segcompile.show.diff: a build tells nothing"),
    ("backends/jax/segcompile_jax/x.py", "import segcompile.cli", "segcompile.cli: the command line is the last room"),
    ("backends/jax/segcompile_jax/x.py", "import segcompile_torch", "segcompile_torch: a backend stands alone"),
    ("backends/torch/segcompile_torch/x.py", "import torch", "torch: emission needs no framework"),
    ("backends/onnx/segcompile_onnx/x.py", "import onnxruntime", "onnxruntime: emission needs no framework"),
    ("backends/jax/segcompile_jax/x.py", "import onnx", "onnx: the format's library is the onnx backend's"),
    ("segcompile/x.py", "import hypothesis", "hypothesis: tests are made of them"),
    ("segcompile/build.py", "import segcompile.testing.runner", "segcompile.testing.runner: the kit is for tests"),
    ("generated/unet/torch/model.py", "import segcompile", "segcompile: generated code is standalone"),
    ("generated/unet/torch/model.py", "import segcompile_torch", "segcompile_torch: generated code is standalone"),
    ("generated/unet/torch/train.py", "import jax", "jax: one framework a folder"),
    ("generated/unet/jax/train.py", "import torch", "torch: one framework a folder"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "text", "violation"), PLANTED, ids=[f"{row[0]}: {row[1]}" for row in PLANTED])
def test_a_planted_violation_is_found(path: str, text: str, violation: str) -> None:
    line = text.count("\n") + 1
    assert violations({path: text}) == [f"{path}:{line}: {violation}"]


def test_every_rule_catches_one_of_the_planted_violations() -> None:
    for rule in RULES:
        assert any(violations({path: text}, (rule,)) for path, text, _ in PLANTED), rule


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("segcompile/text/source.py", "from ruamel.yaml import YAML"),
        ("segcompile/network/graph.py", "import networkx"),
        ("segcompile/cli/__init__.py", "import click"),
        ("segcompile/__main__.py", "from segcompile.cli import main"),
        ("segcompile/emit/templates.py", "import jinja2"),
        ("segcompile/facts/coverage/path_counts.py", "import numpy"),
        ("segcompile/show/plot.py", "import matplotlib"),
        ("segcompile/weights/torch_file.py", "import torch"),
        ("segcompile/importers/torch_export.py", "import torch"),
        ("segcompile/weights/stored.py", "import numpy"),
        ("segcompile/prove/ring.py", "import numpy"),
        ("segcompile/importers/views.py", "import numpy"),
        ("segcompile/testing/kit.py", "import hypothesis, numpy, pytest"),
        ("segcompile/cli/build.py", "from segcompile.testing import verify"),
        ("segcompile/cli/build.py", "from segcompile.cli import outcome"),
        ("backends/torch/segcompile_torch/runner.py", "import torch"),
        ("backends/onnx/segcompile_onnx/model.py", "from onnx import helper"),
        ("backends/onnx/segcompile_onnx/runner.py", "import onnxruntime"),
        ("segcompile/ops/conv.py", "from segcompile.ops.base import Op\nfrom .base import Op"),
        ("segcompile/x.py", "torch = 'import torch'"),
        (
            "backends/torch/segcompile_torch/x.py",
            "import jinja2\nfrom segcompile_torch import rules\nfrom . import rules",
        ),
        ("generated/unet/torch/model.py", "import torch\nfrom torch import nn"),
        ("generated/unet/jax/model.py", "import jax.numpy as jnp"),
    ],
)
def test_what_a_room_may_do_is_not_a_violation(path: str, text: str) -> None:
    assert violations({path: text}) == []


@pytest.mark.parametrize("path", ["backends/__init__.py", "backends/torch/__init__.py"])
def test_a_package_that_would_shadow_the_framework_is_found(path: str) -> None:
    assert violations({path: ""}) == [f"{path}: a package here can shadow the framework"]
    assert violations({"backends/torch/segcompile_torch/__init__.py": ""}) == []
