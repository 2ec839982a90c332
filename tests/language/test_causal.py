"""`pad: causal`: no output sees what comes after it, sizes stay, and joins of causal paths are as they are meant."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from segcompile.cli import cli
from segcompile.compiler import compile_spec
from segcompile.facts.look_ahead import Reach, reach
from segcompile.language.write import write_spec
from segcompile.text.errors import Findings

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 2, size: SIZE}\nlayers:\n"
LAYERS = {
    "a conv": ("[48]", "  - c: {conv: 3, kernel: 4, dilation: 3, pad: causal}\n", Reach(9, 0)),
    "a stride": ("[48]", "  - c: {conv: 3, kernel: 3, stride: 2, pad: causal}\n", Reach(3, 0)),
    "a pool": ("[48]", "  - c: {pool: max, kernel: 3, stride: 1, pad: causal}\n", Reach(2, 0)),
    "up and down": (
        "[48]",
        "  - a: {conv: 3, kernel: 2, stride: 2, pad: causal}\n  - c: {deconv: 3, kernel: 4, stride: 2, pad: causal}\n",
        Reach(4, 0),
    ),
    "a residual": (
        "[48]",
        "  - a: {conv: 2, kernel: 3, pad: causal}\n  - b: {conv: 2, kernel: 3, dilation: 2, pad: causal}\n"
        "  - c: {add: [a, b, input]}\n",
        Reach(6, 0),
    ),
    "same": ("[48]", "  - c: {conv: 3, kernel: 4, dilation: 3, pad: same}\n", Reach(4, 5)),
}  # fmt: skip


def compiled(folder: Path, size: str, layers: str, findings: Findings | None = None) -> Any:
    path = folder / "net.yaml"
    path.write_text(HEAD.replace("SIZE", size) + layers)
    return compile_spec(path, findings or Findings())


@pytest.mark.parametrize("case", LAYERS)
def test_a_causal_layer_looks_back_and_never_ahead(nets: SimpleNamespace, tmp_path: Path, case: str) -> None:
    """By the analysis, and by the model: with another future, the past is what it was to the last bit."""
    size, layers, wanted = LAYERS[case]
    findings = Findings()
    found = compiled(tmp_path, size, layers, findings)
    assert {told.code.code for told in findings.diagnostics} <= {"SC407"}  # holes of a dilation
    facts = found.facts[found.graph.outputs["output"]]
    assert reach(facts.fields[0]) == wanted
    model = nets.load(nets.source_of(found.graph, found.facts)["model.py"]).Net().eval()
    stride = facts.stride[0]
    torch.manual_seed(0)
    signal = torch.randn(1, 2, 48)
    with torch.inference_mode():
        before = model(signal)
        changed = [int(t) for t in range(48) if (model(_from(signal, t)) != before)[..., : int(t / stride)].any()]
    assert bool(changed) == (wanted.ahead > 0)
    assert before.shape[-1] == facts.shape.size[0]


def _from(signal: torch.Tensor, time: int) -> torch.Tensor:
    """The signal with another future from a sample on."""
    other = signal.clone()
    other[..., time:] += 1
    return other


def test_an_axis_may_be_causal_and_the_others_not(tmp_path: Path) -> None:
    findings = Findings()
    layers = "  - a: {conv: 2, kernel: 3, pad: [causal, same]}\n  - c: {add: [a, input]}\n"
    found = compiled(tmp_path, "[16, 16]", layers, findings)
    assert found.graph.by_name["a"].op.pad == ((2, 0), (1, 1)) and not findings.diagnostics
    layers = "  - a: {conv: 2, kernel: 2, pad: [causal, same]}\n  - c: {add: [a, input]}\n"
    compiled(tmp_path, "[16, 16]", layers, findings)
    (told,) = findings.diagnostics
    assert told.message == "c joins maps that lie 1/2 input pixel apart along the width"


def test_numbers_that_pad_before_are_no_word(tmp_path: Path) -> None:
    """Only the word says that it is meant."""
    findings = Findings()
    compiled(tmp_path, "[48]", "  - a: {conv: 2, kernel: 3, pad: [[2, 0]]}\n  - c: {add: [a, input]}\n", findings)
    assert [told.code.code for told in findings.diagnostics] == ["SC311"]


def test_a_flat_spec_keeps_the_word_and_rf_tells_how_far_a_signal_looks(tmp_path: Path) -> None:
    found = compiled(tmp_path, *LAYERS["a residual"][:2])
    flat = CliRunner().invoke(cli, ["show", str(found.document.path), "--flat"]).output
    assert "{conv: 2, kernel: 3, dilation: 2, pad: causal}" in flat
    (tmp_path / "flat.yaml").write_text(flat)
    again = Findings()
    assert write_spec(compile_spec(tmp_path / "flat.yaml", again).graph) == write_spec(found.graph)
    assert not again.diagnostics
    table = CliRunner().invoke(cli, ["rf", str(found.document.path)]).output.splitlines()
    assert table[2].split()[6:10] == ["receptive", "field", "back", "ahead"]
    assert [line.split()[-4:-2] for line in table if line.startswith("b ")] == [["6", "0"]]
    data = json.loads(CliRunner().invoke(cli, ["rf", str(found.document.path), "--format", "json"]).output)
    assert [(layer["name"], layer["back"], layer["ahead"]) for layer in data["layers"]] == [
        ("a", 2, 0), ("b", 6, 0), ("c", 6, 0),
    ]  # fmt: skip


@pytest.mark.parametrize("spec", ["wavenet", "tcn"])
def test_no_layer_of_a_bundled_signal_network_looks_ahead(nets: SimpleNamespace, spec: str) -> None:
    found = compile_spec(nets.root / f"specs/{spec}.yaml", Findings())
    seen = [reach(fact.fields[0]) for fact in found.facts.values()]
    assert all(each is not None and each.ahead == 0 for each in seen)
    assert {"wavenet": 3 * 1023 + 1, "tcn": 2 * 6 * 255}[spec] == seen[-1].back
