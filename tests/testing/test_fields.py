"""What an emitted model reads is found exactly, however deep it is; and what it reads wrongly is found too."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from segcompile.backend import BuildRequest, BuildResult, load_backend
from segcompile.build import request_for
from segcompile.compiler import compile_spec
from segcompile.library import bundled
from segcompile.testing import cases
from segcompile.testing.bench import Bench, Mismatch
from segcompile.testing.cases import bundled_variants
from segcompile.testing.checks.fields import compare_fields, measurable
from segcompile.testing.networks import reduced
from segcompile.testing.verify import verify
from segcompile.text.errors import Findings, SegcompileError

CASES = Path(__file__).parents[1] / "data" / "cases" / "verify"
ZOO = Path(__file__).parents[3] / "shared" / "reference" / "zoo"
HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 1, size: 64}\n"


def lines(path: Path, backend: str, variant: str | None = None) -> list[str]:
    """What `build --verify` says of a spec: something for tensors, shapes of outputs and of layers, a proof, values,
    and receptive fields."""
    compiled = compile_spec(path, Findings(), variant=variant)
    found = list(verify(load_backend(backend), request_for(compiled, path)))
    assert len(found) == 6
    return found


@pytest.mark.parametrize("name", ["bug_verify_min", "gates"])
def test_verify_accepts_correct_networks(name: str) -> None:
    assert lines(CASES / f"{name}.yaml", "torch")[-1].startswith("receptive fields of ")


def test_verify_accepts_bug_verify_min_of_jax() -> None:
    assert lines(CASES / "bug_verify_min.yaml", "jax")[-1] == "receptive fields of 2 cells, of 2 x 42 x 43"


@pytest.mark.long
def test_verify_accepts_gates_of_jax() -> None:
    """One output, whose fields are all alike: one cell tells of all."""
    assert lines(CASES / "gates.yaml", "jax")[-1] == "receptive fields of 1 cell, of 2 x 24 x 25"


@pytest.mark.parametrize("name", ["unet", "aspp", "blue_marble"])
def test_verify_accepts_papers(name: str) -> None:
    assert lines(bundled()[name], "torch")[-1].startswith("receptive fields of ")


@pytest.mark.long
@pytest.mark.parametrize("backend", ["torch", "jax"])
@pytest.mark.parametrize(
    ("path", "variant"),
    [pytest.param(path, variant, id=f"{name} {variant}") for name, path, variant in bundled_variants()],
)
def test_verify_accepts_every_bundled_spec(path: Path, variant: str | None, backend: str) -> None:
    lines(path, backend, variant)


@pytest.mark.long
@pytest.mark.parametrize("backend", ["torch", "jax"])
@pytest.mark.parametrize("name", ["unetpp", "attention_unet", "bisenet_r18"])
def test_verify_accepts_the_zoo(name: str, backend: str) -> None:
    if not ZOO.is_dir():
        pytest.skip("the zoo is not beside this checkout")
    assert lines(ZOO / f"{name}.yaml", backend)[-1].startswith("receptive fields of ")


# --- exact, and faults found -----------------------------------------------------------------------------------------


def measured(text: str, plant: Callable[[str], str] | None = None, backend: str = "torch") -> str:
    """What is wrong with the fields of a spec's model, with a fault planted in its code; "" if nothing is."""
    found = load_backend(backend)

    def emit(request: BuildRequest) -> BuildResult:
        files = dict(found.emit(request).files)
        code = plant(files["model.py"]) if plant is not None else files["model.py"]
        assert plant is None or code != files["model.py"]
        return BuildResult(files | {"model.py": code})

    request = measurable(reduced(cases.compiled(text)[1].graph))
    assert not isinstance(request, str)
    try:
        compare_fields(Bench(replace(found, emit=emit)).subject(request))
    except Mismatch as mismatch:
        return str(mismatch)
    return ""


def replaced(old: str, new: str) -> Callable[[str], str]:
    return lambda code: code.replace(old, new, 1)


EXACT = {
    "weights that cancel": "- a: {conv: 1, kernel: 3}\n  - b: {add: [a, a], weights: [1, -1]}",
    "a factor of zero": "- a: {conv: 1, kernel: 3}\n  - b: {scale: 0}\n  - c: {conv: 1, kernel: 3}",
    "a factor that a sum rounds away": "- a: {conv: 1, kernel: 5, pad: same}\n"
    "  - b: {conv: 1, kernel: 1, from: input}\n  - c: {add: [a, b], weights: [1e-30, 1]}",
    "squares of squares": '- a: {conv: 1, kernel: 3}\n  - for: {i: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}\n'
    '    layers: ["d{i}": {add: [input, input]}]'.replace("[input, input]", "[a, a]") + "\n"
    '  - "m{i}": {block: square, repeat: 12}\nblocks: {square: {layers: [m: {mul: [input, input]}, s: {add: [m, m]}]}}',
    "gaps of a transposed convolution that multiply": "- a: {deconv: 1, kernel: 1, stride: 2}\n"
    "  - b: {conv: 1, kernel: 3, pad: same}\n  - c: {mul: [a, b]}",
    "bilinear steps between pixels": "- c: {conv: 1, kernel: 3}\n  - up: {resize: [3, 5]}\n"
    "  - d: {conv: 1, kernel: 3}\n  - again: {resize: 2, align_corners: no}\n  - e: {conv: 1, kernel: 3, stride: 2}",
    "norms of the whole map, by their own pixel": "- c: {conv: 2, kernel: 3, norm: instance}\n"
    "  - d: {conv: 2, kernel: 3, norm: {group: 1}}",
    "a gate from the whole map, up to where it starts": "- c: {conv: 2, kernel: 3}\n"
    "  - d: {conv: 2, kernel: 3, pad: same}\n  - g: [{pool: global_avg}, {resize: d}]\n  - m: {mul: [d, g]}",
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_fields_are_found_exactly(name: str) -> None:
    assert measured(f"{HEAD}layers:\n  {EXACT[name]}\n") == ""


@pytest.mark.long
@pytest.mark.parametrize("name", EXACT)
def test_fields_are_found_exactly_in_jax(name: str) -> None:
    assert measured(f"{HEAD}layers:\n  {EXACT[name]}\n", backend="jax") == ""


def test_padding_by_edge_is_measured_in_jax() -> None:
    """Its gradient has steps of no pixel at all."""
    assert measured(f"{HEAD}layers: [a: {{conv: 1, kernel: 3, pad: 1, mode: edge}}]\n", backend="jax") == ""


# A hundred layers of one column each way, with a branch around the ninetieth.
DEEP = f"""{HEAD}defaults: {{conv: {{kernel: 1x3, pad: same}}}}
layers:
  - "c{{i}}": {{conv: 1, repeat: 89}}
  - c90: {{conv: 1, dilation: 2}}
  - side: {{conv: 1, dilation: 3, from: c89}}
  - both: {{add: [c90, side]}}
  - "e{{i}}": {{conv: 1, repeat: 10}}
"""
FAULTS = {
    "a dilation off by one in layer 90": ("self.c90 = nn.Conv2d(2, 2, (1, 3), padding=(0, 2), dilation=2)",
                                          "self.c90 = nn.Conv2d(2, 2, (1, 3), padding=(0, 3), dilation=3)"),
    "a padding that is shifted in layer 50": ("x = self.c50(x)", "x = self.c50(x.roll(1, 3))"),
    "a kernel with a tap too many in layer 2": ("x = self.c2(x)", "x = self.c2(x) + self.c2(x.roll(2, 3))"),
    "a kernel with a tap too few in the last layer": (
        "x = self.e10(x)", "x = nn.functional.conv2d(x, self.e10.weight[..., 1:], padding=(0, 1))[..., 1:]"
    ),
    "a layer that is left out": ("x = self.c70(x)", "x = x"),
    "a branch that is missing": ("c90 + x", "c90"),
    "a branch that is multiplied by nothing": ("c90 + x", "c90 + 0 * x"),
}  # fmt: skip


def test_a_hundred_layers_are_measured_exactly() -> None:
    assert measured(DEEP) == ""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_a_hundred_layers_is_found(name: str) -> None:
    old, new = FAULTS[name]

    def plant(code: str) -> str:
        lines = [line.replace(old, new) for line in code.splitlines()]
        return "\n".join(lines) + "\n"

    if name == "a branch that is missing" or "nothing" in name:  # the wider branch alone decides
        text = DEEP
    else:
        text = DEEP.replace("dilation: 3, from", "dilation: 1, from")
    assert " sees " in measured(text, plant)


@pytest.mark.long
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_four_hundred_layers_are_measured_exactly(backend: str) -> None:
    """Of a signal: the maps of an image on which so many layers do not meet the border take ten gigabytes."""
    head = HEAD.replace("size: 64", "size: [64]")
    text = f'{head}layers:\n  - "c{{i}}": {{conv: 1, kernel: 3, pad: same, repeat: 400}}\n  - up: {{resize: 2}}\n'
    assert measured(text, backend=backend) == ""


UNMEASURED = {
    "a: {conv: 1, kernel: 1}": "none is known that holds more than a pixel",
    "a: {conv: 1, kernel: 3, dilation: 1500, pad: same}":
        "they want an image of 3,008 pixels a side, and 2,048 are the most",
    "p: {pool: max, kernel: 2}, a: {unpool: p}": "the values decide what is read",
    "a: {pool: max, kernel: 3, dilation: 2}": "a dilated max pool has no mean to put in its place",
}  # fmt: skip


@pytest.mark.parametrize("layers", UNMEASURED)
def test_why_nothing_is_measured_is_said(layers: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"{HEAD}layers: [{layers}]\n")
    assert lines(path, "torch")[-1] == f"receptive fields are not measured: {UNMEASURED[layers]}"


def test_verify_refuses_no_model_that_rounds_equal_maxima_apart(tmp_path: Path) -> None:
    path, torch = tmp_path / "net.yaml", load_backend("torch")
    layers = "a: {resize: [1, 3], mode: bilinear}, p: {pool: max, kernel: [1, 3]}, u: {unpool: p}"
    path.write_text(f"{HEAD}layers: [{layers}]\n")
    assert lines(path, "torch")[4] == "values to 1e-09 of the reference's, of 2 x 24 x 25"
    made = r'F\.interpolate\(\s*image, scale_factor=\(1, 3\), mode="bilinear"\s*\)'

    def emit(request: BuildRequest) -> BuildResult:
        files = torch.emit(request).files
        rounded = r"\g<0> * (1 + 1e-15 * image.new_ones(3 * image.shape[3]).cumsum(0))"
        code, count = re.subn(made, rounded, str(files["model.py"]))
        assert count == 1, code
        return BuildResult(files | {"model.py": code})

    told = list(verify(replace(torch, emit=emit), request_for(compile_spec(path, Findings()), path)))
    assert told[4] == (
        "values cannot be compared: u asks where p has its maxima, and rounding decides between some that are equal"
    )


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_verify_accepts_values_that_leave_float32(backend: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"{HEAD}layers: [s: {{scale: 1e30}}, a: {{conv: 1, kernel: 1}}, q: {{mul: [a, a]}}]\n")
    assert lines(path, backend)[4].startswith("values to 1e-09 ")


def test_verify_counts_the_vectors_of_lists(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "segcompile: 1\nmodel: net\ninput: {channels: 2, size: [4, 6]}\nlayers:\n"
        "  - list: {token: 3, norm: layer}\n  - tokens: {tokens: [1, 3]}\n  - map: {map: positions, from: list}\n"
        "outputs: {tokens: tokens, map: map}\n"
    )
    assert "shapes of all layers, of 2 x 4 x 6" in lines(path, "torch")


def test_verify_refuses_a_model_of_another_shape_without_computing_it(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        f"{HEAD.replace('64', '20000')}layers: [a: {{conv: 64, kernel: 3}}, b: {{conv: 1, kernel: 3, pad: 1}}]\n"
    )
    assert lines(path, "torch")[1] == "shapes of all outputs, of 1 x 20000 x 20000"
    torch = load_backend("torch")

    def emit(request: BuildRequest) -> BuildResult:
        files = torch.emit(request).files
        return BuildResult(files | {"model.py": files["model.py"].replace("padding=1", "padding=2")})

    wrong = replace(torch, emit=emit)
    with pytest.raises(
        SegcompileError, match=r"output is \(1, 20000, 20000\), and the analysis says \(1, 19998, 19998\)"
    ):
        list(verify(wrong, request_for(compile_spec(path, Findings()), path)))


@pytest.mark.parametrize(("backend", "old", "new"), [
    ("torch", "ceil_mode=True", "ceil_mode=False"),
    ("jax", "((0, 1), (0, 1))", "((0, 0), (0, 0))"),
])  # fmt: skip
def test_verify_finds_a_window_that_the_small_image_does_not_have(
    backend: str, old: str, new: str, tmp_path: Path
) -> None:
    """The second pool rounds at 18 pixels, not at 24, and the unpooling hides its size."""
    path = tmp_path / "net.yaml"
    pools = "p: {pool: max, kernel: 2}, q: {pool: max, kernel: 2, round: ceil}, u: {unpool: q}"
    path.write_text(f"{HEAD.replace('64', '18')}layers: [{pools}]\n")
    found = load_backend(backend)

    def emit(request: BuildRequest) -> BuildResult:
        files = found.emit(request).files
        return BuildResult(files | {"model.py": files["model.py"].replace(old, new)})

    with pytest.raises(SegcompileError, match=r"q is \(2, 4, 4\), and the analysis says \(2, 5, 5\)"):
        list(verify(replace(found, emit=emit), request_for(compile_spec(path, Findings()), path)))
