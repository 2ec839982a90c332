"""What is found inside a bundled spec points at the user's own line that brought it in; texts: tests/data/invalid."""

from __future__ import annotations

from pathlib import Path

import pytest

from segcompile.backend import Backend, load_backend
from segcompile.build import build_each
from segcompile.compiler import compile_spec
from segcompile.library import bundled, own_file_first
from segcompile.text.errors import CODES, Diagnostic, Findings, Label, SegcompileError, SourceText, Span
from segcompile.text.report import render_text

LAYERS = "layers:\n  - stem: {conv: 21, kernel: 3, pad: same}\n"


def spans(path: Path) -> set[tuple[str, int]]:
    """(file, line) of each error of a spec."""
    findings = Findings()
    try:
        compile_spec(path, findings)
    except SegcompileError as error:
        findings.absorb(error)
    return {
        (found.span.source.name, found.span.line) for found in findings.diagnostics if found.is_error and found.span
    }


def write(path: Path, text: str) -> Path:
    path.write_text(f"segcompile: 1\nmodel: net\n{text}")
    return path


def test_of_a_base_of_ones_own_that_derives_from_a_bundled_spec_the_nearer_line_is_shown(tmp_path: Path) -> None:
    write(tmp_path / "mine.yaml", "base: vgg16.yaml\ndefaults: {conv: {pad: 0}}\n")
    assert spans(write(tmp_path / "net.yaml", "about: of mine\nbase: mine.yaml\n")) == {
        (str(tmp_path / "mine.yaml"), 3)
    }


def test_of_a_bundled_spec_used_in_a_spec_used_the_nearer_line_is_shown(tmp_path: Path) -> None:
    used = "input: {channels: 3, size: 8}\n" + LAYERS + "  - context: {use: dilated_frontend.yaml}\n"
    write(tmp_path / "mine.yaml", used)
    net = write(tmp_path / "net.yaml", "input: {channels: 3, size: 8}\nlayers:\n  - a: {use: mine.yaml}\n")
    assert spans(net) == {(str(tmp_path / "mine.yaml"), 6)}


def test_a_mistake_in_a_base_of_ones_own_is_shown_where_it_is_to_be_mended(tmp_path: Path) -> None:
    write(tmp_path / "mine.yaml", "input: {channels: 3, size: 8}\nlayers:\n  - a: {conv: 8, kernel: 9}\n")
    assert spans(write(tmp_path / "net.yaml", "base: mine.yaml\n")) == {(str(tmp_path / "mine.yaml"), 5)}


def test_a_value_of_the_command_line_is_shown_there() -> None:
    with pytest.raises(SegcompileError) as caught:
        compile_spec(bundled()["fcn32s"], Findings(), overrides={"K": 0})
    (found,) = caught.value.diagnostics  # not one for each layer that reads it
    assert str(found.span) == "--set:1:1"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("base: unet.yaml\nparams: {W: 0}\n", 4),  # read as a block's argument
        ("input: {channels: 3, size: 500}\nlayers:\n  - a: {use: fcn32s, K: 0}\n", 5),
        ("params: {N: 0}\ninput: {channels: 3, size: 500}\nlayers:\n  - a: {use: fcn32s, K: N}\n", 3),
    ],
)
def test_a_value_that_a_bundled_spec_cannot_take_is_shown_once_and_where_it_is_written(
    tmp_path: Path, text: str, line: int
) -> None:
    net = write(tmp_path / "net.yaml", text)
    with pytest.raises(SegcompileError) as caught:
        compile_spec(net, Findings())
    (found,) = caught.value.diagnostics
    assert found.code.code == "SC105" and found.span and (found.span.source.name, found.span.line) == (str(net), line)


def told(path: Path, **overrides: int) -> str:
    """The first thing that is said of a spec."""
    findings = Findings()
    try:
        compile_spec(path, findings, overrides=overrides, name=path.name)
    except SegcompileError as error:
        findings.absorb(error)
    return render_text(findings.diagnostics[:1])


FUSED = Path(__file__).parents[1] / "data" / "invalid" / "parts" / "fused.yaml"


def test_a_value_of_the_command_line_is_named_where_the_graph_does_not_fit() -> None:
    """Channels come from the nearest layers that set them, sizes from every layer before, and from the image."""
    given = "  ::: --set:1:1\n 1 | {}\n   | - given here\n"
    channels, size, both = told(FUSED, K=5), told(FUSED, S=1, K=5), told(FUSED, F=40, K=8)
    assert "SC301" in channels and given.format("K=5") in channels
    assert "SC303" in size and given.format("S=1") in size and "K=5" not in size
    assert "SC303" in both and given.format("F=40") in both and "K=8" not in both


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("base: fcn32s\nparams: {K: 5}\nclaims: {score: {size: 4}}\n", 4),  # its claim of parameters
        ("input: {channels: 3, size: 500}\nlayers:\n  - a: {use: fcn32s, K: 5}\n", 5),
    ],
)
def test_a_number_that_a_value_makes_untrue_in_a_bundled_spec_is_shown_where_the_value_is_written(
    tmp_path: Path, text: str, line: int
) -> None:
    assert (str(tmp_path / "net.yaml"), line) in spans(write(tmp_path / "net.yaml", text))


def test_a_loop_variable_hides_a_parameter_of_its_name(tmp_path: Path) -> None:
    write(
        tmp_path / "mine.yaml",
        "params: {K: 1}\ninput: {channels: 3, size: 8}\nlayers:\n  - for: {K: [0]}\n    layers: [{conv: K}]\n",
    )
    with pytest.raises(SegcompileError) as caught:
        compile_spec(write(tmp_path / "net.yaml", "base: mine.yaml\nparams: {K: 3}\n"), Findings())
    assert {label.text for label in caught.value.diagnostics[0].places} == {"in the base named here"}


def test_what_a_backend_cannot_emit_of_a_bundled_base_is_shown_there_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = write(tmp_path / "net.yaml", "base: vgg16.yaml\n")
    torch = load_backend("torch")
    refusing = Backend(torch.name, torch.summary, torch.api_version, frozenset(), torch.refuses, torch.emit)
    monkeypatch.setattr("segcompile.build.load_backend", lambda name: refusing)
    (build,) = build_each(str(net), ["torch"])
    found = build.findings.diagnostics[0]
    assert found.code.code == "SC604" and found.span is not None
    assert (found.span.source.name, found.span.line) == (str(net), 3)
    assert found.labels[0].text == "here" and found.labels[0].span.source.name == str(bundled()["vgg16"])


def test_labels_that_bring_in_no_file_do_not_lead_away() -> None:
    inside, own = SourceText("/specs/b.yaml", ("a",)), SourceText("net.yaml", ("b",))
    at, other = Span(inside, 1, 1, 1), Span(own, 1, 1, 1)
    found = Diagnostic(CODES["SC302"], "m", at, (Label(other, "its input"),))
    assert own_file_first(found, frozenset({"/specs/b.yaml"})) is found
