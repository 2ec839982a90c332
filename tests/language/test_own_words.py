"""Whatever stands for whatever in a spec, what is said of it is said in our words: nothing of pydantic comes out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from segcompile.compiler import compile_spec
from segcompile.language.schema import Spec
from segcompile.language.training import _ONCE, _READERS, _SELECTORS
from segcompile.ops import ALL_OPS, Op, Reads
from segcompile.text.errors import Findings, SegcompileError
from segcompile.text.report import render_text

VALUES = (
    "-1", "0", "1.5", "1e999", ".nan", "abc", "''", "yes", "[1, 2, 3]", "[]", "{}", "{a: 1}", "{a: {b: 1}}", "010",
    "99999999999999999999", "C", "C//0", "3x3", "-0.5", "'{C}'",
)  # fmt: skip
FOREIGN = re.compile(
    r"[Ii]nput should|should (be|have|match)|greater.than|less.than|[Vv]alue error|Field required|pydantic|Extra inputs"
    r"|valid (string|list|dictionary|integer|number)|type_error|Traceback|Error:|\bNone\b|\bNoneType\b|Scalar\(",
)
HEAD = "segcompile: 1\nmodel: net\nparams: {C: 4}\ninput: {channels: 4, size: 32}\n"
NEEDED = {Reads.PAIR: "3", Reads.POSITIVE: "4", Reads.NUMBER: "0.5", Reads.PADDING: "1", Reads.WORD: "same"}


def told(path: Path, text: str) -> tuple[str, int]:
    """All that is said of a spec, and how many things."""
    path.write_text(text)
    findings = Findings()
    try:
        compile_spec(path, findings, name="net.yaml")
    except SegcompileError as error:
        findings.absorb(error)
    assert all(found.message.strip() for found in findings.diagnostics)
    said = re.sub(
        r"^ *\d* \|.*$", "", render_text(findings.diagnostics), flags=re.MULTILINE
    )  # not the spec's own lines
    return said, len(findings.diagnostics)


def bodies(op: type[Op]) -> Iterator[str]:
    """The layer with each of its attributes as each of the values."""
    carried = op.spelling in ("norm", "act")
    for name in op.model_fields:
        for value in VALUES:
            kind = op.model_fields["kind"].default if "kind" in op.model_fields else None
            if carried and name != "kind":
                yield f"{op.spelling}: {{{kind}: {{{name}: {value}}}}}"
                continue
            main = value if name == op.main else kind or ("[input, input]" if op.main is None else "4")
            needed = [
                f"{other}: {NEEDED[op.reads(other)]}"
                for other, field in op.model_fields.items()
                if field.is_required() and other not in (name, op.main)
            ]
            own = [f"{name}: {value}"] if name != op.main else []
            yield ", ".join([f"{op.spelling}: {main}", *needed, *own])


def test_of_no_value_of_any_attribute(tmp_path: Path) -> None:
    every = [body for op in ALL_OPS for body in bodies(op)]
    assert len(every) > 1000
    for start in range(0, len(every), 40):
        some = every[start : start + 40]
        layers = "".join(f"  - l{index}: {{{body}, from: input}}\n" for index, body in enumerate(some))
        said, count = told(tmp_path / "net.yaml", f"{HEAD}layers:\n{layers}")
        assert count > 5
        assert FOREIGN.findall(said) == []


def test_of_no_default(tmp_path: Path) -> None:
    for value in VALUES:
        by_op: dict[str, dict[str, str]] = {}
        for op in ALL_OPS:
            by_op.setdefault(op.spelling, {}).update({name: value for name in op.model_fields if name != op.main})
        lines = "".join(f"  {op}: {{{', '.join(f'{n}: {v}' for n, v in own.items())}}}\n" for op, own in by_op.items())
        text = f"{HEAD}defaults:\n{lines}layers:\n  - c: {{conv: 4, kernel: 3}}\n"
        assert FOREIGN.findall(told(tmp_path / "net.yaml", text)[0]) == []


def test_of_nothing_under_training(tmp_path: Path) -> None:
    layers = "layers:\n  - c: {conv: 4, kernel: 3}\n"
    for value in VALUES:
        alone = [", ".join(f"{key}: {value}" for key in (*_READERS, *_ONCE, "stages"))]
        nested = [
            f"loss: {{cross_entropy: {{ignore: {value}, reduction: {value}, keep: {value}}}}}",
            f"optimizer: {{sgd: {{momentum: {value}, weight_decay: {value}}}}}",
            f"schedule: {{step: {{every: {value}, gamma: {value}}}}}",
            f"schedule: {{poly: {{power: {value}}}}}",
            f"input_padding: {{reflect: {value}}}",
            f"stages: [first: {{{', '.join(f'{key}: {value}' for key in (*_READERS, *_SELECTORS))}}}]",
            f"stages: [first: {value}, {value}]",
        ]
        for entry in (*alone, *nested):
            assert FOREIGN.findall(told(tmp_path / "net.yaml", f"{HEAD}{layers}training: {{{entry}}}\n")[0]) == []


@pytest.mark.parametrize("key", Spec.model_fields)
def test_of_no_section(key: str, tmp_path: Path) -> None:
    start = {
        "segcompile": "1",
        "model": "net",
        "input": "{channels: 4, size: 32}",
        "layers": "[c: {conv: 4, kernel: 3}]",
    }
    for value in VALUES[::3]:
        for written in (value, f"[{value}]", f"{{a: {value}}}", f"{{a: {{b: {value}}}}}"):
            text = "".join(f"{name}: {own}\n" for name, own in (start | {key: written}).items())
            assert FOREIGN.findall(told(tmp_path / "net.yaml", text)[0]) == []
