"""Lines of forward: where they are broken, and where they say what changed."""

from __future__ import annotations

import re

import pytest

from segcompile.backend import load_backend, run_backend
from segcompile.emit.body import Statement
from segcompile.emit.lines import statement_lines
from segcompile.testing.cases import compiled


def forward(layers: str, backend: str = "torch", outputs: str = "") -> str:
    """The lines of forward of a network of these layers."""
    text = "segcompile: 1\nmodel: net\ninput: {channels: 4, size: 16}\n"
    text += f"defaults: {{conv: {{kernel: 3, pad: same}}}}\nlayers:\n{layers}{outputs}"
    source = str(run_backend(load_backend(backend), compiled(text)[1]).files["model.py"])
    return re.split(r"    def (?:forward|__call__).*\n", source)[-1]


def test_a_line_says_what_it_makes_where_that_is_not_what_the_line_before_made() -> None:
    layers = "  - a: {conv: 8}\n  - b: {conv: 8, kernel: 1}\n  - c: {conv: 8, kernel: 1}\n  - d: {conv: 4, kernel: 1}\n"
    assert (
        forward(layers)
        == """\
        x: Tensor = self.a(image)  # (B, 8, 16, 16)   stride 1   rf 3
        x = self.b(x)
        x = self.c(x)
        x = self.d(x)              # (B, 4, 16, 16)   stride 1   rf 3
        return x
"""
    )


def test_no_comment_stands_on_a_line_of_its_own_and_each_ends_its_statement() -> None:
    layers = "  - a: {conv: 8, norm: batch, act: relu, drop: 0.25}\n  - b: {resize: [2, 4], mode: bilinear}\n"
    assert (
        forward(layers)
        == """\
        x = F.relu(self.a_norm(self.a(image)))
        x = F.dropout(x, 0.25, self.training)         # (B, 8, 16, 16)   stride 1   rf 3
        return F.interpolate(
            x, scale_factor=(2, 4), mode="bilinear")  # (B, 8, 32, 64)   stride 1/2x1/4   rf 4
""".replace("stride 1   rf 3", "stride 1         rf 3")
    )


@pytest.mark.parametrize(
    ("target", "code", "wanted"),
    [
        ("x", "f(g(x), y)", ["x = g(x)", "x = f(x, y)"]),
        ("x", "f(y + x)", ["x = y + x", "x = f(x)"]),
        ("x", "f(g(y), x)", ["x = f(", "    g(y), x)"]),  # x would not be there any more
        ("a, b", "f(g(y))", ["a, b = f(", "    g(y))"]),
        ("x", "f([a, b], 1)", ["x = f([", "    a, b], 1)"]),
        ("x", 'f("bck,bchw->bkhw", x)', ["x = f(", '    "bck,bchw->bkhw", x)']),  # a comma in quotes parts nothing
    ],
)
def test_a_statement_without_room_for_its_comment_is_two_or_broken(target: str, code: str, wanted: list[str]) -> None:
    room = 110 - len("        ") - len(f"{target} = {code}  # ")
    fits, too_long = (statement_lines([Statement(target, code, ("c" * size,))], "Tensor") for size in (room, room + 1))
    assert fits == [f"{target} = {code}  # {'c' * room}"]
    assert [line.partition("  # ")[0].rstrip() for line in too_long] == wanted
    assert too_long[-1].endswith("  # " + "c" * (room + 1))


def test_stages_are_set_apart_and_named_at_the_right_of_their_first_lines() -> None:
    layers = "".join(f"  - conv{n}_{i}: {{conv: {4 * n}}}\n" for n in (1, 2) for i in (1, 2))
    for backend, kind in (("torch", "Tensor"), ("jax", "jax.Array")):
        found = forward(layers.replace("  - conv2_1", "  - pool1: {pool: max, kernel: 2}\n  - conv2_1"), backend)
        (first, second, _, empty, third, fourth) = found.splitlines()[:6]
        assert first.lstrip().startswith(f"x: {kind} = self.conv1_1(") and "  # conv1   (B, " in first
        assert empty == "" and "self.conv2_1(" in third and "  # conv2   (B, " in third
        assert "  #         (B, " in second and "  #         (B, " in fourth
    assert "  # (B, " in forward("  - a: {conv: 4}\n  - b: {conv: 5}\n")  # no stages, no names


def test_a_long_line_takes_the_room_of_a_stages_name_where_none_begins() -> None:
    short, long = Statement("x", "f(x)", ("c" * 40,), stage="stage2"), Statement("x", f"f({'x' * 47})", ("c" * 40,))
    first, second = statement_lines([short, long], "Tensor")
    assert second == f"x = f({'x' * 47})  # {'c' * 40}" and first.endswith(f"  # stage2   {'c' * 40}")
    assert first.index("ccc") == second.index("ccc")


def test_two_names_in_turn_are_a_stage_and_a_single_layer_is_of_the_stage_of_its_number() -> None:
    turns = "".join(f"  - up{n}: {{deconv: 4, kernel: 2, stride: 2}}\n  - dec{n}: {{conv: 4}}\n" for n in (2, 1))
    found = forward(f"  - enc1: {{conv: 4}}\n  - enc2: {{conv: 4}}\n{turns}")
    assert re.findall(r"self\.(\w+)\(.*# ([a-z]\w*)", found) == [("enc1", "enc"), ("up2", "up")]
    units = "".join(
        f"  - embed{n}: {{conv: 4}}\n  - stage{n}_1: {{conv: 4}}\n  - stage{n}_2: {{conv: 4}}\n" for n in (1, 2)
    )
    assert re.findall(r"self\.(\w+)\(.*# ([a-z]\w*)", forward(units)) == [("embed1", "stage1"), ("embed2", "stage2")]


def test_a_dict_of_many_heads_is_broken() -> None:
    names = [f"a_head_of_long_name_{index}" for index in range(4)]
    layers = "".join(f"  - {name}: {{conv: 2, from: input}}\n" for name in names)
    outputs = f"outputs: {{{', '.join(f'{name}: {name}' for name in names)}}}\n"
    found = forward(layers, outputs=outputs)
    assert '        return {\n            "a_head_of_long_name_0": a_head_of_long_name_0,' in found
    assert max(map(len, found.splitlines())) <= 110


def test_what_is_no_call_stays_whole() -> None:
    statement = Statement("scaled", "2.6108584674392104 * " + "volume" * 12, ("(B, 4, 8, 6, 8)", "stride 1", "rf 1"))
    (line,) = [line for line in statement_lines([statement], "Tensor") if "volume" in line]
    assert line.startswith("scaled = 2.6108584674392104 * volume") and "()" not in line
