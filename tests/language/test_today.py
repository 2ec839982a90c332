"""What today's networks need of the language: expressions, ranges, layers that are left out, arguments of any kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from segcompile.cli import cli
from segcompile.compiler import compile_spec
from segcompile.text.errors import Findings, SegcompileError

HEAD = "segcompile: 1\nmodel: net\nparams: {N: 3, W: 8}\ninput: {channels: 3, size: 64}\n"
HEAD += "defaults: {conv: {kernel: 3, pad: same}}\n"


def flat(folder: Path, text: str) -> list[str]:
    """The layers of a spec, written out, a line each; warnings are left aside."""
    path = folder / "net.yaml"
    path.write_text(HEAD + text)
    result = CliRunner().invoke(cli, ["show", "--flat", str(path)], standalone_mode=False)
    assert result.return_value == 0, result.output
    lines = result.stdout.partition("layers:\n")[2].splitlines()
    return [" ".join(line.removeprefix("  - ").split()) for line in lines]


def layers(*each: str) -> str:
    return "layers:\n" + "".join(f"  - {one}\n" for one in each)


@pytest.mark.parametrize(("text", "value"), [
    ("min(W, 5)", 5), ("max(W, 5)", 8), ("2min(W, N)", 6), ("min(max(N, 5), W) + 1", 6),
    ("1 + (N == 3)", 2), ("1 + (N != 3)", 1), ("1 + (N < W)", 2), ("1 + (W < N)", 1), ("(N == 3)*4 + (N != 3)*9", 4),
    ("min(W//2, N**2) + (2 < N)", 5), ("1 + (N+1 == 2*2)", 2),
])  # fmt: skip
def test_expressions_compare_and_take_the_smaller_and_the_larger(tmp_path: Path, text: str, value: int) -> None:
    assert flat(tmp_path, layers(f'c: {{conv: "{text}"}}')) == [f"c: {{conv: {value}, kernel: 3, pad: 1}}"]


@pytest.mark.parametrize(("listed", "values"), [
    ("1..N", [1, 2, 3]), ("1 .. 2N-2", [1, 2, 3, 4]), ("3..1", []), ("3..1 by -1", [3, 2, 1]), ("1..7 by N", [1, 4, 7]),
    ("1..8 by 3", [1, 4, 7]), ("[1..3, 7]", [1, 2, 3, 7]), ("[9, 2..1, W..N by -2]", [9, 8, 6, 4]), ("5..5", [5]),
    ("[]", []), ("-1..1", [-1, 0, 1]),
])  # fmt: skip
def test_a_loop_runs_over_ranges(tmp_path: Path, listed: str, values: list[int]) -> None:
    text = layers(f'for: {{i: {listed}}}\n    layers: ["c{{i+5}}": {{conv: 10+i}}]', "last: {conv: 1, kernel: 1}")
    found = flat(tmp_path, text)
    assert found[:-1] == [f"c{i + 5}: {{conv: {10 + i}, kernel: 3, pad: 1}}" for i in values]


def test_a_row_of_a_table_may_be_a_range(tmp_path: Path) -> None:
    text = "table:\n  layer: 1..N\n  kernel: 3\n  dilation: [1..2, 4]\n  output channels: W..10\n"
    text = text.replace("kernel: 3\n", "kernel: 3\n  pad: same\n")
    assert [line.partition(", pad")[0] for line in flat(tmp_path, text)] == [
        "layer1: {conv: 8, kernel: 3", "layer2: {conv: 9, kernel: 3, dilation: 2",
        "layer3: {conv: 10, kernel: 3, dilation: 4",
    ]  # fmt: skip


RESIDUAL = """blocks:
  res:
    args: [w, s: 1]
    layers:
      - main:  [{conv: w, stride: s, act: relu}, {conv: w}]
      - short: [{conv: w, kernel: 1, stride: s, from: tap, repeat: "s != 1"}]
      - out:   {add: [main, short], act: relu}
"""


def test_a_layer_that_is_left_out_stands_for_what_it_would_have_read(tmp_path: Path) -> None:
    text = RESIDUAL.replace(", from: tap", "").replace("- short", "- tap: [{conv: w, repeat: 0}]\n      - short")
    text = text.replace("- main: ", "- main: ").replace('repeat: "s', 'from: input, repeat: "s')
    text += layers("stem: {conv: W}", "r1: {block: res, w: W}", "r2: {block: res, w: 2W, s: 2}")
    assert flat(tmp_path, text) == [
        "stem: {conv: 8, kernel: 3, pad: 1}",
        "r1_main_conv: {conv: 8, kernel: 3, pad: 1, act: relu}",
        "r1_main_conv2: {conv: 8, kernel: 3, pad: 1}",
        "r1_out: {add: [r1_main_conv2, stem], act: relu}",
        "r2_main_conv: {conv: 16, kernel: 3, stride: 2, pad: 1, act: relu}",
        "r2_main_conv2: {conv: 16, kernel: 3, pad: 1}",
        "r2_short_conv: {conv: 16, kernel: 1, stride: 2, from: r1_out}",
        "r2_out: {add: [r2_main_conv2, r2_short_conv], act: relu}",
    ]


@pytest.mark.parametrize("gone", [
    "x: {conv: 4, repeat: 0}", "{conv: 4, repeat: 0}", '"x{i}": {conv: 4, repeat: 0}', "x: [{conv: 4, repeat: 0}]",
    'for: {i: 1..0}\n    layers: ["x{i}": {conv: 4}]', "x: [y: [{conv: 4, repeat: 0}]]", "x: {block: none_of_it}",
    "{block: none_of_it}", "x: {block: none_of_it, repeat: 0}",
])  # fmt: skip
def test_what_writes_nothing_changes_nothing(tmp_path: Path, gone: str) -> None:
    text = "blocks: {none_of_it: {layers: [{conv: 4, repeat: 0}]}}\n"
    text += layers("a: {conv: W}", gone, "b: {conv: 1, kernel: 1}")
    assert flat(tmp_path, text) == ["a: {conv: 8, kernel: 3, pad: 1}", "b: {conv: 1, kernel: 1}"]


def test_a_name_of_nothing_is_that_of_what_it_would_have_read(tmp_path: Path) -> None:
    text = layers("a: {conv: W}", "b: {conv: W}", "x: [{conv: 4, repeat: 0, from: a}]", "y: {add: [x, b]}")
    assert flat(tmp_path, text)[-1] == "y: {add: [a, b]}"


def test_a_join_names_layers_in_loops(tmp_path: Path) -> None:
    dense = ['for: {i: 1..N}\n    layers:\n      - "in{i}": {concat: [a, {for: {j: 1..i-1}, name: "x{j}.new"}]}\n'
             '      - "x{i}": [new: {conv: 4}]']  # fmt: skip
    found = flat(tmp_path, layers("a: {conv: W}", *dense))
    assert found == [
        "a: {conv: 8, kernel: 3, pad: 1}", "x1_new: {conv: 4, kernel: 3, pad: 1}", "in2: {concat: [a, x1_new]}",
        "x2_new: {conv: 4, kernel: 3, pad: 1}", "in3: {concat: [a, x1_new, x2_new]}",
        "x3_new: {conv: 4, kernel: 3, pad: 1}",
    ]  # fmt: skip


ANY = """blocks:
  unit:
    args: [w, s: 1, kind: max, act: relu, rates: [1..2], drop: 0.1, pads: same, last: 2w, taps: []]
    layers:
      - for: {d: rates}
        layers: [{conv: w, dilation: d, act: act, drop: drop, pad: pads}]
      - {pool: kind, kernel: 2, stride: s}
      - all: {concat: taps, repeat: "0 < W - 8"}
      - {conv: last, kernel: 1}
"""


def test_an_argument_is_a_number_a_word_a_pair_or_a_list_with_a_default(tmp_path: Path) -> None:
    text = ANY + layers(
        "a: {block: unit, w: W}",
        "b: {block: unit, w: 4, kind: avg, act: none, rates: 3, s: 2}".replace("rates: 3", "rates: [3]"),
        "c: {block: unit, w: 2, drop: 0.5, pads: [1, 1, 2, 2], last: 5, act: leaky_relu}",
    )
    assert flat(tmp_path, text) == [
        "a_conv: {conv: 8, kernel: 3, pad: 1, act: relu, drop: 0.1}",
        "a_conv2: {conv: 8, kernel: 3, dilation: 2, pad: 2, act: relu, drop: 0.1}",
        "a_pool: {pool: max, kernel: 2, stride: 1}", "a_conv3: {conv: 16, kernel: 1}",
        "b_conv: {conv: 4, kernel: 3, dilation: 3, pad: 3, drop: 0.1}",
        "b_pool: {pool: avg, kernel: 2, stride: 2}", "b_conv2: {conv: 8, kernel: 1}",
        "c_conv: {conv: 2, kernel: 3, pad: [1, 1, 2, 2], act: leaky_relu, drop: 0.5}",
        "c_conv2: {conv: 2, kernel: 3, dilation: 2, pad: [1, 1, 2, 2], act: leaky_relu, drop: 0.5}",
        "c_pool: {pool: max, kernel: 2, stride: 1}", "c_conv3: {conv: 5, kernel: 1}",
    ]  # fmt: skip


def test_a_list_of_layers_is_passed_on_through_blocks(tmp_path: Path) -> None:
    text = "blocks:\n  inner: {args: [of, k: 1], layers: [cat: {concat: of}, mix: {conv: 4, kernel: k}]}\n"
    text += "  outer: {args: [of, k], layers: [own: {block: inner, of: of, k: k}]}\n"
    text += layers("a: {conv: W}", "b: {conv: W}", "c: {block: outer, of: [a, b], k: 3x1}")
    assert flat(tmp_path, text)[2:] == [
        "c_own_cat: {concat: [a, b]}",
        "c_own_mix: {conv: 4, kernel: [3, 1], pad: [1, 1, 0, 0]}",
    ]


def test_what_is_passed_is_not_read_anew_inside(tmp_path: Path) -> None:
    """`b` of the caller is a word; inside, an argument of that name is something else."""
    text = "blocks:\n  inner: {args: [x, b: 5], layers: [c: {conv: b, kernel: 1, act: x}]}\n"
    text += "  outer: {args: [a, b: 3], layers: [own: {block: inner, x: a, b: b}]}\n"
    text += layers("c: {block: outer, a: silu}")
    assert flat(tmp_path, text) == ["c_own_c: {conv: 3, kernel: 1, act: silu}"]


def test_a_loop_over_words_passes_them(tmp_path: Path) -> None:
    text = layers('for: {a: [relu, silu]}\n    layers: ["c_{a}": {conv: W, act: a}]')
    assert [line.rpartition("act: ")[2] for line in flat(tmp_path, text)] == ["relu}", "silu}"]


def test_a_range_ends_somewhere(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(HEAD + layers('for: {i: 1..2**60}\n    layers: ["c{i}": {conv: 1}]'))
    with pytest.raises(SegcompileError) as caught:
        compile_spec(path, Findings())
    assert [found.code.code for found in caught.value.diagnostics] == ["SC111"]


ABOVE = """blocks:
  gate:
    layers:
      - pooled: [{pool: global_avg}, {conv: W, kernel: 1, act: sigmoid}, {resize: above}]
      - out:    {mul: [input, above]}
      - seen:   {concat: [network.input, above, input]}
"""


def test_above_is_what_enters_what_is_written_in_place_and_input_what_enters_the_block(tmp_path: Path) -> None:
    text = ABOVE + layers("a: {conv: W}", "g: {block: gate}", "b: {conv: 4, from: above}",
                          "c: {concat: [above, [{conv: 4, from: above}, {conv: 4}], a]}")  # fmt: skip
    assert flat(tmp_path, text) == [
        "a: {conv: 8, kernel: 3, pad: 1}",
        "g_pooled_pool: {pool: global_avg}",
        "g_pooled_conv: {conv: 8, kernel: 1, act: sigmoid}",
        "g_pooled_resize: {resize: a}",
        "g_out: {mul: [a, g_pooled_resize]}",
        "g_seen: {concat: [input, g_out, a]}",
        "b: {conv: 4, kernel: 3, pad: 1}",
        "c_conv: {conv: 4, kernel: 3, pad: 1}",
        "c_conv2: {conv: 4, kernel: 3, pad: 1}",
        "c: {concat: [b, c_conv2, a]}",
    ]


@pytest.mark.parametrize(("wrong", "said"), [
    (("above: {conv: 1}", "network: {conv: 1}"), [
        ("`above` is the layer above; no layer can be called so", "give it another name"),
        ("`network` is the whole network; no layer can be called so", "give it another name"),
    ]),
    (("b: {concat: [above, network.z, network.input]}",), [
        ("there is no layer `network.z`", "the network's inputs: `network.x`, `network.y`"),
        ("there is no layer `network.input`", "the network's inputs: `network.x`, `network.y`"),
    ]),
])  # fmt: skip
def test_network_names_each_input_and_no_layer_is_called_so(
    tmp_path: Path, wrong: tuple[str, ...], said: list[tuple[str, str]]
) -> None:
    path = tmp_path / "net.yaml"
    each = "{channels: 3, size: 8}"
    head = HEAD.replace("input: {channels: 3, size: 64}", f"input: {{x: {each}, y: {each}}}")
    path.write_text(head + layers("a: {concat: [network.x, network.y]}", *wrong))
    with pytest.raises(SegcompileError) as caught:
        compile_spec(path, Findings())
    assert [(found.message, found.help) for found in caught.value.diagnostics] == said


CHANNELS = """blocks:
  separable:
    args: [w, s: 1, of: 4]
    layers:
      - depthwise: {conv: channels, stride: s, groups: channels}
      - pointwise: {conv: w, kernel: 1}
      - {softmax: channels}
"""


def test_channels_are_those_that_enter_a_layer_or_a_call(tmp_path: Path) -> None:
    text = CHANNELS + layers(
        "a: {conv: W}", "x: {block: separable, w: 2channels, of: channels}",
        "cat: {concat: [x, a, [{conv: channels//2}]]}", "y: {conv: channels - 8, kernel: 1}",
        "{block: separable, w: channels//3}", '"r{i}": {conv: 2channels, kernel: 1, repeat: 2}',
        "g: [{pool: global_avg}, {linear: channels}]",
    )  # fmt: skip
    assert flat(tmp_path, text) == [
        "a: {conv: 8, kernel: 3, pad: 1}", "x_depthwise: {conv: 8, kernel: 3, pad: 1, groups: 8}",
        "x_pointwise: {conv: 16, kernel: 1}", "x_softmax: {softmax: channels}",
        "cat_conv: {conv: 8, kernel: 3, pad: 1}", "cat: {concat: [x_softmax, a, cat_conv]}",
        "y: {conv: 24, kernel: 1}",
        "depthwise: {conv: 24, kernel: 3, pad: 1, groups: 24}", "pointwise: {conv: 8, kernel: 1}",
        "softmax: {softmax: channels}", "r1: {conv: 16, kernel: 1}", "r2: {conv: 32, kernel: 1}",
        "g_pool: {pool: global_avg}", "g_linear: {linear: 32}",
    ]  # fmt: skip


def test_an_unpool_keeps_the_channels(tmp_path: Path) -> None:
    text = layers("a: {conv: W}", "p: {pool: max, kernel: 2}", "u: {unpool: p}", "b: {conv: 2channels, kernel: 1}")
    assert flat(tmp_path, text)[-2:] == ["u: {unpool: p}", "b: {conv: 16, kernel: 1}"]


def test_defaults_read_the_channels_of_each_layer(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    head = HEAD.replace("pad: same}}", 'pad: same, groups: "1 + (channels == 8)*7"}}')
    path.write_text(head + layers("a: {conv: W}", "b: {conv: 16}", "c: {conv: W}"))
    result = CliRunner().invoke(cli, ["show", "--flat", str(path)], standalone_mode=False)
    assert [line.rpartition(", ")[2] for line in result.stdout.splitlines()[-3:]] == [
        "pad: 1}",
        "groups: 8}",
        "pad: 1}",
    ]


@pytest.mark.parametrize(("text", "message"), [
    ("params: {channels: 3}", "`channels` cannot be a parameter's name: in a layer it is how many channels enter"),
    ("blocks: {b: {args: [channels], layers: [{act: relu}]}}",
     "`channels` cannot be an argument's name: it is a word of the language"),
])  # fmt: skip
def test_nothing_else_is_called_channels(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "net.yaml"
    head = HEAD if text.startswith("blocks") else HEAD.replace("params: {N: 3, W: 8}\n", "")
    path.write_text(f"{head}{text}\n{layers('a: {conv: 8}')}")
    with pytest.raises(SegcompileError) as caught:
        compile_spec(path, Findings())
    assert [found.message for found in caught.value.diagnostics] == [message]


@pytest.mark.parametrize(("wrong", "told"), [
    (("a: {conv: 6}", "b: {add: [a, [{conv: 5}]]}"), "SC301 b: the inputs differ in channels: 6 and 5"),
    (("b: {cnv: 6}",), "SC109 there is no op `cnv`"),
    (("b: {conv: 6, from: a}",), "SC102 there is no layer `a`"),
    (("b: {conv: 6, groups: 4}",), "SC308 b: 3 input channels cannot be split into 4 groups"),
])  # fmt: skip
def test_who_reads_the_channels_of_what_does_not_fit_is_not_blamed(
    tmp_path: Path, wrong: tuple[str, ...], told: str
) -> None:
    path = tmp_path / "net.yaml"
    text = "blocks: {unit: {args: [w, before: channels], layers: [{conv: w, groups: channels}]}}\n"
    path.write_text(HEAD + text + layers(*wrong, "c: {conv: channels}", "d: {block: unit, w: channels//2}"))
    with pytest.raises(SegcompileError) as caught:
        compile_spec(path, Findings())
    assert [f"{found.code.code} {found.message}" for found in caught.value.diagnostics] == [told]


def test_a_default_and_a_repeat_read_the_channels_that_enter(tmp_path: Path) -> None:
    """Also where the call does not say the word, and of each call its own."""
    text = "blocks:\n  outer: {args: [w], layers: [{block: unit, w: w}]}\n"
    text += "  unit:\n    args: [w, before: channels, half: before//2]\n    layers:\n"
    text += "      - tap:  {conv: half, kernel: 1, repeat: channels != half}\n"
    text += "      - wide: {conv: w, kernel: 1, from: tap, repeat: w != channels}\n"
    text += "      - out:  {add: [above, input], repeat: half == before}\n"
    found = flat(tmp_path, text + layers("a: {conv: W}", "x: {block: unit, w: W}", "y: {block: outer, w: 9}"))
    assert found == [
        "a: {conv: 8, kernel: 3, pad: 1}", "x_tap: {conv: 4, kernel: 1}", "x_wide: {conv: 8, kernel: 1}",
        "y_tap: {conv: 4, kernel: 1}", "y_wide: {conv: 9, kernel: 1}",
    ]  # fmt: skip


def test_the_channels_of_a_call_mean_nothing_in_the_block(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    text = 'blocks: {unit: {args: [w], layers: [{for: {i: 1..channels}, layers: ["c{i}": {conv: w}]}]}}\n'
    path.write_text(HEAD + text + layers("a: {block: unit, w: channels}"))
    with pytest.raises(SegcompileError) as caught:
        compile_spec(path, Findings())
    assert [found.message for found in caught.value.diagnostics] == ["`channels` is not a parameter here"]


def test_input_and_above_are_passed_as_what_they_mean_to_the_caller(tmp_path: Path) -> None:
    text = "blocks:\n  inner: {args: [x, y], layers: [c: {conv: 4}, out: {concat: [x, y, input, c]}]}\n"
    text += "  outer:\n    layers:\n      - d: {conv: 5}\n      - e: {conv: 6}\n"
    text += "      - own: {block: inner, x: input, y: above, from: d}\n"
    text += layers("a: {conv: W}", "b: {block: outer}", "z: {block: inner, x: input, y: above}")
    assert flat(tmp_path, text) == [
        "a: {conv: 8, kernel: 3, pad: 1}", "b_d: {conv: 5, kernel: 3, pad: 1}", "b_e: {conv: 6, kernel: 3, pad: 1}",
        "b_own_c: {conv: 4, kernel: 3, pad: 1, from: b_d}", "b_own_out: {concat: [a, b_e, b_d, b_own_c]}",
        "z_c: {conv: 4, kernel: 3, pad: 1}", "z_out: {concat: [input, b_own_out, b_own_out, z_c]}",
    ]  # fmt: skip


def test_in_a_default_input_is_what_enters_the_block(tmp_path: Path) -> None:
    text = "blocks:\n  unit: {args: [w, of: input, all: [above, of]], layers: [c: {conv: w}, {concat: [c, of]}, "
    text += "{concat: all}]}\n" + layers("a: {conv: W}", "b: {conv: 4}", "x: {block: unit, w: 5, from: a}",
                                         "y: {block: unit, w: 6, of: input}")  # fmt: skip
    assert flat(tmp_path, text)[1:] == [
        "x_concat2: {concat: [a, a]}", "y_concat2: {concat: [x_concat2, input]}",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["relu", "stride", "same", "he", "input", "channels"])
def test_no_loop_variable_is_called_like_a_word(tmp_path: Path, name: str) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(HEAD + layers(f'for: {{{name}: 1..2}}\n    layers: ["c{{{name}}}": {{conv: 8}}]'))
    with pytest.raises(SegcompileError) as caught:
        compile_spec(path, Findings())
    message = f"`{name}` cannot be a loop's variable: it is a word of the language"
    assert [found.message for found in caught.value.diagnostics] == [message]
