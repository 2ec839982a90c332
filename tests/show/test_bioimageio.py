"""`segcompile certify --for bioimageio`: a description of spec 0.5, and which numbers of a given one are false."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from segcompile.cli import cli
from segcompile.text.errors import SegcompileError

SPEC = """\
segcompile: 1
model: shifted
about: Three convolutions.
input: {channels: 1, size: 64}
layers:
  - a: {conv: 2, kernel: 3, stride: 2, pad: 1}
  - b: {conv: 2, kernel: 3, pad: [2, 0, 2, 0]}
  - c: {conv: 2, kernel: 3, pad: same}
"""
RDF = """\
# shifted, described by segcompile. Sizes, scales, offsets and halos are derived from the network.
# To be filled in: authors, license, cite, documentation, test tensors; the weights are a file of yours.
# Along H tiles are exact with 6 pixels before and 6 behind, at origins that
# are multiples of 2 from where the image starts; `halo` is the larger side of both.
# Along W tiles are exact with 6 pixels before and 6 behind, at origins that
# are multiples of 2 from where the image starts; `halo` is the larger side of both.
format_version: 0.5.3
type: model
name: "shifted"
description: "Three convolutions."
inputs:
- id: "input"
  axes:
  - type: batch
  - type: channel
    channel_names: [channel0]
  - type: space
    id: y
    size: {min: 17, step: 2}
  - type: space
    id: x
    size: {min: 17, step: 2}
outputs:
- id: "output"
  axes:
  - type: batch
  - type: channel
    channel_names: [channel0, channel1]
  - type: space
    id: y
    scale: 2.0
    size: {tensor_id: "input", axis_id: y, offset: 1}
    halo: 4
  - type: space
    id: x
    scale: 2.0
    size: {tensor_id: "input", axis_id: x, offset: 1}
    halo: 4
weights:
  pytorch_state_dict:
    source: weights.pth
    pytorch_version: 2.4.0
    architecture: {callable: Shifted, source: model.py}  # of `segcompile build --backend torch`
"""


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "shifted.yaml"
    path.write_text(SPEC)
    return str(path)


def certify(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ("certify", *arguments, "--for", "bioimageio"), standalone_mode=False)
    assert result.exception is None
    return result.return_value, result.output


def test_the_description_of_a_network(spec: str) -> None:
    assert certify(spec) == (0, RDF)


def test_its_own_description_is_right(spec: str, tmp_path: Path) -> None:
    path = tmp_path / "rdf.yaml"
    path.write_text(RDF)
    status, text = certify(spec, "--judge", str(path))
    assert (status, text) == (0, f"{path}: its sizes, scales, offsets and halos are those of shifted\n")


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (
            "halo: 4\n  - type",
            "halo: 3\n  - type",
            "a halo of 3 is too small: up to 4 outputs of `output` at an",
        ),
        ("halo: 4\n  - type", "halo: 5\n  - type", "a halo of 5 throws good outputs of `output` away"),
        (
            "    halo: 4\n  - type",
            "  - type",
            "a halo of 0 is too small: up to 4 outputs of `output` at an",
        ),
        ("offset: 1}\n    halo: 4\n  - t", "offset: 0}\n    halo: 4\n  - t", "of 17 pixels `output` has 9, not 8"),
        ("scale: 2.0", "scale: 1.0", "of 17 pixels `output` has 9, not 18"),
    ],
)
def test_a_false_number_is_told_at_its_place(spec: str, tmp_path: Path, right: str, wrong: str, message: str) -> None:
    path = tmp_path / "rdf.yaml"
    path.write_text(RDF.replace(right, wrong, 1))
    assert path.read_text() != RDF
    status, text = certify(spec, "--judge", str(path))
    assert status == 1 and text.startswith(f"error[SC919 false-description]: {message}")


def test_sizes_that_are_not_taken_and_halos_where_none_helps(tmp_path: Path) -> None:
    path = tmp_path / "rdf.yaml"
    path.write_text(certify("hed")[1].replace("step: 16", "step: 8"))
    text = certify("hed", "--judge", str(path))[1]
    assert text.startswith(
        "error[SC919 false-description]: no halo makes tiles of `output` exact at all of these sizes"
    )
    path.write_text(certify("attention_unet")[1].replace("step: 16", "step: 8"))
    text = certify("attention_unet", "--judge", str(path))[1]
    assert text.startswith("error[SC919 false-description]: the network does not take H = ")


def test_any_file_gets_an_answer_or_a_diagnostic(spec: str, tmp_path: Path) -> None:
    path = tmp_path / "rdf.yaml"
    odd = (
        "inputs: 3\noutputs: [1, [2]]",
        "inputs: [{axes: [{type: space, id: y, size: {min: -1, step: x}}]}]",
        "a: {}",
    )
    for text in odd:
        path.write_text(text)
        assert certify(spec, "--judge", str(path))[0] == 0
    path.write_text("- 1")
    with pytest.raises(SegcompileError):
        CliRunner().invoke(
            cli, ("certify", spec, "--for", "bioimageio", "--judge", str(path)), standalone_mode=False,
            catch_exceptions=False,
        )  # fmt: skip


@pytest.mark.parametrize("model", ["unet", "fcn8s", "dilated_frontend", "deeplabv3plus", "hed", "wavenet", "unet3d"])
def test_the_format_s_own_library_takes_it(model: str) -> None:
    spec = pytest.importorskip("bioimageio.spec", reason="bioimageio.spec is not installed")
    from ruamel.yaml import YAML

    data = YAML(typ="safe").load(certify(model)[1])
    summary = spec.validate_format(data, context=spec.ValidationContext(perform_io_checks=False))
    assert summary.status == "valid-format", [error.msg for detail in summary.details for error in detail.errors]
