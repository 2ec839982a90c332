"""A diagnostic as a terminal shows it: whole texts, for plain sources and for those that try to break the frame."""

from __future__ import annotations

import json

from segcompile.text.errors import CODES, Diagnostic, Label, SourceText, Span
from segcompile.text.report import as_json, render_one, render_text


def source(*lines: str, name: str = "net.yaml") -> SourceText:
    return SourceText(name, lines)


def span(text: SourceText, line: int, part: str) -> Span:
    """The span of `part` in that line."""
    return Span(text, line, text.lines[line - 1].index(part) + 1, len(part))


def finding(where: Span | None, *labels: Label, message: str = "what is wrong", help: str | None = None) -> Diagnostic:
    return Diagnostic(CODES["SC003"], message, where, labels, help)


def test_the_example_of_the_design_notes() -> None:
    spec = SourceText(
        "specs/dilated_context.yaml",
        ("",) * 10
        + (
            "  dilation:         [  1,   1,   2,   4,   8,   8,   1,   1]",
            "  truncation:       yes",
            "  receptive field:  [  3,   5,   9,  17,  33,  65,  67,  67]",
        ),
    )
    diagnostic = Diagnostic(
        CODES["SC401"],
        "ct5 claims 65, computed 49",
        span(spec, 13, "65"),
        (Label(Span(spec, 11, 49, 1), "33 + 2*8 = 49"),),
        "dilation 16 gives 65",
        ("2 later claims follow from this one and are not shown",),
    )
    assert render_one(diagnostic) == (
        "error[SC401 receptive-field]: ct5 claims 65, computed 49\n"
        "  --> specs/dilated_context.yaml:13:48\n"
        "11 |   dilation:         [  1,   1,   2,   4,   8,   8,   1,   1]\n"
        "   |                                                 - 33 + 2*8 = 49\n"
        "13 |   receptive field:  [  3,   5,   9,  17,  33,  65,  67,  67]\n"
        "   |                                                ^^\n"
        "   = help: dilation 16 gives 65\n"
        "   = note: 2 later claims follow from this one and are not shown"
    )


def test_without_a_span_there_is_only_the_sentence_and_the_help() -> None:
    diagnostic = Diagnostic(CODES["SC106"], "`W` is never used", None, (), "delete it", ("one", "two"))
    assert render_one(diagnostic) == (
        "warning[SC106 unused-parameter]: `W` is never used\n"
        "   = help: delete it\n"
        "   = note: one\n"
        "   = note: two"
    )  # fmt: skip


def test_a_blank_line_stands_between_two() -> None:
    diagnostic = finding(None)
    text = "error[SC003 unknown-key]: what is wrong"
    assert render_text([]) == ""
    assert render_text([diagnostic, diagnostic]) == f"{text}\n\n{text}"


def test_labels_before_after_and_on_the_primary_line() -> None:
    spec = source("a: 1", "b: {c: 2, d: 3}", "", "e: 4")
    labels = (
        Label(span(spec, 4, "e"), "after"),
        Label(span(spec, 2, "d"), "right"),
        Label(span(spec, 1, "1"), "before"),
        Label(span(spec, 2, "b"), ""),
    )
    assert render_one(finding(span(spec, 2, "c: 2"), *labels)) == (
        "error[SC003 unknown-key]: what is wrong\n"
        "  --> net.yaml:2:5\n"
        " 1 | a: 1\n"
        "   |    - before\n"
        " 2 | b: {c: 2, d: 3}\n"
        "   |     ^^^^\n"
        "   |           - right\n"
        "   | -\n"
        " 4 | e: 4\n"
        "   | - after"
    )


def test_each_file_is_named_once_and_the_primary_one_first() -> None:
    net, base, block = source("base: vgg.yaml"), source("x", "model: vgg", name="vgg.yaml"), source("z", name="b.yaml")
    labels = (
        Label(span(base, 2, "vgg"), "base"),
        Label(span(block, 1, "z"), "block"),
        Label(span(net, 1, "vgg.yaml"), "called here"),
        Label(span(base, 1, "x"), "first"),
    )
    assert render_one(finding(span(net, 1, "base"), *labels)) == (
        "error[SC003 unknown-key]: what is wrong\n"
        "  --> net.yaml:1:1\n"
        " 1 | base: vgg.yaml\n"
        "   | ^^^^\n"
        "   |       - called here\n"
        "  ::: vgg.yaml:2:8\n"
        " 1 | x\n"
        "   | - first\n"
        " 2 | model: vgg\n"
        "   |        - base\n"
        "  ::: b.yaml:1:1\n"
        " 1 | z\n"
        "   | - block"
    )


def test_the_gutter_is_as_wide_as_the_largest_line_number() -> None:
    spec = source(*("x",) * 1200)
    labels = (Label(span(spec, 7, "x"), "here"), Label(span(spec, 110, "x"), "there"))
    assert render_one(finding(span(spec, 1200, "x"), *labels, help="mend it")) == (
        "error[SC003 unknown-key]: what is wrong\n"
        "    --> net.yaml:1200:1\n"
        "   7 | x\n"
        "     | - here\n"
        " 110 | x\n"
        "     | - there\n"
        "1200 | x\n"
        "     | ^\n"
        "     = help: mend it"
    )


def test_a_tab_takes_one_column() -> None:
    spec = source("a:\t[1,\t2]")
    assert render_one(finding(span(spec, 1, "2"))) == (
        "error[SC003 unknown-key]: what is wrong\n"
        "  --> net.yaml:1:8\n"
        " 1 | a: [1, 2]\n"
        "   |        ^"
    )  # fmt: skip


def test_control_characters_never_reach_the_terminal() -> None:
    spec = source("a: \x1b[31mred\x07 \u202ex", name="\x1b]0;title\x07.yaml")
    label = Label(span(spec, 1, "a"), "\x1b[2J")
    diagnostic = finding(span(spec, 1, "red"), label, message="`\x1b[31m\nred`", help="\x9b1m")
    assert render_one(diagnostic) == (
        "error[SC003 unknown-key]: `·[31m red`\n"
        "  --> ·]0;title·.yaml:1:9\n"
        " 1 | a: ·[31mred· ·x\n"
        "   |         ^^^\n"
        "   | - ·[2J\n"
        "   = help: ·1m"
    )


def test_a_name_that_is_not_utf8_can_be_printed() -> None:
    spec = source("a", name="net\udcff.yaml")
    render_one(finding(span(spec, 1, "a"))).encode()


def test_a_very_long_line_is_cut_around_its_mark() -> None:
    spec = source("a" * 100_000 + "HERE" + "b" * 99_996)
    assert render_one(finding(span(spec, 1, "HERE"))) == (
        "error[SC003 unknown-key]: what is wrong\n"
        "  --> net.yaml:1:100001\n"
        f" 1 | …{'a' * 59}HERE{'b' * 57}…\n"
        f"   |  {' ' * 59}^^^^"
    )


def test_a_span_that_fills_a_very_long_line_stays_in_the_frame() -> None:
    spec = source("a" * 200_000)
    assert render_one(finding(Span(spec, 1, 1, 200_000))) == (
        "error[SC003 unknown-key]: what is wrong\n"
        "  --> net.yaml:1:1\n"
        f" 1 | {'a' * 120}…\n"
        f"   | {'^' * 120}"
    )  # fmt: skip


def test_marks_far_apart_on_one_line_are_quoted_one_by_one() -> None:
    spec = source("first" + "." * 199_990 + "again")
    assert render_one(finding(span(spec, 1, "again"), Label(span(spec, 1, "first"), "first"))) == (
        "error[SC003 unknown-key]: what is wrong\n"
        "  --> net.yaml:1:199996\n"
        f" 1 | …{'.' * 59}again\n"
        f"   |  {' ' * 59}^^^^^\n"
        f" 1 | first{'.' * 115}…\n"
        "   | - first"
    )


def test_a_very_long_message_is_cut() -> None:
    assert render_one(finding(None, message="x" * 200_000)) == f"error[SC003 unknown-key]: {'x' * 999}…"


def test_east_asian_text_keeps_the_caret_under_its_word() -> None:
    spec = source("about: 图像　分割 network, cafe\u0301: x")
    assert render_one(finding(span(spec, 1, "network"), Label(span(spec, 1, "x"), "here"))) == (
        "error[SC003 unknown-key]: what is wrong\n"
        "  --> net.yaml:1:14\n"
        " 1 | about: 图像　分割 network, cafe\u0301: x\n"
        "   |                   ^^^^^^^\n"
        "   |                                  - here"
    )
    assert render_one(finding(span(spec, 1, "分割"))).endswith("\n   |              ^^^^")


def test_the_end_of_the_file_can_be_marked() -> None:
    spec = source("a: [1", "")
    assert render_one(finding(Span(spec, 2, 1, 1))) == (
        "error[SC003 unknown-key]: what is wrong\n"
        "  --> net.yaml:2:1\n"
        " 2 |\n"
        "   | ^"
    )  # fmt: skip
    assert render_one(finding(Span(spec, 1, 6, 1))).endswith("\n 1 | a: [1\n   |      ^")


def test_json_holds_the_same_content() -> None:
    spec, base = source("a: 1"), source("b: 2", name="base.yaml")
    diagnostic = Diagnostic(
        CODES["SC003"], "m", span(spec, 1, "a"), (Label(span(base, 1, "2"), "here"),), "mend", ("one",)
    )
    assert json.loads(json.dumps(as_json(diagnostic))) == {
        "code": "SC003",
        "slug": "unknown-key",
        "severity": "error",
        "message": "m",
        "span": {"file": "net.yaml", "line": 1, "column": 1, "length": 1},
        "labels": [{"file": "base.yaml", "line": 1, "column": 4, "length": 1, "text": "here"}],
        "help": "mend",
        "notes": ["one"],
    }
    assert as_json(finding(None))["span"] is None
