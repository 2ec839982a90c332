"""Published networks that were written in an earlier language, and what they are now: the same, in fewer lines.

`../shared/reference/zoo` has the old files; a fresh clone has none of them, and skips these tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from segcompile.compiler import Compiled, compile_spec
from segcompile.diff import Verdict, compare
from segcompile.library import bundled
from segcompile.text.errors import Findings

ZOO = Path(__file__).parents[3] / "shared/reference/zoo"
WRITTEN = Path(__file__).parents[1] / "data/zoo"  # networks of today that are no bundled specs
LONGEST = 46  # lines that make a network: about forty
LEAST = 4  # the version, the name, the base and its parameters
ASIDE = ("about", "accept", "cite", "claims", "training")  # what is said of a network, and makes none


@dataclass(frozen=True)
class Row:
    """An old file and the network that it is now: a bundled spec, one of its variants, with these parameters.

    `new` names a bundled spec, `fpn`, or a file of `tests/data/zoo`, `ln2.yaml`.
    `translation`: what stands in the old file, and the words that mean that today. Inside a branch or a chain `input`
    once meant what enters the branch, which is `above` now. A bundled spec has a size, where two old files had any.
    """

    old: str
    new: str
    variant: str | None = None
    set: Mapping[str, int] = field(default_factory=dict)
    translation: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return WRITTEN / self.new if self.new.endswith(".yaml") else bundled()[self.new]


ROWS = [
    Row("resnet18", "resnet18"),
    Row("resnet50", "resnet50"),
    Row("resnet101", "resnet101"),
    Row("drn_c26", "drn_c26"),
    Row("fcn_r50", "fcn_r50", translation={"size: any": "size: 520"}),
    Row("fpn_r50", "fpn"),
    Row("hdc_duc_r50", "hdc_duc"),
    Row("linknet", "linknet"),
    # That code dilates the convolution that had the stride, too, which the old file does not.
    Row(
        "deeplabv3plus_r50",
        "deeplabv3plus",
        translation={
            "{resize: input}": "{resize: above}",
            "size: any": "size: 512",
            "  - append:\n": "  - set: {layer4_0.b: {dilation: 2, pad: 2}}\n  - append:\n",
        },
    ),
    # Its gates were resized from one pixel to the size of the map that they are joined with, which broadcasts now.
    # Without these three `resize` the old file is the new network: nothing else is different.
    Row(
        "bisenet_r18",
        "bisenet",
        translation={", {resize: layer4_1}": "", ", {resize: fm}": "", ", {resize: fuse}": ""},
    ),
    Row("u2net", "u2net", variant="full"),
    # The old file has 18 channels, one size, and nearest resizes by factors, where the release is bilinear.
    Row(
        "hrnet",
        "hrnet_w18",
        translation={
            "size: 512": "size: [512, 1024]",
            "mode: nearest": "mode: bilinear",
            "f: 2, from: b1": "f: b0, from: b1",
            "f: 4, from: b2": "f: b0, from: b2",
            "f: 8, from: b3": "f: b0, from: b3",
            "f: 2, from: b2": "f: b1, from: b2",
            "f: 4, from: b3": "f: b1, from: b3",
            "f: 2, from: b3": "f: b2, from: b3",
            "{resize: f, mode: bilinear, from": "{resize: s4_3.f0, from",
            "{resize: 4, mode: bilinear}": "{resize: input}",
        },
    ),
    # What a dense block made is the end of what it hands on: a slice in the place of a concatenation of the parts.
    Row(
        "fcdensenet103",
        "fcdensenet103",
        translation={
            f"{{concat: [{', '.join(f'{name}_{i}.new' for i in range(1, n + 1))}]}}": f"{{slice: [{c}, {c + 16 * n}]}}"
            for name, n, c in (("mid", 15, 656), ("up5", 12, 896), ("up4", 10, 656), ("up3", 7, 464), ("up2", 5, 304))
        },
    ),
    # A frozen convolution of ones and a `scale` copied the gate to every channel: `mul` spreads it.
    Row(
        "attention_unet",
        "attention_unet",
        translation={
            "      - copy: {conv: w, kernel: 1, norm: none, act: none, bias: no, "
            "init: {identity: {groups: 1, std: 0}}, frozen: yes}\n": "",
            "      - all:  {scale: w}\n": "",
            "{mul: [skip, all]}": "{mul: [skip, psi]}",
        },
    ),
    # As released: the last transition has no bias, its norm stands before the first ASPP layer, and the scores drop.
    Row(
        "denseaspp121",
        "denseaspp121",
        translation={
            "{conv: 512, bias: yes}]": "{conv: 512}]\n  - norm5: {norm: batch, act: relu}",
            "    args: [d]\n    layers:\n      - n1: {norm: batch, act: relu}\n      - c1: {conv: 128": (
                '    args: [d]\n    layers:\n      - n1: {norm: batch, act: relu, repeat: "d != 3"}\n'
                "      - c1: {conv: 128"
            ),
            "  - score:": "  - drop: {dropout: 0.1}\n  - score:",
        },
    ),
    Row("espnetv2", "espnetv2"),
    # The channels that a pooling lacks were a frozen convolution of zeros; the dropout is the release's.
    Row(
        "enet",
        "enet",
        translation={
            "      - empty: {conv: w-c, norm: none, act: none, init: zeros, frozen: yes}\n": "",
            "{concat: [pool, empty]}": "{pad: {channels: w-c}}",
            "args: [c, w]\n": "args: [c, w, drop: 0.1]\n",
            "{conv: w, drop: 0.01}": "{conv: w, drop: drop}",
            "args: [w, d]\n": "args: [w, d, drop: 0.1]\n",
            "- c:   {conv: w, drop: 0.1}\n      - out: {add: [c, input], act: prelu}\n  asymmetric:": (
                "- c:   {conv: w, drop: drop}\n      - out: {add: [c, input], act: prelu}\n  asymmetric:"
            ),
            "c: 16, w: 64}": "c: 16, w: 64, drop: 0.01}",
            "w: 64, d: 1, repeat: 4}": "w: 64, d: 1, drop: 0.01, repeat: 4}",
            "drop: drop}": "drop: {spatial: drop}}",
            "drop: 0.1}": "drop: {spatial: 0.1}}",
        },
    ),
    # The dropout of the stages is the release's: little, more and none.
    Row(
        "erfnet",
        "erfnet",
        translation={
            "args: [w, d]": "args: [w, d, drop: 0]",
            "drop: 0.3": "drop: {spatial: drop}",
            "w: 64, d: 1, repeat: 5": "w: 64, d: 1, drop: 0.03, repeat: 5",
            "w: 128, d: d}": "w: 128, d: d, drop: 0.3}",
        },
    ),
    Row("hed", "hed", translation={"size: any": "size: [320, 480]"}),
    Row("nnunet2d", "nnunet2d"),
    Row("deeplabv3_r101", "deeplabv3_r101.yaml", translation={"{resize: input}]": "{resize: above}]"}),
    Row("drn_a50", "drn_a50.yaml"),
    # A gate of one pixel was resized to the map that it is joined with, over which `mul` spreads it. As in
    # that code, the paddings are TensorFlow's, paths are dropped, and one skip is from the first unit of its stage.
    Row(
        "effnet_b0_unet",
        "effnet_b0_unet",
        translation={
            ", {resize: input, mode: nearest}": "",
            "stem: {conv: 32, kernel: 3, stride: 2}": "stem: {conv: 32, kernel: 3, stride: 2, pad: [0, 1, 0, 1]}",
            "stride: s, groups: e}": "stride: s, pad: [(k-s)//2, (k-s+1)//2, (k-s)//2, (k-s+1)//2], groups: e}",
            "args: [c, e, k]\n": "args: [c, e, k, u]\n",
            "- out: {add: [mb, input]}": "- drop: {dropout: {path: u/80}}\n      - out: {add: [drop, input]}",
            "r: [1, 1, 2, 2, 3]}": "r: [1, 1, 2, 2, 3], u: [1, 3, 5, 8, 11]}",
            "k: k, repeat: r}": "k: k, u: u+i, repeat: r}",
            "skip: b5_2": "skip: b5",
        },
    ),
    # The channels that a pooling lacks were a frozen convolution of zeros, as in `enet`.
    Row(
        "enet_relu",
        "enet_relu.yaml",
        translation={
            "      - empty: {conv: w-c, norm: none, act: none, init: zeros, frozen: yes}\n": "",
            "{concat: [pool, empty]}": "{pad: {channels: w-c}}",
            "drop: 0.1}": "drop: {spatial: 0.1}}",
            "drop: 0.01}": "drop: {spatial: 0.01}}",
        },
    ),
    Row("esrgan_x4", "esrgan_slim", variant="x4", translation={"size: any": "size: 64"}),
    # Its bins and its resizes were of one size of the image, which was not the release's.
    Row(
        "icnet",
        "icnet",
        translation={
            "        - input\n": "        - above\n",
            "size: [768, 1536]": "size: [1025, 2049]",
            "  - half_size: {pool: avg, kernel: 2}       # only its size is used\n": "",
            "{resize: half_size, from: input}": "{pool: max, kernel: 1, stride: 2}",
            "  - quarter_size: {pool: max, kernel: 2}\n": "",
            "{resize: quarter_size, from: conv3_1}": "{pool: max, kernel: 1, stride: 2}",
            "kernel: [24//b, 48//b]": "bins: b",
            "- up:   {resize: 2}": "- up:   {resize: fine}",
            "- up2: {resize: 2}": "- up2: {resize: s2}",
            "{resize: 4}": "{resize: input}",
            "aux12: aux12, aux24: aux24": "aux16: aux12, aux8: aux24",
        },
    ),
    Row("ln2", "ln2.yaml"),
    # The gates as in `effnet_b0_unet`; the `input` of a chain was what enters it, the layer above.
    Row(
        "lraspp_mnv3",
        "lraspp",
        translation={
            ", {resize: input, mode: nearest}": "",
            ", {resize: cbr, mode: nearest}": "",
            "act: silu": "act: hard_swish",
            "bias: yes, act: sigmoid}": "bias: yes, act: hard_sigmoid}",
            "{add: [conv2, input]}": "{add: [conv2, stem]}",
            "{add: [out, input]}]]": '{add: [out, "b{n-1}"]}]]',
            "o: 24, d: 1}, {add: [out, input]}": "o: 24, d: 1}, {add: [out, b2]}",
            "o: 80, d: 1}, {add: [out, input]}": "o: 80, d: 1}, {add: [out, b7]}",
            "o: 112, d: 1}, {add: [out, input]}": "o: 112, d: 1}, {add: [out, b11]}",
        },
    ),
    # Its bins were windows of a fixed size, for images of 480 pixels alone.
    Row(
        "pspnet_r50",
        "pspnet",
        translation={
            "        - input\n": "        - above\n",
            "{resize: input}]]": "{resize: above}]]",
            "size: 480": "size: 473",
            "kernel: 60//b": "bins: b",
        },
    ),
    Row("segnet", "segnet.yaml"),
    Row("tcn", "tcn.yaml"),
    Row("unetpp", "unetpp.yaml"),
    # The one channel of the volume was copied 16 times, where `add` spreads it; the paper has no batch norm.
    Row(
        "vnet2d",
        "vnet",
        variant="paper",
        translation={
            "size: 128": "size: [128, 128, 64]",
            "norm: batch, ": "",
            "norm: none, ": "",
            f"  - x16: {{concat: [{', '.join(['input'] * 16)}]}}\n": "",
            "[c1, x16]": "[c1, input]",
        },
    ),
    Row("wavenet", "wavenet.yaml"),
]

# Its layer norms were frozen convolutions and response norms, its bins windows of a fixed size; `upernet` has neither.
STOOD_IN = ["convnext_t_upernet"]


@pytest.fixture
def zoo() -> Path:
    if not ZOO.is_dir():
        pytest.skip("the zoo is not beside this checkout")
    return ZOO


@pytest.fixture(params=ROWS, ids=[f"{row.old} is {row.new}" for row in ROWS])
def row(request: pytest.FixtureRequest, zoo: Path) -> Row:
    found: Row = request.param
    return found


def test_it_means_what_the_old_file_meant(row: Row, tmp_path: Path) -> None:
    new = compiled(row.path, row.variant, row.set)
    assert compare(compiled(translated(row, tmp_path)), new).verdict in (Verdict.EQUAL, Verdict.RENAMED)


def test_every_old_file_has_a_row(zoo: Path) -> None:
    assert sorted([*STOOD_IN, *(row.old for row in ROWS)]) == sorted(path.stem for path in zoo.glob("*.yaml"))


def test_it_is_shorter_than_the_old_file(row: Row) -> None:
    old, new = lines(ZOO / f"{row.old}.yaml"), lines(row.path)
    assert len(new) < len(old) or len(new) == LEAST
    assert len(new) <= LONGEST


@pytest.mark.parametrize("path", sorted(WRITTEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_is_written_here_compiles_without_warnings(path: Path) -> None:
    findings = Findings()
    compile_spec(path, findings)
    assert findings.diagnostics == []


def translated(row: Row, folder: Path) -> Path:
    """The old file in the words of today, with its bases beside it."""
    for path in ZOO.glob("*.yaml"):
        (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    old = folder / f"{row.old}.yaml"
    text = old.read_text(encoding="utf-8")
    for before, now in row.translation.items():
        assert before in text
        text = text.replace(before, now)
    old.write_text(text, encoding="utf-8")
    return old


def compiled(path: Path, variant: str | None = None, overrides: Mapping[str, int] | None = None) -> Compiled:
    return compile_spec(path, Findings(), variant=variant, overrides=overrides or {})


def lines(path: Path) -> list[str]:
    """Those that make the network: no claims, no prose, no comments."""
    found, key = list[str](), ""
    for line in path.read_text(encoding="utf-8").splitlines():
        code = line.partition(" #")[0].rstrip()
        if not code or code.lstrip().startswith("#"):
            continue
        key = key if code[0] in " -}]" else code.partition(":")[0]
        if key not in ASIDE:
            found.append(code)
    return found
