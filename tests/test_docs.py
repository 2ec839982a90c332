"""The documentation is true: its specs compile, its tables are what the code says, its links lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from segcompile.build import request_for
from segcompile.compiler import compile_spec
from segcompile.language import calls, claims, derive, expander, ledger, schema
from segcompile.language.derive import variants_of
from segcompile.library import locate
from segcompile.network import data, training
from segcompile.network.training import Training
from segcompile.ops import ALL_OPS, SPELLINGS, TOLD_BY, Init, Op, Reads, kinds
from segcompile.text import source
from segcompile.text.errors import Findings, SegcompileError

ROOT = Path(__file__).resolve().parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LANGUAGE, IDIOMS = ((ROOT / f"docs/{name}.md").read_text(encoding="utf-8") for name in ("language", "idioms"))
_HIDDEN = (".venv", "build", "dist", "node_modules")
PAGES = [
    path
    for path in sorted(ROOT.rglob("*.md"))
    if not any(part in _HIDDEN or part.startswith(".") for part in path.relative_to(ROOT).parts)
]


def blocks(kind: str, page: str = LANGUAGE) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def section(title: str) -> str:
    """The text under `## title`."""
    return LANGUAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def code(text: str) -> list[str]:
    """What stands between backticks."""
    return [span.replace("\\|", "|") for span in re.findall(r"`([^`]+)`", text)]


def rows(title: str) -> list[list[str]]:
    """The cells of every table under `## title`, without the heads."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row, below in zip(cells, [*cells[1:], [""]], strict=True) if "---" not in row[0] + below[0]]


# --- specs


@pytest.mark.parametrize(
    "text", [*blocks("yaml"), *blocks("yaml", IDIOMS)], ids=lambda text: re.search(r"model: (\w+)", text)[1]
)
def test_a_spec_on_the_page_compiles_without_a_finding(text: str, tmp_path: Path) -> None:
    assert text.startswith("segcompile: 1\n"), "a part of a spec is marked ```yaml fragment"
    path = tmp_path / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    for variant in variants_of(path, locate) or (None,):
        findings = Findings()
        compiled = compile_spec(path, findings, variant=variant)
        assert findings.diagnostics == []
        assert compiled.verdicts or "claims" not in text


@pytest.mark.parametrize("text", blocks("yaml fragment"), ids=lambda text: text.split("\n")[0])
def test_a_fragment_on_the_page_is_part_of_a_spec(text: str) -> None:
    indented = "".join(f"  {line}\n" for line in text.splitlines())
    root = source.parse(f"part:\n{indented}", "fragment")
    part = root.get("part")
    if isinstance(part, source.Mapping):
        assert set(part.entries) <= set(schema.Spec.model_fields)


def test_the_first_spec_has_15_lines() -> None:
    assert len(blocks("yaml")[0].splitlines()) == 15


# --- tables


def written(value: Any) -> str:
    """A default as the page writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return written(value[0]) if value else "none"
    if isinstance(value, Init):
        said = value.value if value.std is None else value.std
        return value.scheme if said is None else f"{{{value.scheme}: {said:g}}}"
    return str(value)


ABSENT = {  # what an attribute is that the spec leaves out
    "stride": "kernel", "offset": "derived", "reduce": "none", "scale": "1/√d", "keys": "input", "values": "projected",
}  # fmt: skip


def expected(op: type[Op]) -> set[str]:
    """The attributes column of an op's row: `kernel`, `stride: 1`, `mode: zero|reflect|edge`."""
    found = {f"{name}: {ABSENT[name]}" for name in op.also_reads}
    for name, info in op.model_fields.items():
        if name not in op.beside():
            continue
        if info.is_required():
            found.add(name)
        elif op.reads(name) is Reads.WORD:
            others = [word for word in get_args(info.annotation) if word != info.default]
            found.add(f"{name}: {'|'.join([info.default, *others])}")
        elif isinstance(info.default, float):
            found.add(f"{name}: {info.default:g}".replace("e-0", "e-"))
        else:
            found.add(f"{name}: {ABSENT[name] if info.default is None else written(info.default)}")
    return found


def row_of(op: type[Op]) -> list[str]:
    words = kinds(op)
    worded = [word for word, name in op.by_word.items() if name == op.main]
    first = f"{op.spelling}: {words[0]}" if words else f"{op.spelling}: {f'{{{worded[0]}' if worded else ''}"
    found = [row for row in rows("Ops") if code(row[0])[0].startswith(first)]
    found = [row for row in found if worded or "{" not in code(row[0])[0]]
    found = [row for row in found if {*TOLD_BY[op.spelling]} & {*code(row[1])} == {op.told_by} - {None}]
    assert len(found) == 1, f"docs/language.md has {len(found)} rows for `{first}`"
    return found[0]


@pytest.mark.parametrize("op", ALL_OPS, ids=lambda op: op.__name__)
def test_the_row_of_an_op_has_its_kinds_its_attributes_and_their_defaults(op: type[Op]) -> None:
    heads, attributes, does = row_of(op)
    assert does
    assert set(code(attributes)) == expected(op)
    if kinds(op):
        assert set(code(heads)) == {f"{op.spelling}: {word}" for word in kinds(op)}
    elif op.main is not None:
        choices = get_args(op.model_fields[op.main].annotation) if op.reads(op.main) is Reads.WORD else (op.main,)
        written = [f"{{{word}: {name}}}" for word, name in op.by_word.items()]
        plain = [] if op.main in op.by_word.values() else choices
        assert {f"{op.spelling}: {choice}" for choice in (*plain, *written)} <= set(code(heads))


def test_the_table_of_ops_has_no_other_rows() -> None:
    heads = [span.partition(":")[0] for row in rows("Ops") for span in code(row[0])]
    assert set(heads) == set(SPELLINGS)
    assert len(rows("Ops")) == len(ALL_OPS)


def test_the_table_of_keys_has_every_key_of_a_spec() -> None:
    assert {span for row in rows("Keys") for span in code(row[0])} == set(schema.Spec.model_fields)


def test_the_table_of_initialisations_has_every_scheme() -> None:
    schemes = {re.sub(r"[{}]", "", span).partition(":")[0] for row in rows("Initialisation") for span in code(row[0])}
    assert schemes == set(get_args(Init.model_fields["scheme"].annotation))


def test_the_training_on_the_page_is_the_default(tmp_path: Path) -> None:
    fragment = next(text for text in blocks("yaml fragment") if text.startswith("training:"))
    keys = {match[1] for match in re.finditer(r"^  (\w+):", fragment, re.MULTILINE)}
    assert keys == set(schema.Training.model_fields) - {"stages", "input_padding", "heads"}
    path = tmp_path / "spec.yaml"
    text = re.sub(r"^training: .*\n", "", blocks("yaml")[0], flags=re.MULTILINE) + fragment
    path.write_text(text, encoding="utf-8")
    found = request_for(compile_spec(path, Findings()), path).training
    assert [ignored.label for ignored in found.ignore] == [255]  # what none written becomes, of fewer than 256 classes
    assert replace(found, ignore=()) == Training()


def test_the_limits_on_the_page_are_the_limits() -> None:
    text = " ".join(section("Limits").split())
    assert f"{source.MAX_BYTES // 1024**2} MiB and {source.MAX_VALUES:,} keys" in text
    assert f"values of at most {source.MAX_LENGTH:,} characters" in text
    assert f"a join has at most {ledger.MAX_BRANCHES:,} inputs" in text
    assert f"nested {source.MAX_DEPTH} deep" in text
    assert f"{expander.MAX_LAYERS:,} layers" in text
    assert f"edits go through at most {ledger.MAX_EDITED:,} layers" in text
    assert f"at most {claims.MAX_SIZES} sizes of the input" in text
    assert f"nest {calls.MAX_DEPTH} deep, bases {derive.MAX_BASES}." in text
    assert f"a list of losses has at most {training.MOST_LOSSES}. " in text
    assert f"at most {data.MOST_IGNORED} ignored labels and a map of at most {data.MOST_RENAMED:,} a head" in text
    assert f"at most {data.MOST_HEADS} heads with labels of their own" in text
    assert f"at most {training.MOST_STAGES} stages, each with at most {training.MOST_SELECTORS} names" in text


def test_the_tables_of_claims_have_every_claim(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    layer = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 8}\nlayers: [c: {conv: 3, kernel: 1}]\n"
    path.write_text(f"{layer}claims: {{c: {{nonsense: 1}}}}\n")
    with pytest.raises(SegcompileError) as caught:
        compile_spec(path, Findings())
    known = (caught.value.diagnostics[0].help or "").removeprefix("known: ").split(", ")
    documented = {span for row in rows("Claims") for span in code(row[0])}
    assert documented == {*known, *claims.OF_NETWORKS, "output"}


# --- the examples of CONTRIBUTING.md

TEST_IMPORTS = """\
from pathlib import Path
from segcompile.compiler import compile_spec
from segcompile.text.errors import Findings
from segcompile.text.report import render_text
"""


def example(start: str) -> str:
    """The one Python block of CONTRIBUTING.md that starts so."""
    (found,) = [text for text in blocks("python", CONTRIBUTING) if text.startswith(start)]
    return found


def edit(path: Path, *changes: tuple[str, str], end: str = "") -> None:
    """Replace the first of each old text, and add `end`."""
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, f"{path.name} has no {old!r} to change"
        text = text.replace(old, new, 1)
    path.write_text(f"{text}\n\n{end}", encoding="utf-8")


@pytest.mark.parametrize(
    ("start", "path"),
    [
        ("class SpaceToDepth", "segcompile/ops/shuffling.py"),
        ("def _space_to_depth(\n", "backends/torch/segcompile_torch/grids.py"),
        ("def _space_to_depth(\n", "backends/jax/segcompile_jax/grids.py"),
        ("def space_to_depth(x", "backends/jax/segcompile_jax/templates/model.py.jinja"),
        ("def space_to_depth(op", "segcompile/testing/reference/grids.py"),
        ("SPEC", "tests/test_space_to_depth.py"),
        ("def explicit_pads(", "segcompile/passes/explicit_pads.py"),
        ("def remove(", "segcompile/passes/edits/remove.py"),
    ],
)
def test_what_contributing_shows_of_an_op_or_a_pass_is_in_the_repository(start: str, path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    shown = [block for block in blocks("python", CONTRIBUTING) if block.startswith(start) and block in text]
    assert len(shown) == 1
    assert f"`{path}`" in CONTRIBUTING


def test_the_diagnostic_of_contributing_works_in_a_copy_of_the_repository(tmp_path: Path) -> None:
    """It is put where the page says; then the test that the page gives it passes."""
    core = tmp_path / "segcompile"
    shutil.copytree(ROOT / "segcompile", core, ignore=shutil.ignore_patterns("__pycache__"))
    edit(core / "text" / "errors.py", ('    ("SC201"', f'    {example("(")}    ("SC201"'))
    edit(core / "language/lint.py", end=example("def warn_unused_blocks"))
    call = "    warn_unused_parameters(document, findings)\n"
    both = ("import warn_unused_parameters", "import warn_unused_blocks, warn_unused_parameters")
    edit(core / "compiler.py", both, (call, call + call.replace("parameters", "blocks")))
    (tmp_path / "test_lint.py").write_text(f"{TEST_IMPORTS}\n{example('UNUSED_BLOCK')}", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "."]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert "1 passed" in run.stdout


def test_the_backend_that_contributing_shows_is_the_one_in_the_tests() -> None:
    folder = ROOT / "tests/data/third_party_backend"
    module = (folder / "segcompile_outline/__init__.py").read_text(encoding="utf-8")
    assert example("BACKEND") in module
    assert f"in {len(module.splitlines())} lines" in CONTRIBUTING
    assert blocks("toml", CONTRIBUTING)[0] in (folder / "pyproject.toml").read_text(encoding="utf-8")


def test_every_file_that_contributing_names_exists() -> None:
    made = {"segcompile/explain/SC112.md", "tests/test_lint.py"}  # by its examples
    prose = without_code(CONTRIBUTING)
    named = {path for path in code(prose) if re.fullmatch(r"[\w./]+/[\w./]*|[\w./]+\.(py|md|toml)", path)} - made
    rooms = (ROOT, ROOT / "segcompile")
    assert named
    assert [path for path in sorted(named) if not any((room / path).exists() for room in rooms)] == []


# --- links


def without_code(page: str) -> str:
    return re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    titles = re.findall(r"^#+ (.*)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"https?://|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        other = page.parent / name if name else page
        if not other.exists() or (anchor and anchor not in anchors(other.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []
