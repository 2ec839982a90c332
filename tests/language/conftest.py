from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from segcompile.compiler import Compiled, compile_spec
from segcompile.text.errors import Diagnostic, Findings, SegcompileError
from segcompile.text.report import render_text

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 64}\n"


def complete(body: str) -> str:
    """A spec: `body`, behind a head where it has none."""
    body = textwrap.dedent(body).lstrip("\n")
    return body if body.startswith("segcompile:") else HEAD + body


class Workbench:
    """A folder of specs; `write` adds one, `compile` compiles one that holds in all, `errors` one that does not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, body: str, name: str = "net.yaml") -> Path:
        path = self.folder / name
        path.write_text(complete(body))
        return path

    def findings(self, body: str, **options: object) -> list[Diagnostic]:
        findings = Findings()
        try:
            compile_spec(self.write(body), findings, name="net.yaml", **options)  # type: ignore[arg-type]
        except SegcompileError as error:
            return list(error.diagnostics)
        return findings.diagnostics

    def compile(self, body: str, **options: object) -> Compiled:
        findings = Findings()
        try:
            compiled = compile_spec(self.write(body), findings, name="net.yaml", **options)  # type: ignore[arg-type]
        except SegcompileError as error:
            pytest.fail(render_text(error.diagnostics))
        errors = [found for found in findings.diagnostics if found.is_error]
        assert not errors, render_text(errors)
        return compiled

    def errors(self, body: str, **options: object) -> list[str]:
        """`code message` of each error."""
        found = self.findings(body, **options)
        return [f"{one.code.code} {one.message}" for one in found if one.is_error]

    def shapes(self, body: str, **options: object) -> dict[str, str]:
        """Layer -> the shape of its result, as text."""
        compiled = self.compile(body, **options)
        return {name: str(compiled.facts[nodes[-1].name].shape) for name, nodes in compiled.graph.layers.items()}

    def op(self, layer: str, **options: object) -> object:
        """The op that one layer's body says, of a layer behind conv1 with 8 channels."""
        text = f"layers:\n  - conv1: {{conv: 8, kernel: 3, pad: same}}\n  - x: {layer}\n"
        return self.compile(text, **options).graph.layers["x"][0].op


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)
