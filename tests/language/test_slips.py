"""What an engineer types by mistake who writes LR-ASPP on MobileNetV3 and comes from PyTorch, Keras or TensorFlow: each
slip is told once, at its place, with the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from segcompile.compiler import compile_spec
from segcompile.text.errors import Diagnostic, Findings, SegcompileError

ROOT = Path(__file__).parents[2]
SPEC = (ROOT / "tests/data/valid/lraspp_mobilenet_v3.yaml").read_text()
N5 = '"b{n}": {block: inverted, k: 5, e: 120'
STEM, LAST, FINE = "conv: 16, kernel: 3", "conv: 960, act: silu", "resize: b4, mode: bilinear"
DEPTH, B4, NORM = "groups: channels", "act: relu, se: 1, s: 2", "norm: {batch: {eps: 1e-3, momentum: 0.01}}"
PROJECT, RESIDUAL, GATE = "args: [k, e, w,", "repeat: (s == 1)*(w == before)", "mul: [input, gate]"

# What the spec says, what was typed in its place, the code, the marks' place «», and what the help says.
SLIPS = [
    # words of other frameworks
    (STEM, "conv: 16, kernel_size: 3", "SC003", "«kernel_size»: 3", "write `kernel: 3`"),
    (STEM, "filters: 16, kernel: 3", "SC109", "«filters»: 16", "write `conv: 16`"),
    (STEM, "Conv2d: 16, kernel: 3", "SC109", "«Conv2d»: 16", "write `conv: 16`"),
    ("stride: s", "strides: s", "SC003", "«strides»: s", "write `stride: s`"),
    ("pad: 1, act", "padding: 1, act", "SC003", "«padding»: 1", "write `pad: 1`"),
    ("pad: d*(k//2)", "padding: same", "SC003", "«padding»: same", "write `pad: same`"),
    ("pad: d*(k//2)", "pad: valid", "SC115", "pad: «valid»", "write `0`"),
    (LAST, "conv: 960, activation: silu", "SC003", "«activation»: silu", "write `act: silu`"),
    (LAST, "conv: 960, act: hardswish", "SC115", "act: «hardswish»", "write `hard_swish`"),
    (LAST, "conv: 960, act: nn.Hardswish(inplace=True)", "SC115", "«nn.Hardswish(inplace=True)»", "write `hard_swish`"),
    (LAST, "conv: 960, act: nn.ReLU", "SC115", "act: «nn.ReLU»", "write `relu`"),
    (LAST, "conv: 960, relu: yes", "SC003", "«relu»: yes", "write `act: relu`"),
    ("dilation: d,", "dilation_rate: d,", "SC003", "«dilation_rate»: d", "write `dilation: d`"),
    (DEPTH, "groups: in_channels", "SC101", "groups: «in_channels»", "write `channels`"),
    (DEPTH, "groups: inp", "SC101", "groups: «inp»", "write `channels`"),
    (DEPTH, "depthwise: yes", "SC003", "«depthwise»: yes", "write `groups: channels`"),
    (NORM, "norm: BatchNorm2d", "SC115", "norm: «BatchNorm2d»", "write `batch`"),
    (NORM, "norm: bn", "SC115", "norm: «bn»", "write `batch`"),
    (NORM, "norm_cfg: {type: BN}", "SC003", "«norm_cfg»: {type", "write `norm: batch`"),
    (NORM, "norm: batch, eps: 1e-3", "SC003", "batch, «eps»: 1e-3", "`norm: {batch: {eps: ...}}`"),
    (LAST, f"{LAST}, dropout: 0.2", "SC011", "«dropout»: 0.2", "write `drop: 0.2`"),
    ("bias: no", "bias: FALSE", "SC004", "bias: «FALSE»", "write `no`"),
    ("- {pool: global_avg}\n", "- {pool: adaptive_avg}\n", "SC115", "pool: «adaptive_avg»", "write `global_avg`"),
    ("- {pool: global_avg}\n", "- {global_pool: avg}\n", "SC109", "{«global_pool»: avg", "write `pool: global_avg`"),
    ("- {pool: global_avg}\n", "- {pool: avg}\n", "SC008", "- «{»pool: avg}", "`pool: global_avg` needs none"),
    ("- {pool: global_avg}\n", "- {pool: avg, output_size: 1}\n", "SC003", "«output_size»: 1", "`pool: global_avg`"),
    (FINE, "upsample: 2", "SC109", "«upsample»: 2", "write `resize: 2`"),
    (FINE, "interpolate: b4", "SC109", "«interpolate»: b4", "write `resize: b4`"),
    (FINE, "scale_factor: 2, mode: bilinear", "SC109", "«scale_factor»: 2", "write `resize: 2`"),
    (FINE, "resize: b4, mode: bicubic", "SC115", "mode: «bicubic»", "write `cubic`"),
    (FINE, "resize: image", "SC102", "resize: «image»", "write `input`"),
    ("conv: K, norm: none", "conv: K, align_corners: no", "SC003", "«align_corners»: no", "resize has it"),
    (GATE, "multiply: [input, gate]", "SC109", "«multiply»: [", "write `mul: [input, gate]`"),
    (GATE, "mul: [x, gate]", "SC102", "[«x», gate]", "write `input`"),
    ("input: {ch", "inputs: {ch", "SC003", "«inputs»: {ch", "write `input: "),
    ("size: 224", "size: None", "SC004", "size: «None»", "`any`"),
    ("model: lr", "name: lr", "SC003", "«name»: lr", "write `model: lr"),
    # blocks, and what is passed to them
    (PROJECT, "args: [k, e, w, act,", "SC002", "se: 0, «act»: silu", "keep one of them"),
    ("s: 1, d", "stride: 1, d", "SC114", "«stride»: 1, d", "for example `own_stride`"),
    ("args: [k,", "args: [kernel,", "SC107", "«k»: 3, e: 16", "it has kernel, e, w"),
    ("args: [k, e, w,", "args: [k, e, w: 2d,", "SC101", "w: «2d»", "write `d` before `w`"),
    ("args: [w, r]", "args: [w, r: w//q]", "SC101", "w//«q»]", "known here: K, W, w"),
    ("args: [w, r]", "args: [w, r=4]", "SC114", "«r=4»", "a default is written `r: 4`"),
    ("k: 5, e: 72, w: 40", "k: 5, exp: 72, w: 40", "SC107", "«exp»: 72", "it has k, e, w"),
    ("k: 5, e: 72, w: 40", "k: 5, w: 40", "SC107", "«inverted», k: 5, w: 40", "{block: inverted, k: ..., e: ..., "),
    ("k: 5, e: 72, w: 40", "args: {k: 5, e: 72, w: 40}", "SC107", "«args»: {k", "stand beside the block's name"),
    (B4, "act: relu, se: yes, s: 2", "SC004", "se: «yes»", "write `1`"),
    (B4, "act: relu, se: 0.25, s: 2", "SC004", "se: «0.25»", "give it an integer"),
    (B4, "act: relu, se: 1, s: [2]", "SC004", "s: «[»2]", "write `2`"),
    (B4, "act: relu, se: 1, stride: 2", "SC107", "«stride»: 2}", "it has k, e, w"),
    (B4, "act: hardswish, se: 1, s: 2", "SC115", "act: «hardswish», se", "write `hard_swish`"),
    ("excite:  {block: excite", "excite:  {block: exite", "SC116", "block: «exite»", "did you mean `excite`?"),
    ("{block: excite, w: e,", "{excite: {w: e},", "SC109", "{«excite»: {w", "`{block: excite, ...}`"),
    ("block: excite, w", "norm: batch, block: excite, w", "SC011", "{«norm»: batch, block", "a layer inside"),
    # expressions
    (LAST, "conv: 7.5W, act: silu", "SC104", "7«.»5W", "write `15W//2`"),
    (LAST, "conv: min(W, 8), act: silu", "SC001", "«min(W, 8)»", 'in quotes: `"min(W, 8)"`'),
    ("r: (e//4 + 7)//8*8", "r: e/4", "SC104", "e«/»4", "`//` divides"),
    ("r: (e//4 + 7)//8*8", "r: e * 0.25", "SC104", "e * 0«.»25", "write `e//4`"),
    ("r: (e//4 + 7)//8*8", "r: make_divisible(e//4, 8)", "SC104", "«make_divisible»(", "`(a + 7)//8*8`"),
    (RESIDUAL, "repeat: s == 1 and w == before", "SC104", "1 «and» w", "`(a)*(b)`"),
    (RESIDUAL, "repeat: w == channels", "SC101", "w == «channels»", "`args: [before: channels]`"),
    (RESIDUAL, "if: s == 1", "SC003", "«if»: s == 1", "write `repeat: s == 1`"),
    ("conv: K, norm", "conv: k, norm", "SC101", "conv: «k», norm", "write `K`"),
    ("params: {K: 21, W: 128}", "params: {W: 6K, K: 21}", "SC101", "W: 6«K»", "write `K` above `W`"),
    # loops and names
    ("for: {n: 5..6}", "for: {n: range(5, 7)}", "SC004", "n: «range(5, 7)»", "`for: {n: 5..6}`"),
    ("for: {n: 5..6}", "for: n in 5..6", "SC004", "«for»: n in", "`for: {n: 5..6}`"),
    ("for: {n: 8..10, e", "for: {n: 10..8, e", "SC007", "e: «[»200", "one value each a turn"),
    ("for: {n: 5..6}", "repeat: 2", "SC011", "«layers»: [\"b{n}\": {block: inverted, k: 5, e: 120", "`for: {i: 1..2}`"),
    (N5, "b: {block: inverted, k: 5, e: 120", "SC103", "[«b»: {", "loop's variable"),
    (N5, "b{n}: {block: inverted", "SC001", "[b«{»n}", "in quotes: `\"b{n}\"`"),
    ("b7:   {block: inverted,", "b7:   {block: inverted, repeat: 2,", "SC103", "«b7»:   {", '`"b7{i}"`'),
    (f"- last: {{{LAST}}}", f"- last: {{{LAST}}}\n  - last: {{{LAST}}}", "SC103", "}\n  - «last»: {c", "another name"),
    # references and joins
    (GATE, "mul: [input, gat]", "SC102", "[input, «gat»]", "did you mean `gate`?"),
    (GATE, "mul: input, gate", "SC004", "mul: «input», gate", "`mul: [input, gate]`"),
    (GATE, "mul: [input, gate], align: center_crop", "SC313", "align: «center_crop»", "without `align`"),
    (GATE, "concat: [input, gate]", "SC302", "«out»: {concat", "`resize: b4.depth` behind `gate.conv2`"),
    ("conv: w, norm: none, bias: yes, act: sigmoid", "linear: w, act: sigmoid", "SC316", "«out»: {mul", "`conv`"),
    (", repeat: (s == 1)*(w == before)", "", "SC301", "«out»:     {add", "a 1x1 convolution"),
    ("yes, from: b4", "yes, from: b3", "SC302", "«score»: {add", "a `resize` to the larger map"),
    ("yes, from: b4", "yes, from: project", "SC102", "from: «project»", "`b15.project`"),
    ("yes, from: b4", "yes, from: -11", "SC102", "from: «-11»", "by its name"),
    (FINE, "resize: score", "SC201", "resize: «score»", "must read another layer"),
    (FINE, "resize: late}\n  - late: {act: relu, from: b4", "SC205", "resize: «late»", "move it up"),
    # claims, and the text itself
    ("parameters: 3221538", "parameters: 3,221,538", "SC001", "«3,221,538»", "write `3221538`"),
    ("parameters: 3221538", "params: 3221538", "SC102", "{«params»: 3221538", "write `parameters: 3221538`"),
    ("b15: {stride: 16,", "b15: {output_stride: 16,", "SC003", "«output_stride»: 16", "write `stride: 16`"),
    ("b15: {", "b16: {", "SC102", "«b16»: {", "did you mean"),
    ("{resize: input}", "{resize: [224, 224]}", "SC403", "resize: «[»224", ""),
    (LAST, "conv:960, act: silu", "SC001", "«conv:960»", "write `conv: 960`"),
    ("- last: {", "-last: {", "SC001", "  «-»last: {", "a space is due behind the `-`"),
    ("  - last: {", "\t- last: {", "SC001", "«\t»- last: {", "with spaces"),
    (f"- last: {{{LAST}}}", "- last:\n    conv: 960\n    act: silu", "SC011", "«conv»: 960\n    act", "indent it"),
    (f"- last: {{{LAST}}}", "- last: conv: 960", "SC001", "last: conv«:» 960", "in braces: `last: {conv: 960}`"),
]  # fmt: skip


def errors(folder: Path, text: str) -> list[Diagnostic]:
    path, findings = folder / "net.yaml", Findings()
    path.write_text(text)
    try:
        compile_spec(path, findings, name="net.yaml")
    except SegcompileError as error:
        findings.absorb(error)
    return [found for found in findings.diagnostics if found.is_error]


def place(text: str, marked: str) -> tuple[int, int]:
    """Line and column of what stands within «» in a piece of the text."""
    before, _, rest = marked.partition("«")
    at = text.index(before + rest.replace("»", "", 1)) + len(before)
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def test_the_spec_without_a_slip_holds(tmp_path: Path) -> None:
    assert errors(tmp_path, SPEC) == []


@pytest.mark.parametrize(
    ("said", "typed", "code", "marked", "help"), SLIPS, ids=[f"{row[2]} {row[1]}" for row in SLIPS]
)
def test_a_slip_is_told_once_at_its_place_with_the_remedy(
    said: str, typed: str, code: str, marked: str, help: str, tmp_path: Path
) -> None:
    assert said in SPEC
    text = SPEC.replace(said, typed, 1)
    (found,) = errors(tmp_path, text)
    assert found.code.code == code, found.message
    assert found.span is not None
    assert (found.span.line, found.span.column) == place(text, marked)
    assert found.span.text == marked.partition("«")[2].partition("»")[0]
    assert help in (found.help or "")
