"""Numbers that were worked out carry their reason, at the right of their line."""

from __future__ import annotations

import re

import pytest

from segcompile.backend import load_backend, run_backend
from segcompile.testing.cases import compiled

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 20}\ndefaults: {conv: {kernel: 3, pad: same}}\nlayers:\n"


def model(layers: str, backend: str = "torch") -> str:
    return str(run_backend(load_backend(backend), compiled(HEAD + layers)[1]).files["model.py"])


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_a_padding_beyond_the_kernel_says_what_it_leaves(backend: str) -> None:
    layers = "  - wide: {conv: 4, pad: 10}\n  - p: {pool: max, kernel: 2}\n  - fc: {conv: 4, kernel: 9, pad: 0}\n"
    found = model(layers, backend)
    reason = "  # pad 10 so that 20 x 20 pixels leave 11 x 11\n"
    assert found.count(reason) == 1 and re.search(rf"self.wide = [^=]*padding=10[^#]*\){reason}", found)


@pytest.mark.parametrize(
    "layers",
    [
        "  - a: {conv: 4}\n  - b: {conv: 4, pad: 0}\n",  # what the kernel needs
        "  - a: {conv: 4, pad: 3}\n  - g: {pool: global_avg}\n",  # no map behind it is smaller than the image
        "  - a: {conv: 4, pad: 0}\n  - b: {conv: 4, pad: 4}\n",  # a map's, not the image's
    ],
)
def test_other_paddings_need_no_reason(layers: str) -> None:
    assert "so that" not in model(layers)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_a_derived_offset_says_which_pixel_lies_over_the_first(backend: str) -> None:
    layers = "  - a: {conv: 4, pad: 2}\n  - b: {conv: 4, pad: [4, 5]}\n  - c: {crop: a}\n  - d: {crop: input}\n"
    (c, d) = [line for line in model(layers, backend).splitlines() if "= crop(" in line or "return crop(" in line]
    assert c.endswith("   (3, 4) lies over (0, 0)") and d.endswith("   1 lies over 0")


def test_an_offset_of_the_spec_has_no_reason_unless_it_is_the_same() -> None:
    layers = "  - a: {conv: 4, pad: 4}\n  - b: {crop: input, offset: OFFSET}\n"
    assert "lies over" not in model(layers.replace("OFFSET", "2")) and "3 lies" in model(layers.replace("OFFSET", "3"))
