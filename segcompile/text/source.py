"""YAML 1.2 text -> plain data that remembers where each value stands.

A spec is untrusted input, so nothing is constructed: no tags, no anchors, no guessed types. Every scalar
stays text until the place where it stands says what it must be. The only YAML import of the project.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from segcompile.text.errors import MAX_ERRORS, Diagnostic, Label, SegcompileError, SourceText, Span, fail, finding
from segcompile.text.slips import Cut, cut_call, cut_number, without_space
from segcompile.text.syntax import syntax_error

MAX_BYTES = 2 * 1024 * 1024  # 20,000 layers, the most of an expansion, written out with three attributes have 1 MB
MAX_VALUES = 200_000  # and 180,000 keys and values; what takes many seconds to read is no spec
MAX_LENGTH = 10_000  # characters of a value
MAX_WORD = 100_000  # characters without a space: more than a row of 20,000 columns; the parser takes n² for a long tag
MAX_DEPTH = 32
_LINE_BREAK = re.compile("\r\n|[\n\r]")
_LONG_WORD = re.compile(rf"(?<!\S)\S{{{MAX_WORD + 1}}}")
_NOT_TEXT = re.compile(  # control characters, YAML's other line breaks, half characters, stray byte order marks
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
)
_NO_CHARACTER = re.compile(r"\\U(?!0010|000[0-9a-fA-F])[0-9a-fA-F]{8}")  # an escape beyond Unicode

_SAY_ONCE = "say it once with `params`, `defaults` or `blocks`"


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A word or number as written; `quoted` if it stood in quotes. `scope`: of an argument, the prefix of names in the
    place where it was given; None of what stands where it is read."""

    text: str
    span: Span
    quoted: bool = False
    scope: str | None = None

    def part(self, start: int, length: int) -> Span:
        """Where a part of the text stands; the whole where escapes or folds make the text another than the file's."""
        start += self.quoted
        if start + length > self.span.length:
            return self.span
        return replace(self.span, column=self.span.column + start, length=max(1, length))


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """A mapping in the order written; keys are unique. `wrong`, of a whole document: what YAML took otherwise than was
    meant (SC001); it stands in it as it was meant."""

    entries: dict[str, tuple[Scalar, Node]]
    span: Span
    wrong: tuple[Diagnostic, ...] = ()

    def get(self, key: str) -> Node | None:
        """The value under `key`, or None."""
        found = self.entries.get(key)
        return found[1] if found is not None else None

    def key(self, key: str) -> Scalar:
        """The key itself, for its span."""
        return self.entries[key][0]


Node = Scalar | Sequence | Mapping


def describe(node: Node) -> str:
    """What the user wrote, in a word or two, for messages."""
    if isinstance(node, Scalar):
        return f"`{brief(node.text)}`" if node.text else "an empty value"
    return "a list" if isinstance(node, Sequence) else "a mapping"


def is_nothing(node: Node) -> bool:
    """Whether nothing is written: no text, and no quotes around none."""
    return isinstance(node, Scalar) and not node.text and not node.quoted


def counted(node: Node) -> str:
    """As `describe`, with how many entries a list or a mapping has."""
    if isinstance(node, Sequence):
        return f"a list of {len(node.items)}"
    if isinstance(node, Mapping):
        return f"a mapping of {len(node.entries)} {'key' if len(node.entries) == 1 else 'keys'}"
    return describe(node)


def brief(text: str) -> str:
    """A quoted text at a length that a message can hold."""
    return text if len(text) <= 60 else f"{text[:59]}…"


def scalars(node: Node) -> Iterator[Scalar]:
    """Every scalar of a tree, keys included, in the order written."""
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from scalars(item)
    else:
        for key, value in node.entries.values():
            yield key
            yield from scalars(value)


def load(path: Path, name: str | None = None, named: Label | None = None) -> Mapping:
    """Read one spec file. `name` is how messages call it (default: the path as given); `named`: the line that did.

    Raises SegcompileError as `read_text` and `parse` do.
    """
    return parse(read_text(path, name), name if name is not None else str(path), named)


def read_text(path: Path, name: str | None = None) -> str:
    """The text of a spec file, which messages call `name`.

    Raises SegcompileError: SC009 for a file that cannot be read, SC111 for one that is too large.
    """
    shown = name if name is not None else str(path)
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for
            raise fail("SC009", f"`{shown}` is no file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise fail("SC009", f"`{shown}` is a directory", help="name a spec file, for example specs/*.yaml") from None
    except FileNotFoundError:
        raise fail("SC009", f"there is no file `{shown}`") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise fail("SC009", f"`{shown}` cannot be read: {reason}") from None
    if len(data) > MAX_BYTES:
        raise fail("SC111", f"`{shown}` is larger than {MAX_BYTES // 1024**2} MiB", help="is it a spec?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"`{shown}` is not UTF-8: byte 0x{data[error.start]:02x} in line {line}"
        raise fail("SC009", message, help="save the file as UTF-8") from None


@lru_cache(maxsize=32)  # a base, a used spec, and each variant's: the same text again, and reading is slow
def parse(text: str, name: str, named: Label | None = None) -> Mapping:
    """The document in `text`; messages call it `name`. Raises SegcompileError: SC001, SC002 or SC010 for what
    is not plain YAML, SC004 for what is no mapping, SC012 for nothing at all, SC111 for too much."""
    source = SourceText(name, tuple(_LINE_BREAK.split(text)), named)
    odd = _NOT_TEXT.search(text)
    if odd is not None:
        message = f"the character U+{ord(odd[0]):04X} is not text"
        raise fail("SC001", message, _span_of(source, text, odd), help="delete it")
    long = _LONG_WORD.search(text)
    if long is not None:
        span = _span_of(source, text, long)
        raise fail("SC111", f"more than {MAX_WORD:,} characters without a space", span, help="is it a spec?")
    composer = _Composer(source, text)
    try:
        root = composer.document()
    except MarkedYAMLError as error:
        raise syntax_error(source, error) from None
    except (YAMLError, ValueError, OverflowError) as error:
        escape = _NO_CHARACTER.search(text)  # the one thing that the parser reports without a place
        if escape is not None:
            raise fail("SC001", f"there is no character `{escape[0]}`", _span_of(source, text, escape)) from None
        raise fail("SC001", brief(" ".join(str(error).split())), Span(source, 1, 1, 1)) from None
    if root is None:
        raise fail("SC012", f"`{name}` is empty", help="a spec starts with `segcompile: 1`")
    if not isinstance(root, Mapping):
        raise fail(
            "SC004", f"a spec is a mapping, not {describe(root)}", root.span, help="it starts with `segcompile: 1`"
        )
    return replace(root, wrong=tuple(composer.wrong))


def _span_of(source: SourceText, text: str, match: re.Match[str]) -> Span:
    before = _LINE_BREAK.split(text[: match.start()])
    return Span(source, len(before), len(before[-1]) + 1, len(match[0]))


class _Composer:
    """Turns the parser's events, one at a time, into nodes; stops at the first thing a spec may not hold."""

    def __init__(self, source: SourceText, text: str) -> None:
        self.source = source
        self.values = 0
        self.wrong: list[Diagnostic] = []
        self.cut: set[Span] = set()  # values that were put together again
        self.events: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self.events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent" and root is not None:
                message = "a spec is one YAML document; a second one starts here"
                raise fail("SC010", message, self._span(event), help="a second spec is a file of its own")
            if kind not in ("StreamStartEvent", "DocumentStartEvent", "DocumentEndEvent", "StreamEndEvent"):
                root = self._node(event, 1)
        if root is not None and is_nothing(root):
            return None
        return root

    def _span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        same = end is not None and end.line == start.line
        return Span(self.source, start.line + 1, start.column + 1, max(1, end.column - start.column) if same else 1)

    def _node(self, event: Any, depth: int) -> Node:
        span = self._span(event)
        kind = type(event).__name__
        if kind == "AliasEvent" or getattr(event, "anchor", None) is not None:
            raise fail("SC010", "anchors and aliases are not part of the spec language", span, help=_SAY_ONCE)
        if getattr(event, "tag", None) is not None:
            raise fail("SC010", "tags are not part of the spec language", span, help="write the plain value")
        self.values += 1
        if depth > MAX_DEPTH:
            raise fail("SC111", f"nested more than {MAX_DEPTH} deep", span)
        if self.values > MAX_VALUES:
            raise fail("SC111", f"more than {MAX_VALUES:,} keys and values", span, help="is it a spec?")
        if kind == "ScalarEvent":
            odd = _NOT_TEXT.search(event.value)  # an escape, such as "\0"
            if odd is not None:
                raise fail("SC001", f"the character U+{ord(odd[0]):04X} is not text", span, help="delete it")
            if len(event.value) > MAX_LENGTH:
                raise fail("SC111", f"a value of more than {MAX_LENGTH:,} characters", span, help="shorten it")
            return Scalar(event.value, span, event.style in ("'", '"'))
        if kind == "SequenceStartEvent":
            return self._sequence(span, depth)
        return self._mapping(span, depth)

    def _sequence(self, span: Span, depth: int) -> Sequence:
        items: list[Node] = []
        for event in self.events:
            if type(event).__name__ == "SequenceEndEvent":
                return Sequence(tuple(items), span)
            items.append(self._node(event, depth + 1))
            whole = self._whole(items[-2], items[-1], cut_call) if len(items) > 1 else None
            items[-2:] = [whole] if whole is not None else items[-2:]
        raise fail("SC001", "this list has no end", span)

    def _mapping(self, span: Span, depth: int) -> Mapping:
        entries: dict[str, tuple[Scalar, Node]] = {}
        for event in self.events:
            if type(event).__name__ == "MappingEndEvent":
                return Mapping(entries, span)
            key = self._node(event, depth + 1)
            if not isinstance(key, Scalar):
                help = "one word before the `:`; `{{name}}` of a template engine is to be filled in first"
                raise fail("SC004", f"a key is a word or a number, not {describe(key)}", key.span, help=help)
            if key.text == "<<" and not key.quoted:
                raise fail("SC010", "merge keys are not part of the spec language", key.span, help=_SAY_ONCE)
            if key.text in entries:
                first = Label(entries[key.text][0].span, "first written here")
                raise fail(
                    "SC002", f"{describe(key)} is given twice", key.span, labels=[first], help="keep one of them"
                )
            value = self._node(next(self.events), depth + 1)
            if is_nothing(value):
                key, value = self._run_on(key, value)
                before = next(reversed(entries.values()), None)
                whole = self._whole(before[1], key, cut_call, cut_number) if before is not None else None
                if before is not None and whole is not None:
                    entries[before[0].text] = before[0], whole
                    continue
            entries[key.text] = (key, value)
        raise fail("SC001", "this mapping has no end", span)

    def _whole(self, before: Node, after: Node, *looks: Callable[[str, int, str, str], Cut | None]) -> Node | None:
        """The value of which YAML made two at a comma that was meant to be within it, as in `{conv: min(W, 8)}`, which
        is told. `after`: what came to stand alone. `looks`: what they make of it. None where the two are two."""
        if not isinstance(after, Scalar) or (isinstance(before, Scalar) and before.quoted) or after.quoted:
            return None
        span = before.span
        if span in self.cut and span.line == after.span.line and after.span.column < span.column + span.length:
            return before
        line = span.source.lines[span.line - 1]
        found = (look(line, span.column - 1, before.text, after.text) for look in looks if isinstance(before, Scalar))
        cut = next((cut for cut in found if cut is not None), None)
        if cut is None or not isinstance(before, Scalar):
            return None
        span = replace(span, length=len(cut.whole))
        self.cut.add(span)
        if cut.help is not None:
            self._tell(f"the comma ends `{brief(before.text)}` here", span, cut.help)
        parts = tuple(Scalar(text, span) for text in cut.meant)
        return parts[0] if len(parts) == 1 else Sequence(parts, span)

    def _run_on(self, key: Scalar, value: Node) -> tuple[Scalar, Node]:
        """The key and the value of `conv:64`, which is one word to YAML, and told so."""
        parts = without_space(key.text) if not key.quoted else None
        if parts is None:
            return key, value
        self._tell(f"`{brief(key.text)}` has no space behind its `:`", key.span, f"write `{brief(': '.join(parts))}`")
        at = len(parts[0])
        return Scalar(parts[0], key.part(0, at)), Scalar(parts[1], key.part(at + 1, len(parts[1])))

    def _tell(self, message: str, span: Span, help: str) -> None:
        self.wrong.append(finding("SC001", message, span, help=help))
        if len(self.wrong) == MAX_ERRORS:
            raise SegcompileError(self.wrong)
