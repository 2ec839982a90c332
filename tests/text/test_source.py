"""Whatever bytes come in, a mapping or a diagnostic comes out, and it points into the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segcompile.text.errors import SegcompileError, Span
from segcompile.text.report import render_text
from segcompile.text.source import Mapping, Node, Scalar, Sequence, describe, load, parse, scalars

NAME = "net.yaml"


def refusal(data: str | bytes, folder: Path) -> str:
    """The rendered diagnostics of a file that holds `data`."""
    path = folder / NAME
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(SegcompileError) as caught:
        load(path, NAME)
    return render_text(caught.value.diagnostics)


BAD = {
    "an empty file": (
        "",
        "error[SC012 incomplete]: `net.yaml` is empty\n"
        "   = help: a spec starts with `segcompile: 1`",
    ),
    "comments only": (
        "# later\n",
        "error[SC012 incomplete]: `net.yaml` is empty\n"
        "   = help: a spec starts with `segcompile: 1`",
    ),
    "invalid UTF-8": (
        b"a: 1\nb: \xff\n",
        "error[SC009 unreadable-file]: `net.yaml` is not UTF-8: byte 0xff in line 2\n"
        "   = help: save the file as UTF-8",
    ),
    "UTF-16": (
        "a: 1\n".encode("utf-16-le"),
        "error[SC001 yaml-syntax]: the character U+0000 is not text\n"
        "  --> net.yaml:1:2\n"
        " 1 | a·:· ·1·\n"
        "   |  ^\n"
        "   = help: delete it",
    ),
    "a billion laughs": (
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "error[SC010 unsupported-yaml]: anchors and aliases are not part of the spec language\n"
        "  --> net.yaml:1:4\n"
        " 1 | a: &a [x, x]\n"
        "   |    ^^^^\n"
        "   = help: say it once with `params`, `defaults` or `blocks`",
    ),
    "an alias": (
        "a: *b\n",
        "error[SC010 unsupported-yaml]: anchors and aliases are not part of the spec language\n"
        "  --> net.yaml:1:4\n"
        " 1 | a: *b\n"
        "   |    ^^\n"
        "   = help: say it once with `params`, `defaults` or `blocks`",
    ),
    "a tag": (
        "a: !!python/object/apply:os.system [x]\n",
        "error[SC010 unsupported-yaml]: tags are not part of the spec language\n"
        "  --> net.yaml:1:4\n"
        " 1 | a: !!python/object/apply:os.system [x]\n"
        "   |    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "   = help: write the plain value",
    ),
    "two documents": (
        "a: 1\n---\nb: 2\n",
        "error[SC010 unsupported-yaml]: a spec is one YAML document; a second one starts here\n"
        "  --> net.yaml:2:1\n"
        " 2 | ---\n"
        "   | ^^^\n"
        "   = help: a second spec is a file of its own",
    ),
    "a duplicate key": (
        "a: 1\nb: 2\na: 3\n",
        "error[SC002 given-twice]: `a` is given twice\n"
        "  --> net.yaml:3:1\n"
        " 1 | a: 1\n"
        "   | - first written here\n"
        " 3 | a: 3\n"
        "   | ^\n"
        "   = help: keep one of them",
    ),
    "a duplicate key after CRLF, in a list": (
        "layers:\r\n- c1: {conv: 1,\r\n       conv: 2}\r\n",
        "error[SC002 given-twice]: `conv` is given twice\n"
        "  --> net.yaml:3:8\n"
        " 2 | - c1: {conv: 1,\n"
        "   |        - first written here\n"
        " 3 |        conv: 2}\n"
        "   |        ^^^^\n"
        "   = help: keep one of them",
    ),
    "a NUL byte": (
        "a: 1\nb: x\0y\n",
        "error[SC001 yaml-syntax]: the character U+0000 is not text\n"
        "  --> net.yaml:2:5\n"
        " 2 | b: x·y\n"
        "   |     ^\n"
        "   = help: delete it",
    ),
    "an escaped NUL": (
        'a: "x\\0y"\n',
        "error[SC001 yaml-syntax]: the character U+0000 is not text\n"
        "  --> net.yaml:1:4\n"
        ' 1 | a: "x\\0y"\n'
        "   |    ^^^^^^\n"
        "   = help: delete it",
    ),
    "half a surrogate pair": (
        'a: "\\ud800"\n',
        "error[SC001 yaml-syntax]: the character U+D800 is not text\n"
        "  --> net.yaml:1:4\n"
        ' 1 | a: "\\ud800"\n'
        "   |    ^^^^^^^^\n"
        "   = help: delete it",
    ),
    "an escape beyond Unicode": (
        'a: 1\nb: "\\U00110000"\n',
        "error[SC001 yaml-syntax]: there is no character `\\U00110000`\n"
        "  --> net.yaml:2:5\n"
        ' 2 | b: "\\U00110000"\n'
        "   |     ^^^^^^^^^^",
    ),
    "a byte order mark inside": (
        "a: 1\n\ufeffb: 2\n",
        "error[SC001 yaml-syntax]: the character U+FEFF is not text\n"
        "  --> net.yaml:2:1\n"
        " 2 | ·b: 2\n"
        "   | ^\n"
        "   = help: delete it",
    ),
    "a line separator pasted from a PDF": (
        "a: 1\u2028b: 2\n",
        "error[SC001 yaml-syntax]: the character U+2028 is not text\n"
        "  --> net.yaml:1:5\n"
        " 1 | a: 1·b: 2\n"
        "   |     ^\n"
        "   = help: delete it",
    ),
    "an unterminated double quote": (
        'a: 1\nb: "open\nc: 2\n',
        "error[SC001 yaml-syntax]: this quote is never closed\n"
        "  --> net.yaml:2:4\n"
        ' 2 | b: "open\n'
        "   |    ^",
    ),
    "an unterminated single quote": (
        "b: 'open",
        "error[SC001 yaml-syntax]: this quote is never closed\n"
        "  --> net.yaml:1:4\n"
        " 1 | b: 'open\n"
        "   |    ^",
    ),
    "an unclosed list": (
        "a: [1, 2\nb: 3\n",
        "error[SC001 yaml-syntax]: a `,` or `]` is missing before this\n"
        "  --> net.yaml:2:2\n"
        " 1 | a: [1, 2\n"
        "   |    - the list starts here\n"
        " 2 | b: 3\n"
        "   |  ^",
    ),
    "an unclosed mapping": (
        "a: {b: 1, c: 2\nd: [\n",
        "error[SC001 yaml-syntax]: a `,` or `}` is missing before this\n"
        "  --> net.yaml:2:2\n"
        " 1 | a: {b: 1, c: 2\n"
        "   |    - the mapping starts here\n"
        " 2 | d: [\n"
        "   |  ^",
    ),
    "deep nesting": (
        "a: " + "[" * 40 + "]" * 40,
        "error[SC111 too-large]: nested more than 32 deep\n"
        "  --> net.yaml:1:35\n"
        f" 1 | a: {'[' * 40}{']' * 40}\n"
        f"   | {' ' * 34}^",
    ),
    "a list at the top": (
        "- a\n- b\n",
        "error[SC004 wrong-type]: a spec is a mapping, not a list\n"
        "  --> net.yaml:1:1\n"
        " 1 | - a\n"
        "   | ^\n"
        "   = help: it starts with `segcompile: 1`",
    ),
    "a word at the top": (
        "hello\n",
        "error[SC004 wrong-type]: a spec is a mapping, not `hello`\n"
        "  --> net.yaml:1:1\n"
        " 1 | hello\n"
        "   | ^^^^^\n"
        "   = help: it starts with `segcompile: 1`",
    ),
    "a list as a key": (
        "? [a, b]\n: 1\n",
        "error[SC004 wrong-type]: a key is a word or a number, not a list\n"
        "  --> net.yaml:1:3\n"
        " 1 | ? [a, b]\n"
        "   |   ^\n"
        "   = help: one word before the `:`; `{{name}}` of a template engine is to be filled in first",
    ),
    "a tab as indentation": (
        "a:\n\tb: 1\n",
        "error[SC001 yaml-syntax]: a tab cannot stand here\n"
        "  --> net.yaml:2:1\n"
        " 2 |  b: 1\n"
        "   | ^\n"
        "   = help: indent and separate with spaces",
    ),
    "a tab before a value": (
        "a:\t[1,\t2]\n",
        "error[SC001 yaml-syntax]: a tab cannot stand here\n"
        "  --> net.yaml:1:3\n"
        " 1 | a: [1, 2]\n"
        "   |   ^\n"
        "   = help: indent and separate with spaces",
    ),
    "a key in the wrong column": (
        "a: 1\n  b: 2\n",
        "error[SC001 yaml-syntax]: a `:` cannot stand here\n"
        "  --> net.yaml:2:4\n"
        " 2 |   b: 2\n"
        "   |    ^\n"
        "   = help: is a quote or a line's indentation missing?",
    ),
    "a key without a value": (
        "a: 1\nfoo\nb: 2\n",
        "error[SC001 yaml-syntax]: this has no `:` and no value\n"
        "  --> net.yaml:2:1\n"
        " 2 | foo\n"
        "   | ^",
    ),
    "a line that is indented too little": (
        "a:\n    b: 1\n  c: 2\n",
        "error[SC001 yaml-syntax]: this belongs to nothing above it\n"
        "  --> net.yaml:3:3\n"
        " 1 | a:\n"
        "   | - the mapping starts here\n"
        " 3 |   c: 2\n"
        "   |   ^\n"
        "   = help: indent it like its neighbours",
    ),
    "a value that starts with an @": (
        "a: @b\n",
        "error[SC001 yaml-syntax]: `@` cannot start a value\n"
        "  --> net.yaml:1:4\n"
        " 1 | a: @b\n"
        "   |    ^\n"
        "   = help: put the value in quotes",
    ),
    "YAML 9": (
        "%YAML 9.9\n---\na: 1\n",
        "error[SC001 yaml-syntax]: found incompatible YAML document (version 1.* is required)\n"
        "  --> net.yaml:1:1\n"
        " 1 | %YAML 9.9\n"
        "   | ^",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "text"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_gets_this_message(data: str | bytes, text: str, tmp_path: Path) -> None:
    assert refusal(data, tmp_path) == text


_WORD = "more than 100,000 characters without a space"
BIG = {
    "10 MB of brackets": ("[" * 10_000_000, "error[SC111 too-large]: `net.yaml` is larger than 2 MiB"),
    "90 kB of brackets": ("[" * 90_000, "error[SC111 too-large]: nested more than 32 deep"),
    "2 MB of braces": ("{ " * 1_000_000, "error[SC111 too-large]: nested more than 32 deep"),
    "2 MB of dashes": ("- " * 1_000_000, "error[SC111 too-large]: nested more than 32 deep"),
    "2 MB in an open quote": ("a: '" + "x " * 1_000_000, "error[SC001 yaml-syntax]: this quote is never closed"),
    "2 MB of prose": ("a: " + "x " * 1_000_000, "error[SC111 too-large]: a value of more than 10,000 characters"),
    "2 MB of key": ("k" * 2_000_000 + ": 1", f"error[SC111 too-large]: {_WORD}"),
    "2 MB of tag": ("a: !" + "k" * 2_000_000 + " 1", f"error[SC111 too-large]: {_WORD}"),
    "9 kB of key": ("k" * 9_000 + ": 1", "error[SC001 yaml-syntax]: a `:` cannot stand here"),
}


@pytest.mark.parametrize(("data", "first"), BIG.values(), ids=BIG.keys())
def test_a_huge_file_is_refused_in_few_words(data: str, first: str, tmp_path: Path) -> None:
    text = refusal(data, tmp_path)
    assert text.splitlines()[0] == first
    assert len(text) < 600


def test_more_values_than_any_spec_has_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("segcompile.text.source.MAX_VALUES", 1000)
    assert refusal("a: [" + "1, " * 2000 + "]\n", tmp_path).startswith(
        "error[SC111 too-large]: more than 1,000 keys and values\n  --> net.yaml:1:2996\n"
    )


def test_a_long_value_is_quoted_in_part(tmp_path: Path) -> None:
    first, *_ = refusal("h" * 9_000, tmp_path).splitlines()
    assert first == f"error[SC004 wrong-type]: a spec is a mapping, not `{'h' * 59}…`"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            ".",
            "error[SC009 unreadable-file]: `.` is a directory\n   = help: name a spec file, for example specs/*.yaml",
        ),
        ("nowhere.yaml", "error[SC009 unreadable-file]: there is no file `nowhere.yaml`"),
        ("a\0b", "error[SC009 unreadable-file]: `a·b` cannot be read: embedded null byte"),
        (
            "n" * 300,
            f"error[SC009 unreadable-file]: `{'n' * 300}` cannot be read: File name too long",
        ),
    ],
)
def test_a_path_without_a_file_is_named(path: str, text: str) -> None:
    with pytest.raises(SegcompileError) as caught:
        load(Path(path))
    assert render_text(caught.value.diagnostics) == text


# --- what loads


def plain(node: Node) -> object:
    """The tree as Python data; every scalar is text."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, (_, value) in node.entries.items()}


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: 1\nb: [x, {c: yes}]\n", {"a": "1", "b": ["x", {"c": "yes"}]}),
        ("a: 0o17\nb: 1e-3\nc: ~\nd:\n", {"a": "0o17", "b": "1e-3", "c": "~", "d": ""}),
        ("a: 1\r\nb: [1,\r\n  2]\r\n", {"a": "1", "b": ["1", "2"]}),
        ("'a': \"é\\u00e9\\n\"\n", {"a": "éé\n"}),
        ("about: 图像　分割\n", {"about": "图像　分割"}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("---\na: 1\n...\n", {"a": "1"}),
        ("{a: 1, 2: b, yes: c}", {"a": "1", "2": "b", "yes": "c"}),
    ],
)
def test_scalars_stay_as_they_were_written(text: str, data: object) -> None:
    assert plain(parse(text, NAME)) == data


def test_a_byte_order_mark_at_the_start_is_no_content(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"\xef\xbb\xbfa: 1\n")
    root = load(tmp_path / NAME)
    assert plain(root) == {"a": "1"}
    assert str(root.key("a").span) == f"{tmp_path / NAME}:1:1"


def test_every_value_knows_where_it_stands() -> None:
    root = parse('a: 1\nlist: [x,\n       "two words"]\n', NAME)
    stretches = [(s.text, s.span.line, s.span.column, s.span.length, s.quoted) for s in scalars(root)]
    assert stretches == [
        ("a", 1, 1, 1, False),
        ("1", 1, 4, 1, False),
        ("list", 2, 1, 4, False),
        ("x", 2, 8, 1, False),
        ("two words", 3, 8, 11, True),
    ]


def test_values_are_described_in_a_word_or_two() -> None:
    root = parse("a: [{b: }, 1]", NAME)
    items = root.get("a")
    assert isinstance(items, Sequence) and isinstance(items.items[0], Mapping)
    assert [describe(node) for node in (root, items, items.items[1])] == ["a mapping", "a list", "`1`"]
    assert [describe(node) for node in (items.items[0].get("b"),) if node] == ["an empty value"]
    assert root.get("c") is None


# --- anything at all

VALID = """\
segcompile: 1
model: dilated_context
params: {C: 21}  # classes
input: {channels: C, size: [64, 64]}
defaults: {conv: {pad: same, norm: {batch: {eps: 1e-3}}}}
layers:
  - "conv{i}": {conv: 2C, kernel: 3x3, repeat: 2, act: 'relu'}
  - for: {d: [0, 1, 2]}
    layers: ["b{d}": {conv: C}]
about: |
  Two lines
  of prose.
"""
SIGNS = "\t\n\r :-?[]{},#&*!|>'\"%@`~\\\0\x1b\x85\u2028\ufeff\ud800é图🙂"
ODD = st.sampled_from([*SIGNS, "---", "...", "\r\n", "<<", "!!", "&a", "*a"])


def check(text: str) -> None:
    """Parse; every span of what comes out lies inside the text."""
    try:
        root = parse(text, NAME)
    except SegcompileError as error:
        assert error.diagnostics
        for diagnostic in error.diagnostics:
            for span in (diagnostic.span, *(label.span for label in diagnostic.labels)):
                assert span is None or inside(span)
        assert "\n\n" not in render_text(error.diagnostics)
        return
    todo: list[Node] = [root]
    while todo:
        node = todo.pop()
        assert inside(node.span), node
        if isinstance(node, Sequence):
            todo += node.items
        elif isinstance(node, Mapping):
            todo += [part for entry in node.entries.values() for part in entry]
        else:
            node.text.encode()  # whatever is emitted of it can be written


def inside(span: Span) -> bool:
    """The stretch is in one line, or is the one column behind it, where something is missing."""
    if not 1 <= span.line <= len(span.source.lines):
        return False
    width = len(span.source.lines[span.line - 1])
    last = span.column + span.length - 1
    return span.column >= 1 and span.length >= 1 and (last <= width or (span.length == 1 and last == width + 1))


@settings(max_examples=400)
@given(st.one_of(st.text(), st.lists(st.one_of(ODD, st.sampled_from(["a", "b", "1", "a: 1\n", "  "]))).map("".join)))
def test_any_text_is_a_mapping_or_a_diagnostic(text: str) -> None:
    check(text)


@settings(max_examples=400)
@given(st.lists(st.tuples(st.integers(0, len(VALID)), st.integers(0, 12), ODD), min_size=1, max_size=4))
def test_a_broken_spec_is_a_mapping_or_a_diagnostic(edits: list[tuple[int, int, str]]) -> None:
    text = VALID
    for start, cut, new in edits:
        text = text[:start] + new + text[start + cut :]
    check(text)


@settings(max_examples=200)
@given(st.one_of(st.binary(), st.tuples(st.integers(0, len(VALID)), st.binary(min_size=1, max_size=3))))
def test_any_bytes_are_a_mapping_or_a_diagnostic(
    tmp_path_factory: pytest.TempPathFactory, data: bytes | tuple[int, bytes]
) -> None:
    if isinstance(data, tuple):
        data = VALID[: data[0]].encode() + data[1] + VALID[data[0] :].encode()
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(data)
    try:
        assert isinstance(load(path), Mapping)
    except SegcompileError as error:
        assert render_text(error.diagnostics)
