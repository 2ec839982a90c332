"""What the ONNX backend writes of a spec, and what `import` makes of that: by `diff` the network that the spec is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from segcompile_onnx.initial import initial
from segcompile_onnx.model import emit

from segcompile.backend import BuildRequest
from segcompile.build import request_for
from segcompile.cli import cli
from segcompile.compiler import Compiled, compile_spec, compile_variant
from segcompile.diff.inference import settled, untrained
from segcompile.diff.pairing import isomorphism
from segcompile.index import networks
from segcompile.network.graph import Graph
from segcompile.testing.cases import HEAD, ops
from segcompile.text.errors import Findings, SegcompileError
from segcompile.weights.parameters import tensors

SAID = "compared at inference: a network's file says nothing of initial weights, freezing and dropout"
IN_SHORT = ("blue_marble", "esrgan_slim@x4", "ppocr_det", "segformer@b0")
TOKENS = "lists of tokens are not read from files"
NOT_READ: Mapping[str, str] = {  # spec -> what of its file `import` has no form for
    "ccnet": "attention along rows and columns is not known again where it is written out",
    "danet": "products of two maps are read as attention alone",
    "dinov2_dpt": TOKENS,
    "dinov2_linear": TOKENS,
    "enet": "the places of maxima are not read from files",
    "eomt": TOKENS,
    "ocrnet": "products of two maps are read as attention alone",
    "segnet": "the places of maxima are not read from files",
    "swin_t": "attention in windows is not known again where it is written out",
    "swin_t_upernet": "attention in windows is not known again where it is written out",
    "vit_b16": TOKENS,
}
OTHERS: Mapping[str, str] = {  # one layer -> why its file is read as another network
    "deconv: 3, kernel: 2, dilation: [3, 2], output_pad: [2, 0]": "runtimes refuse it, and it is written in parts",
    "the same norm": "that two norms are one is not told from two that are equal",
    "the same group norm": "that two norms are one is not told from two that are equal",
    "the same prelu": "that two slopes are one is not told from two that are equal",
    "a batch norm of a map and of a vector": "that two norms are one is not told from two that are equal",
    "a head for two maps": "that two slopes are one is not told from two that are equal",
    "a head for two maps, dilated for one": "that two slopes are one is not told from two that are equal",
}
LARGE = ("eomt@l", "fcn32s_nyud_color_hha")  # files of more than a GB, of which a test would hold several
ALL = {f"{name}@{variant}" if variant else name: (path, variant) for name, path, variant in networks()}


def each() -> list[Any]:
    """All bundled networks."""
    long = pytest.mark.long
    return [pytest.param(name, id=name, marks=() if name in IN_SHORT else long) for name in ALL if name not in LARGE]


class Weights(dict[str, Any]):
    """Tensor -> the bytes of the values that it starts from; of large ones, which take long to draw, of one number."""

    def __getitem__(self, name: str) -> bytes:
        tensor = super().__getitem__(name)
        large = tensor.parameter.count > 20_000
        values = np.full(tensor.parameter.shape, 0.5, np.float32) if large else initial(tensor)
        return bytes(values.tobytes())


def exported(spec: str, folder: Path) -> str:
    """The path of its file."""
    path, variant = ALL[spec]
    compiled = compile_spec(path, Findings(), variant=variant)
    weights = Weights({tensor.name: tensor for tensor in tensors(compiled.graph, compiled.facts)})
    content = emit(replace(request_for(compiled, path), weights=weights)).files["model.onnx"]
    assert isinstance(content, bytes)
    (folder / "model.onnx").write_bytes(content)
    return str(folder / "model.onnx")


def at_inference(compiled: Compiled | BuildRequest) -> Graph:
    return settled(untrained(compiled.graph), compiled.facts)


def test_the_file_of_one_layer_is_that_layer_or_refused(tmp_path: Path) -> None:
    """Of all ops, with the corners of their attributes."""
    file, found, refused = tmp_path / "model.onnx", dict[str, bool](), 0
    for case in ops():
        content = emit(case.request).files["model.onnx"]
        assert isinstance(content, bytes)
        file.write_bytes(content)
        try:
            read = compile_variant(str(file))
        except SegcompileError as error:
            assert {each.code.code for each in error.diagnostics} <= {"SC902", "SC903"}
            refused += 1
        else:
            if read.graph.inputs.keys() == case.graph.inputs.keys() or len(read.graph.inputs) > 1:
                found[case.name] = isomorphism(at_inference(read), at_inference(case.request)) is not None
    assert {name for name, alike in found.items() if not alike} == {*OTHERS}
    assert sum(found.values()) >= 210 and refused < 120


PAIRS = {  # what does the same on an image of 9 x 11, and what does not
    "{crop: small, from: input, offset: 0}": "{crop: small, from: input, offset: [1, 0]}",
    "{resize: {size: [18, 22]}}": "{resize: {size: [18, 23]}}",
    "{resize: 2}": "{resize: 2, mode: nearest}",
    "{resize: 1/2}": "{resize: {size: [4, 5]}}",  # 4.5 and 5.5 pixels
    "{resize: {size: [7, 8]}, mode: nearest}": "{resize: {size: [7, 8]}, mode: nearest_exact}",
    "{resize: 3, align_corners: yes}": "{resize: 3}",
    "{add: [input, input]}": "{add: [input, input], weights: [1, 0.5]}",
    "{mul: [input, input, input]}": "{mul: [input, input]}",
    "{pool: max, kernel: 2, round: ceil}": "{pool: max, kernel: 2}",
    "{pool: avg, kernel: 3, pad: 1}": "{pool: avg, kernel: 3, pad: 1, count_pad: no}",
    "{pool: avg, bins: 3}": "{pool: avg, kernel: 3, stride: 3}",  # 9 pixels, and 11
    "{norm: {group: 2}}": "{norm: {group: 4}}",
    "{attention: 2}": "{attention: 4}",
    "{conv: 4, kernel: 3, pad: 1}": "{conv: 4, kernel: 3, pad: 1, mode: edge}",
}


@pytest.mark.parametrize(("one", "other"), PAIRS.items())
def test_what_differs_at_inference_is_no_one_graph(one: str, other: str, tmp_path: Path) -> None:
    for name, layer in (("one", one), ("other", other)):
        small = "  - small: {conv: 4, kernel: 3}\n" if "small" in layer else ""
        text = HEAD.format(input="{channels: 4, size: [9, 11]}", layers=f"{small}  - layer: {layer}")
        (tmp_path / f"{name}.yaml").write_text(text)
    files = [str(tmp_path / f"{name}.yaml") for name in ("one", "other")]
    assert run("diff", "--inference", files[0], files[0])[0] == 0
    assert run("diff", "--inference", *files)[0] == 1


def run(*arguments: str) -> tuple[int, str]:
    """Exit status and output."""
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert result.exception is None, result.exception
    return result.return_value, result.output


@pytest.mark.parametrize("spec", each())
def test_a_file_of_ours_is_the_network_that_it_was_made_of(spec: str, tmp_path: Path) -> None:
    file = exported(spec, tmp_path)
    status, told = run("diff", file, spec)
    if spec.partition("@")[0] in NOT_READ:
        assert (status, "SC902" in told) == (1, True)
        return
    verdict, said, *_ = told.splitlines()
    assert (status, verdict.partition(":")[0] in ("equal", "renamed"), said) == (0, True, SAID), told
    assert run("diff", spec, file)[0] == 0
    assert run("import", file, "-o", str(tmp_path / "net.yaml"))[0] == 0
    status, told = run("diff", "--inference", str(tmp_path / "net.yaml"), spec)
    assert (status, told.splitlines()[1:2]) == (0, [SAID]), told
