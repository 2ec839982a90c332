"""The classes of a model: which scopes have one, what it is called, and what its constructor takes."""

from __future__ import annotations

import pytest

from segcompile.backend import load_backend, run_backend
from segcompile.testing.cases import compiled

BACKENDS = ["torch", "jax"]


def model(layers: str, backend: str = "torch", blocks: str = "", size: int = 16) -> str:
    """model.py of a network of these layers, and of these blocks."""
    text = f"segcompile: 1\nmodel: net\ninput: {{channels: 4, size: {size}}}\n"
    text += "defaults: {conv: {kernel: 3, pad: same}}\n"
    text += f"blocks:\n{blocks}" if blocks else ""
    return str(run_backend(load_backend(backend), compiled(f"{text}layers:\n{layers}")[1]).files["model.py"])


def lines(source: str, word: str) -> list[str]:
    """The lines that hold a word, without their comments."""
    return [line.partition("  #")[0].strip() for line in source.splitlines() if word in line]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_scope_without_weights_is_written_in_place(backend: str) -> None:
    blocks = "  up: {args: [to], layers: [big: {resize: to}, both: {concat: [big, to]}]}\n"
    layers = "  - a: {conv: 4}\n  - half: {conv: 4, stride: 2}\n  - b: {block: up, to: a}\n"
    found = model(f"{layers}  - c: {{conv: 4}}\n  - d: {{add: [b.big, c]}}\n", backend, blocks)
    assert "class Up" not in found and "self.b" not in found
    assert lines(found, "([")[0].startswith("x = ") and "([big, a], " in found  # the only name that is read again


def test_a_variable_is_free_again_where_it_is_read_no_more() -> None:
    blocks = "  two: {args: [a, b], layers: [c: {conv: 4, from: a}, d: {conv: 4, from: b}]}\n"
    layers = "  - a: {conv: 4}\n  - b: {conv: 4}\n  - one: {block: two, a: a, b: b}\n"
    layers += "  - two: {block: two, a: one.c, b: one.d}\n  - end: {add: [two.c, two.d]}\n"
    assert lines(model(layers, blocks=blocks), "self.one(") == ["c, d = self.one(a, x)"]
    assert lines(model(layers, blocks=blocks), "self.two(") == ["c, d = self.two(c, d)"]


RESIDUAL = """\
  residual:
    args: [w, s: 1]
    layers:
      - a: {conv: w, kernel: 1, norm: batch, act: relu}
      - b: {conv: 4w, stride: s, norm: batch}
      - shortcut: {conv: 4w, kernel: 1, stride: s, from: input, repeat: "channels != 4*w"}
      - out: {add: [b, above], act: relu}
"""
DEEP = """\
  - one1: {block: residual, w: 4}
  - "one{i+1}": {block: residual, w: 4, repeat: 2}
  - two1: {block: residual, w: 8, s: 2}
  - two2: {block: residual, w: 8}
"""


def test_a_class_has_its_blocks_arguments_in_their_order_with_their_defaults() -> None:
    found = model(DEEP, blocks=RESIDUAL)
    assert lines(found, "def __init__(self, in") == [
        "def __init__(self, in_channels: int, w: int, s: int = 1, shortcut: bool = False) -> None:",
    ]
    assert lines(found, "self.b = ") == ["self.b = nn.Conv2d(w, 4 * w, 3, stride=s, padding=1)"]
    assert lines(found, "self.one")[:2] == ["self.one1 = Residual(4, 4, shortcut=True)", "self.one2 = Residual(16, 4)"]
    assert lines(found, "self.two")[0] == "self.two1 = Residual(16, 8, s=2, shortcut=True)"


WAYS = """\
  two_ways:
    args: [k: 1, way: 0]
    layers:
      - a: {conv: 4, act: relu}
      - w: {conv: 4, kernel: k, from: input, repeat: way}
      - out: {add: [a, above]}
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_layers_that_some_uses_have_not_stand_behind_a_flag(backend: str) -> None:
    found = model("  - x: {block: two_ways, way: 1}\n  - y: {block: two_ways}\n", backend, WAYS)
    assert lines(found, "class ")[-2:] == [
        line for line in lines(found, "class ") if "TwoWays" in line or "Net" in line
    ]
    assert lines(found, "self.has_w") == ["self.has_w = w", "if self.has_w:"]
    (made, used) = lines(found, "self.w")
    assert f"        if w:\n            {made}" in found and f"        if self.has_w:\n            {used}" in found
    assert used == "x = self.w(x)" and lines(found, "y + x") + lines(found, "a + x")


@pytest.mark.parametrize("backend", BACKENDS)
def test_layers_that_some_uses_have_not_and_others_hand_on_are_a_class_of_their_own(backend: str) -> None:
    uses = "  - x: {block: two_ways, way: 1}\n  - y: {block: two_ways}\n  - z: {add: [y, x.w]}\n"
    assert not lines(model(uses, backend, WAYS), "self.has_w")


def test_layers_without_which_another_argument_is_read_are_a_class_of_their_own() -> None:
    uses = "  - x: {block: two_ways, way: 1}\n  - y: {block: two_ways}\n"
    again = WAYS.replace("[a, above]", "[a, above, input]")  # where the way is, its argument is read behind it
    assert model(uses, blocks=again).count("(nn.Module)") == 3
    unlike = "  - x: {block: two_ways, k: 1, way: 1}\n  - y: {block: two_ways, k: 3, way: 1}\n"
    assert "TwoWays(k=3, w=True)" in model(f"{unlike}  - z: {{block: two_ways}}\n", blocks=WAYS)


def test_a_class_of_one_use_has_its_blocks_arguments_too() -> None:
    blocks = "  wide: {args: [n, w], layers: [a: {conv: w}, b: {conv: 2w, kernel: n}]}\n"
    found = model("  - x: {block: wide, n: 1, w: 6}\n", blocks=blocks)
    assert "def __init__(self, w: int) -> None:" in found and "self.x = Wide(6)" in found
    assert lines(found, " = nn.") == [*("self.a = nn.Conv2d(4, w, 3, padding=1)", "self.b = nn.Conv2d(w, 12, 1)")]


def test_the_numbers_of_forward_are_arguments_that_the_class_keeps() -> None:
    blocks = "  causal: {args: [d], layers: [a: {conv: 4, dilation: d, pad: causal, drop: 0.1}, b: {conv: 4}]}\n"
    text = model("  - x: {block: causal, d: 1}\n  - y: {block: causal, d: 2}\n", blocks=blocks)
    assert "def __init__(self, d: int) -> None:" in text and "self.d = d" in text
    assert "F.pad(x, (2 * self.d, 0, 2 * self.d, 0))" in text and text.count("(nn.Module)") == 2
    rates = model(
        "  - x: {block: half, drop: 0.1}\n  - y: {block: half, drop: 0.5}\n",
        blocks="  half: {args: [drop], layers: [a: {conv: 4, drop: drop}, b: {conv: 4}]}\n",
    )
    assert lines(rates, "dropout: float") == ["def __init__(self, dropout: float) -> None:"]
    assert "F.dropout(self.a(x), self.dropout, self.training)" in rates and "self.x = Half(0.1)" in rates


def test_one_argument_says_what_follows_of_it() -> None:
    blocks = "  pair: {args: [d], layers: [a: {conv: channels, dilation: d}, b: {conv: channels, dilation: 2d}]}\n"
    found = model("  - x: {block: pair, d: 1}\n  - y: {block: pair, d: 3}\n", blocks=blocks)
    assert lines(found, "self.b = ") == ["self.b = nn.Conv2d(4, 4, 3, padding=2 * d, dilation=2 * d)"]
    dense = "  dense: {layers: [a: {conv: 8}, both: {concat: [input, a]}, c: {conv: channels}]}\n"
    found = model("  - x: {block: dense}\n  - y: {block: dense}\n", blocks=dense)
    assert lines(found, "self.c = ") == ["self.c = nn.Conv2d(in_channels + 8, in_channels + 8, 3, padding=1)"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_arguments_of_forward_are_called_as_their_block_calls_them(backend: str) -> None:
    blocks = "  up: {args: [skip, of], layers: [a: {concat: [input, skip]}, b: {conv: 4}, c: {add: [b, of]}]}\n"
    layers = "  - s: {conv: 4}\n  - t: {conv: 4}\n  - one: {block: up, of: s, skip: t, from: input}\n"
    found = model(f"{layers}  - two: {{block: up, of: one, skip: s}}\n", backend, blocks)
    forward = next(line for line in lines(found, "def ") if "(self, x: " in line)
    named = forward.partition(", x: ")[2].replace("jax.Array", "Tensor")
    assert named.startswith("Tensor, skip: Tensor, of: Tensor) -> ")
    assert lines(found, "self.one(") == ["x = self.one(image, x, s)"]


def test_what_enters_a_chain_is_called_by_what_its_uses_have_in_common() -> None:
    chain = "  - up{n}: [{{concat: [above, en{n}]}}, {{conv: 4}}, {{resize: network.input}}]\n"
    layers = "  - en1: {conv: 4}\n  - en2: {conv: 4, stride: 2}\n  - x: {conv: 4}\n" + chain.format(n=2)
    layers += chain.format(n=1).replace("network.input", "en2")
    assert lines(model(layers), "def forward")[0] == "def forward(self, x: Tensor, en: Tensor, like: Tensor) -> Tensor:"


@pytest.mark.parametrize("backend", BACKENDS)
def test_classes_of_one_block_are_called_by_what_sets_them_apart(backend: str) -> None:
    blocks = """\
  stack:
    args: [n, last: 0]
    layers: ["c{i}": {conv: channels, repeat: n}, end: {conv: channels, repeat: last}]
"""
    layers = "".join(f"  - s{n}: {{block: stack, n: {n}}}\n" for n in (2, 3))
    found = model(f"{layers}  - s4: {{block: stack, n: 3, last: 1}}\n", backend, blocks)
    names = [line.partition(" ")[2].partition("(")[0] for line in lines(found, "class ")]
    assert [name for name in names if name.startswith("Stack")] == ["Stack", "StackLast"]
    fork = """\
  fork:
    args: [n]
    layers:
      - {for: {i: 1..n}, layers: ["c{i}": {conv: 4, from: input}]}
      - out: {concat: [{for: {i: 1..n}, name: "c{i}"}]}
"""
    found = model("  - x: {block: fork, n: 2}\n  - y: {block: fork, n: 3}\n", backend, fork)
    assert "class Fork2(" in found and "class Fork3(" in found
    unlike = "  cell: {args: [act], layers: [a: {conv: 4, act: act}, b: {conv: 4}]}\n"
    found = model("  - x: {block: cell, act: relu}\n  - y: {block: cell, act: elu}\n", backend, unlike)
    assert "class Cell(" in found and "class CellElu(" in found


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_call_that_a_sum_alone_reads_is_written_as_its_term(backend: str) -> None:
    branch = "  branch: {layers: [c: {conv: 4}, d: {conv: 4}]}\n"
    parts = "b: {block: branch}, c: {block: branch, from: input}, out: {add: [b, input, c]}"
    whole = f"{branch}  whole: {{layers: [{parts}]}}\n"
    layers = "  - one: {block: whole}\n"
    assert lines(model(layers, backend, whole), "self.b(") == ["x = self.b(x) + x + self.c(x)"]
    linked = whole.replace("block: branch, from: input", "block: branch").replace("[b, input, c]", "[c, input]")
    assert lines(model(layers, backend, linked), "self.c(")[-1] == "y = self.c(y)"  # a link of a chain
    joined = whole.replace("{add: [b, input, c]}", "{concat: [b, input, c]}, end: {conv: 4}")
    assert lines(model(layers, backend, joined), "self.b(") == ["b = self.b(x)"]  # no sum


def test_each_of_several_results_has_its_name() -> None:
    blocks = "  two: {layers: [c: {conv: 4}, d: {conv: 4}]}\n"
    found = model("  - a: {block: two}\n  - b: {add: [a.c, a.d]}\n", blocks=blocks)
    assert lines(found, "self.d(") + lines(found, "return c") == ["d = self.d(c)", "return c, d"]


def test_a_number_is_written_with_what_it_is_the_least_multiple_of() -> None:
    blocks = (
        "  unit: {args: [heads], layers: [attn: {attention: heads}, fc: {conv: 4channels}, end: {conv: channels//4}]}\n"
    )
    layers = "".join(f"  - w{n}: {{conv: {8 * n}}}\n  - u{n}: {{block: unit, heads: {n}}}\n" for n in (1, 2))
    found = model(layers, blocks=blocks)
    assert lines(found, "self.attn = ") == ["self.attn = Attention(in_channels, heads)"]
    assert lines(found, "self.fc = ") == ["self.fc = nn.Conv2d(in_channels, 4 * in_channels, 3, padding=1)"]


def test_arguments_that_only_layers_have_are_called_by_these() -> None:
    blocks = """\
  pyramid:
    args: [d]
    layers:
      - {for: {k: 1..2, d: d}, layers: ["b{k}": {conv: 4, dilation: d, from: input}]}
      - out: {concat: [b1, b2]}
"""
    found = model("  - x: {block: pyramid, d: [1, 2]}\n  - y: {block: pyramid, d: [3, 4]}\n", blocks=blocks)
    assert "b1_dilation: int, b2_dilation: int) -> None:" in found
    assert lines(found, "Pyramid(")[1:] == ["self.x = Pyramid(4, 1, 2)", "self.y = Pyramid(8, 3, 4)"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_block_of_a_map_and_of_a_list_is_two_classes(backend: str) -> None:
    blocks = "  two: {layers: [a: {conv: 4, kernel: 1, pad: 0}, b: {conv: 4, kernel: 1, pad: 0}]}\n"
    layers = "  - m: {block: two}\n  - list: {token: 1}\n  - l: {block: two}\n  - out: {map: positions}\n"
    found = model(layers, backend, blocks)
    assert len(lines(found, "`two` of the spec")) == 2
