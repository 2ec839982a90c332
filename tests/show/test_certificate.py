"""`segcompile certify`: the page, as text, as a model card and as data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from segcompile.cli import cli
from segcompile.text.errors import SegcompileError

SMALL = """\
segcompile: 1
model: net
about: A small one.
input: {channels: 1, size: 64}
layers:
  - enc: {conv: 4, kernel: 3, pad: same, act: relu}
  - down: {conv: 8, kernel: 3, stride: 2, pad: 1, act: relu}
  - up: {resize: 2}
  - both: {concat: [enc, up]}
  - out: {conv: 2, kernel: 1}
"""
PAGE = """\
certificate of net, for 1 x 64 x 64
A small one.

network
  5 layers, 362 parameters
  540,672 multiply-accumulates (540.7 k) for this image

sizes
  H ≡ 0 (mod 2), and W alike
    both  concat: H ≡ 0 (mod 2)
  some stride rounds at each of them
    down  conv: H ≡ 1 (mod 2)
  image of 64 x 64
    H = 64 is taken, and strides round
      down leaves out 1 of the padding behind its 64 rows
    W = 64 is taken, and strides round
      down leaves out 1 of the padding behind its 64 columns

outputs
  output: 2 x 64 x 64, of `out`
    stride 1, in input pixels
    output p is centred on input p, and by other paths on p - 1/2
    field 7 on all 2 phases; phase 0 sees -4 to 2

borders
  output: padding is seen by the first 3 and the last 3 of 64 pixels along each axis

exact tiles
  along H and W
    halo        3 pixels before, 3 after
    origins     multiples of 2 pixels from where the image starts
    sizes       H ≡ 0 (mod 2), H ≥ 4, of tiles and image
    cut off     of a tile's outputs 3 at its start and 3 at its end
    borders     a tile that ends where the image ends is padded there as that is, and loses nothing there
  tiles of 512 x 512, one every 506 x 506: 1.02 times the MACs of the whole image
  its tensors that are alive at once take 24.0 MiB in float32, without weights and what a convolution sets aside

holes
  output: none, it sees all of the 7 pixels that it spans along an axis

joins
  SC311: both joins maps that lie 1/2 input pixel apart
    via enc, at p
    via enc -> down -> up, at p - 1/2
    to mend it: `down` (3x3/2) keeps pixel 0 over pixel 0, `up` (bilinear resize) keeps the edges of the image over \
each other; one kind throughout would agree

what this means
"""


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "net.yaml"
    path.write_text(SMALL)
    return str(path)


def certify(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ("certify", *arguments), standalone_mode=False)
    assert result.exception is None and result.return_value == 0
    return result.output


def test_the_page_of_a_small_network(small: str) -> None:
    text = certify(small)
    assert text.partition("what this means\n")[0] + "what this means\n" == PAGE


def test_the_model_card_has_the_same_lines(small: str) -> None:
    card = certify(small, "--format", "markdown")
    assert card.startswith("# net\n\nA small one.\n\nCertified by segcompile ")
    assert "## Exact tiles\n\n- along H and W\n  - halo        3 pixels before, 3 after\n" in card
    lines = {line.strip() for line in certify(small).split("\n")[3:]} - {""}
    assert {line.strip(" #-").lower() for line in card.split("\n")} >= {line.lower() for line in lines}


def test_the_page_as_data(small: str) -> None:
    told = json.loads(certify(small, "--format", "json"))
    assert (told["parameters"], told["macs"], told["layers"]) == (362, 540672, 5)
    height = told["outputs"]["output"]["axes"]["height"]
    assert height["phases"] == [[-4, 2, 7], [-2, 4, 7]] and height["border"] == {"before": 3, "after": 3, "size": 64}
    assert height["maps"] == [{"scale": "1", "shift": "0"}, {"scale": "1", "shift": "-1/2"}]
    assert [found["code"] for found in told["joins"]] == ["SC311"] and told["holes"] == []
    assert told["tiles"]["axes"]["height"]["halo"] == [3, 3]


def test_an_image_of_any_size_is_certified_at_a_usual_one(small: str, tmp_path: Path) -> None:
    path = tmp_path / "any.yaml"
    path.write_text(SMALL.replace("size: 64", "size: any"))
    assert certify(str(path)).startswith("certificate of net, for 1 x 256 x 256\n")


def test_what_the_whole_image_reaches_has_no_tiles_and_says_which_layer() -> None:
    text = certify("aspp")
    assert "  1 layer mixing the whole image: aspp.image.pool\n" in text
    assert "    none: `aspp.image.pool` (global avg pool) mixes the whole image\n" in text
    assert (
        "  output: along an axis 7 of the 37 pixels spanned are seen; the rest is seen through what mixes the " in text
    )


def test_a_network_of_one_size_says_why() -> None:
    assert "\nsizes\n  this one alone: fc6: a fully connected layer needs a fixed input" in certify("alexnet")


def test_the_windows_of_monai_are_code_for_one_size() -> None:
    code = certify("hed", "--for", "monai", "--image", "544", "--tile", "400")
    assert "ROI = (384, 384)\n" in code and "HALO = ((104, 104), (104, 104))  # before and after" in code
    assert "# one window every 160 x 160: 2 x 2 windows\n" in code and "line[:before] = 2.0**-60\n" in code
    compile(code, "<code>", "exec")
    told = json.loads(certify("hed", "--for", "monai", "--image", "544", "--tile", "400", "--format", "json"))
    assert (told["roi_size"], told["interval"], told["count"]) == ([384, 384], [160, 160], [2, 2])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("aspp", "--for", "monai", "--image", "512"), "`aspp.image.pool` (global avg pool) mixes the whole image"),
        (
            ("alexnet", "--for", "monai", "--image", "512"),
            "alexnet is exact: fc6: a fully connected layer",
        ),
        (("hed", "--for", "monai", "--image", "545"), "no tile of an image of H = 545 is exact"),
    ],
)
def test_without_exact_windows_it_says_why(arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(SegcompileError) as caught:
        CliRunner().invoke(cli, ("certify", *arguments), standalone_mode=False, catch_exceptions=False)
    (found,) = caught.value.diagnostics
    assert found.code.code == "SC918" and says in found.message
