"""Members that repeat are loops, in constructors and in forward; no weight is called otherwise for that."""

from __future__ import annotations

import re

import pytest

from segcompile.backend import load_backend, run_backend
from segcompile.compiler import compile_spec
from segcompile.library import bundled
from segcompile.testing.cases import compiled, request_for
from segcompile.text.errors import Findings

BACKENDS = ["torch", "jax"]
UNIT = """\
  unit: {args: [d: 1], layers: [c: {conv: 4, dilation: d, norm: batch}, out: {add: [c, input], act: relu}]}
"""
GROW = """\
  grow: {args: [d], layers: [c: {conv: 3, dilation: d}, out: {concat: [input, c]}]}
  stage: {args: [n, d], layers: ["unit{i}": {block: grow, d: d, repeat: n}]}
"""
FIRST = '  - z: {conv: 4}\n  - "a{i}": {block: unit, d: 2, repeat: 3}\n'


def model(layers: str, blocks: str = UNIT, backend: str = "torch") -> str:
    """model.py of a network of these layers and blocks, in one space where there are several, without comments."""
    text = "segcompile: 1\nmodel: net\ninput: {channels: 4, size: 16}\ndefaults: {conv: {kernel: 3, pad: same}}\n"
    source = run_backend(load_backend(backend), compiled(f"{text}blocks:\n{blocks}layers:\n{layers}")[1]).files[
        "model.py"
    ]
    return "\n".join(line.partition("  #")[0].rstrip() for line in str(source).splitlines())


@pytest.mark.parametrize("backend", BACKENDS)
def test_three_members_of_one_class_and_more_are_a_loop(backend: str) -> None:
    found = model(f"{FIRST}  - b1: {{block: unit}}\n  - b2: {{block: unit}}\n", backend=backend)
    rngs = ", rngs=rngs" if backend == "jax" else ""
    assert (
        f"""
        for i in range(1, 4):
            setattr(self, f"a{{i}}", Unit(2{rngs}))
        self.b1 = Unit({rngs[2:]})
""".replace("Unit(2", "Unit(d=2")
        in found
    )
    assert (
        """
            x = getattr(self, f"a{i}")(x)
        x = self.b1(x)
"""
        in found
    )


def test_what_grows_from_turn_to_turn_is_written_with_the_counter() -> None:
    found = model("  - one: {block: stage, n: 3, d: 1}\n  - two: {block: stage, n: 5, d: 2}\n", GROW)
    assert found.count("class Stage") == 1 and "self.two = Stage(13, 5, 2)" in found
    assert (
        """
    def __init__(self, in_channels: int, n: int, d: int) -> None:
        super().__init__()
        self.n = n
        for i in range(1, n + 1):
            setattr(self, f"unit{i}", Grow(in_channels + 3 * (i - 1), d))
"""
        in found
    )
    assert (
        """
        for i in range(1, self.n + 1):
            x = getattr(self, f"unit{i}")(x)
        return x
"""
        in found
    )


def test_the_last_turns_result_may_be_read_again() -> None:
    found = model(f"{FIRST}  - b: {{conv: 4}}\n  - c: {{add: [a3, b]}}\n")
    assert (
        """
        for i in range(1, 4):
            x = getattr(self, f"a{i}")(x)
        a3 = x
        x = self.b(a3)
        x = a3 + x
"""
        in found
    )
    apart = model(f"{FIRST}  - b: {{conv: 4}}\n  - c: {{add: [a2, b]}}\n")
    assert "for i in" not in apart and "a2 = self.a2(x)" in apart


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_reached_by_its_name_is_in_no_loop(backend: str) -> None:
    """A type checker knows no attribute that `setattr` makes."""
    layers = '  - z: {conv: 4}\n  - "a{i}": {block: unit, repeat: 5}\n'
    shared = model(f"{layers}  - b: {{conv: 4, norm: batch, share: a2.c}}\n", backend=backend)
    assert "self.a2 = Unit(" in shared and "self.a2.c(" in shared and "for i in range(3, 6):" in shared
    frozen = model(FIRST, UNIT.replace("norm: batch", "frozen: yes"), backend)
    assert "self.a1 = Unit(" in frozen and "self.a1.c" in frozen and "for i in" not in frozen


def test_names_of_a_loop_are_no_variables() -> None:
    found = model("  - i: {conv: 4}\n  - getattr: {conv: 4}\n  - out: {add: [i, getattr, input]}\n")
    assert "i_ = self.i(image)" in found and "for i in" not in found


ROWS = """\
  low:  {layers: [p: {pool: max, kernel: 2}, c: {conv: channels}]}
  high: {args: [skip], layers: [up: {resize: skip}, both: {concat: [up, skip]}, c: {conv: 4}]}
  u:
    args: [L]
    layers:
      - en1: {conv: 4}
      - for: {n: 2..L}
        layers: ["en{n}": {block: low}]
      - bottom: {conv: 4}
      - for: {n: L..1 by -1}
        layers: ["de{n}": {block: high, skip: "en{n}"}]
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_results_that_are_read_again_are_places_in_a_row(backend: str) -> None:
    found = model("  - one: {block: u, L: 4}\n  - two: {block: u, L: 3}\n", ROWS, backend)
    assert found.count("class U(") == 1
    assert (
        """
        en = {1: self.en1(x)}
        for i in range(2, self.L + 1):
            en[i] = getattr(self, f"en{i}")(en[i - 1])
        x = self.bottom(en[self.L])
        for i in range(self.L, 0, -1):
            x = getattr(self, f"de{i}")(x, en[i])
        return x
"""
        in found
    )


DOWN = """\
  down:
    args: [n]
    layers: ["half{i}": {conv: 4, stride: 2, norm: batch, act: relu, repeat: n-1}, end: {conv: 4, norm: batch}]
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_layers_of_which_some_uses_have_fewer_are_a_loop_of_no_turns_too(backend: str) -> None:
    uses = "".join(f"  - d{n}: {{block: down, n: {n}}}\n" for n in (2, 3, 1))
    found = model(uses, DOWN, backend)
    assert found.count("class Down") == 1 and all(f"self.d{n} = Down({n}" in found for n in (2, 3, 1))
    constructor, forward = found.partition("class Down")[2].split("    def ")[1:3]
    assert '        for i in range(1, n):\n            setattr(self, f"half{i}", ' in constructor
    assert '            setattr(self, f"half{i}_norm", ' in constructor
    assert """\
        for i in range(1, self.n):
            x = relu(getattr(self, f"half{i}_norm")(getattr(self, f"half{i}")(x)))
        x = self.end_norm(self.end(x))
        return x
""" in re.sub(r"\w+\.relu", "relu", re.sub(r"(x = )(getattr.*)\n +x = (\w+\.relu)\(x\)", r"\1\3(\2)", forward))
    twice = model("  - a: {block: down, n: 3}\n  - b: {block: down, n: 3}\n", DOWN, backend)
    assert "self.half2 = " in twice  # all uses have two of them


PAIR = "  pair: {args: [a, b], layers: [c: {conv: 4, from: a}, d: {conv: 4, from: b}]}\n"


def test_what_enters_the_first_turn_is_called_as_what_enters_the_others() -> None:
    layers = "  - a: {conv: 4}\n  - b: {conv: 4}\n  - s: {block: pair, a: a, b: b}\n  - new: {conv: 4}\n"
    layers += "  - u1: {block: pair, a: s.c, b: new}\n"
    layers += "".join(f"  - u{n + 1}: {{block: pair, a: u{n}.c, b: u{n}.d}}\n" for n in (1, 2))
    assert """
        c, d = self.s(a, x)
        d = self.new(d)
        for i in range(1, 4):
            c, d = getattr(self, f"u{i}")(c, d)
""" in model(f"{layers}  - end: {{add: [u3.c, u3.d]}}\n", PAIR)


@pytest.mark.parametrize(
    ("spec", "variant", "most"),
    [("deeplabv3_r101", "os8", 150), ("u2net", "full", 250), ("hrnet_w18", None, 250)],
)
def test_a_deep_network_is_written_in_few_lines(spec: str, variant: str | None, most: int) -> None:
    path = bundled()[spec]
    found = compile_spec(path, Findings(), variant=variant)
    source = str(run_backend(load_backend("torch"), request_for(found, path)).files["model.py"])
    assert source.count("\n") <= most and max(map(len, source.splitlines())) <= 110
