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

from segcompile.build import request_for
from segcompile.cli import cli
from segcompile.compiler import compile_spec
from segcompile.index import networks
from segcompile.text.errors import Findings
from segcompile.weights.parameters import tensors

SAID = "compared at inference: a network's file says nothing of initial weights, freezing and dropout"
IN_SHORT = ("blue_marble", "esrgan_slim@x4", "mobilenetv2", "ppocr_det", "segformer@b0")
TOKENS = "lists of tokens are not read from files"
NOT_READ: Mapping[str, str] = {  # spec -> what of its file `import` has no form for
    "ccnet": "attention along rows and columns is not known again where it is written out",
    "danet": "products of two maps are read as attention alone",
    "dinov2_dpt": TOKENS,
    "dinov2_linear": TOKENS,
    "enet": "the places of maxima are not read from files",
    "eomt": TOKENS,
    "icnet": "bins that do not divide the map are written one by one",
    "ocrnet": "products of two maps are read as attention alone",
    "segnet": "the places of maxima are not read from files",
    "swin_t": "attention in windows is not known again where it is written out",
    "swin_t_upernet": "attention in windows is not known again where it is written out",
    "upernet": "bins that do not divide the map are written one by one",
    "vit_b16": TOKENS,
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
