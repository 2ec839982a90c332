"""Two files of other tools: their weights are the numbers that they hold, whatever these are called."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segcompile.prove.real import Real
from segcompile.prove.ring import Ring
from segcompile.prove.weights import constant
from tests.importers.agreement import model_of
from tests.prove.test_prove import said

STEPS = "c = Conv<pads=[1, 1, 1, 1]>(x, kernel); m = Mul(c, factor); r = Relu(m); y = Conv(r, score)"
FOLDED = "c = Conv<pads=[1, 1, 1, 1]>(x, kernel); r = Relu(c); y = Conv(r, score)"
RANDOM = np.random.default_rng(0)
KERNEL, SCORE = (RANDOM.normal(size=size).astype(np.float32) for size in ((4, 4, 3, 3), (2, 4, 1, 1)))
FACTOR = np.array([2, -0.5, 1, 0.25], np.float32).reshape(4, 1, 1)  # its products are not rounded
HELD = {"kernel": KERNEL, "factor": FACTOR, "score": SCORE}


def file(path: Path, steps: str, held: Mapping[str, Any]) -> Path:
    onnx.save(model_of(steps, held), path)
    return path


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return file(tmp_path / "net.onnx", STEPS, HELD)


def test_files_of_the_same_numbers_under_other_names_are_equal(net: Path, tmp_path: Path) -> None:
    steps = STEPS.replace("kernel", "k").replace("factor", "f").replace("score", "s").replace("y =", "z =")
    other = file(tmp_path / "other.onnx", steps, dict(zip("kfs", HELD.values(), strict=True)))
    code, text = said("prove", net, other)
    assert code == 0
    assert text.splitlines() == [
        f"proved: {net} and {other} give the same for all images, with the numbers that both hold, in exact arithmetic",
        "  all 4 nodes are the same ops on the same results: nothing had to be run",
        "  at every size that both take: H ≥ 1, W ≥ 1",
    ]


def test_one_other_number_is_found(net: Path, tmp_path: Path) -> None:
    factor = FACTOR.copy()
    factor[1] = -0.501
    code, text = said("prove", net, file(tmp_path / "other.onnx", STEPS, HELD | {"factor": factor}))
    assert code == 1
    assert ", image of draw " in text
    assert "they part at `m`:\n    its `weight`: 1 of 4 numbers are others; at [1] -0.5, and -0.50" in text


def test_a_factor_in_the_kernel_is_the_factor_behind_it(net: Path, tmp_path: Path) -> None:
    held = {"kernel": KERNEL * FACTOR[..., None], "score": SCORE}
    code, text = said("prove", net, file(tmp_path / "folded.onnx", FOLDED, held))
    assert code == 0
    assert "3 of 3 nodes have an equal" in text
    rounded = held | {"kernel": held["kernel"] * np.float32(1.0001)}
    assert said("prove", net, file(tmp_path / "rounded.onnx", FOLDED, rounded))[0] == 1


def test_weights_that_a_file_of_names_pairs_are_any(net: Path, tmp_path: Path) -> None:
    other, names = file(tmp_path / "other.onnx", STEPS, HELD | {"score": SCORE + 1}), tmp_path / "names.txt"
    names.write_text("c: c\n")
    assert said("prove", net, other)[0] == 1
    code, text = said("prove", net, other, "--names", names)
    assert code == 0
    assert "for all weights and all images" in text


def test_a_kernel_that_a_spec_freezes_is_compared_with_that_of_a_file(tmp_path: Path) -> None:
    spec = tmp_path / "up.yaml"
    spec.write_text(
        "segcompile: 1\nmodel: up\ninput: {channels: 2, size: any}\nlayers:\n  - u: {deconv: 2, kernel: 4, stride: 2, "
        "pad: 1, groups: 2, bias: no, init: bilinear, frozen: yes}\n"
    )
    ramp = np.array([0.25, 0.75, 0.75, 0.25], np.float32)
    step = "u = ConvTranspose<strides=[2, 2], pads=[1, 1, 1, 1], group=2>(x, w)"
    for factor, code in ((1, 0), (1.01, 1)):
        kernel = np.multiply.outer(ramp, ramp * np.float32(factor)).reshape(1, 1, 4, 4).repeat(2, 0)
        model = model_of(step, {"w": kernel}, ("n", 2, "h", "w"))
        model.graph.node[0].name = "u"
        onnx.save(model, tmp_path / "up.onnx")
        assert said("prove", spec, tmp_path / "up.onnx")[0] == code


def test_what_is_no_number_is_refused(net: Path, tmp_path: Path) -> None:
    kernel = KERNEL.copy()
    kernel[0, 0, 0, 0] = np.inf
    code, text = said("prove", net, file(tmp_path / "other.onnx", STEPS, HELD | {"kernel": kernel}), "--format", "json")
    assert code == 1
    assert "`c.weight` holds what is no finite number" in text


@settings(max_examples=25)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_floats_are_the_fractions_that_they_mean(numbers: list[float]) -> None:
    values, ring = np.array(numbers), Ring(0)
    exact = np.array([Fraction(number) for number in numbers], dtype=object)
    assert (ring.floats(values) == ring.numbers(exact)).all()
    assert (Real(0).floats(values) == values).all()


@settings(max_examples=25)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=8))
def test_the_bits_of_numbers_hold_each_of_them(numbers: list[float]) -> None:
    found = constant(np.array(numbers), (len(numbers),))
    exact = [Fraction(number) for number in numbers]
    scale = max(number.denominator for number in exact)  # a power of two
    wholes = [abs(int(number * scale)) for number in exact if number]
    odd = max((whole // (common & -common) for whole in wholes), default=0) if (common := _or(wholes)) else 0
    assert found.bits == odd.bit_length()


def _or(wholes: list[int]) -> int:
    """The bits that any has: the last one that is set is the last one of all."""
    found = 0
    for whole in wholes:
        found |= whole
    return found
