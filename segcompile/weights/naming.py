"""`--names FILE`: where tensors go whose names and order do not say it.

    # tensor of the file: its place in the network
    layer1.*.conv*: l1_*.c*     # layer1.0.conv2 -> l1_0.c2, and with it layer1.0.conv2.weight -> l1_0.c2.weight
    classifier.4:   score
    stages.*.conv:  stage{*+1}  # stages.0.conv -> stage1
    onnx::Conv_12:  stem.weight

A pattern is held against a tensor's layer (its name up to the last dot), which keeps the rest, `.weight`; otherwise
against its whole name. `*` stands for any characters, as few as possible, and fills the `*` at the same place on the
right. `{*+1}` and `{*-2}` are filled by the whole number that their `*` stands for, and 1 more or 2 less. A `#` behind
a space, or at the start, begins a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segcompile.text.errors import Label, SegcompileError, SourceText, Span, did_you_mean, fail
from segcompile.weights.placing import COUNTER
from segcompile.weights.stored import Source, Stored

MOST_BYTES = 1_000_000
_EXAMPLE = "for example `backbone.*.conv: enc*`"
_HOLE = re.compile(r"\{\*([+-][0-9]{1,9})\}|\*")
_COUNT = re.compile(r"[0-9]{1,9}")  # names are another's: no number is too long for int()


@dataclass(frozen=True, slots=True)
class Rename:
    """One line: what is looked for in the file, the place for it, and where the line stands."""

    pattern: str
    place: str
    span: Span

    def renamed(self, name: str) -> str | None:
        """The name that a tensor of the file gets by this line."""
        layer, dot, part = name.rpartition(".")
        place = self._filled(captured(self.pattern, layer)) if dot else None
        return self._filled(captured(self.pattern, name)) if place is None else f"{place}.{part}"

    def _filled(self, texts: Sequence[str] | None) -> str | None:
        """The place for what each `*` stands for; None without such texts, or where one should be a number."""
        if texts is None:
            return None
        first, *holes = _HOLE.split(self.place)
        for text, shift, part in zip(texts, holes[::2], holes[1::2], strict=False):
            if shift and not _COUNT.fullmatch(text):
                return None
            first += (str(int(text) + int(shift)) if shift else text) + part
        return first


def captured(pattern: str, text: str) -> list[str] | None:
    """What each `*` of a pattern stands for in a text, as short as possible; None if the text is another."""
    first, *rest = pattern.split("*")
    if not rest:
        return [] if text == pattern else None
    if not text.startswith(first) or not text[len(first) :].endswith(rest[-1]):
        return None
    at, found = len(first), list[str]()
    end = len(text) - len(rest[-1])
    for part in rest[:-1]:
        start = text.find(part, at, end)
        if start < 0:
            return None
        found.append(text[at:start])
        at = start + len(part)
    return [*found, text[at:end]]


def read_names(path: Path) -> tuple[Rename, ...]:
    """The lines of a file of names. Raises SegcompileError: SC009 for no such file, SC807 for what is no line."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for
            raise fail("SC009", f"`{path}` is no file")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise fail("SC009", f"`{path}` cannot be read: {(error.strerror or '').lower()}") from None
    except ValueError:
        raise fail("SC807", f"`{path}` is no text in UTF-8", help=f"lines `pattern: layer`, {_EXAMPLE}") from None
    if len(content) > MOST_BYTES:
        raise fail("SC807", f"`{path}` has more than {MOST_BYTES:,} bytes", help=f"lines `pattern: layer`, {_EXAMPLE}")
    source = SourceText(str(path), tuple(text.splitlines()))
    found = tuple(_renames(source))
    if not found:
        raise fail("SC807", f"`{path}` names nothing", help=f"lines `pattern: layer`, {_EXAMPLE}")
    return found


def _renames(source: SourceText) -> Iterator[Rename]:
    for number, line in enumerate(source.lines, 1):
        said = line.partition(" #")[0].strip()
        if not said or said.startswith("#"):
            continue
        span = Span(source, number, line.index(said) + 1, len(said))
        pattern, colon, place = (part.strip() for part in said.rpartition(": "))
        if not colon or not pattern or not place or " " in place:
            raise fail("SC807", f"`{said}` is no line `pattern: layer`", span, help=_EXAMPLE)
        if place.count("*") > pattern.count("*"):
            message = f"`{place}` has more `*` than `{pattern}`, which fill them"
            raise fail("SC807", message, span, help=_EXAMPLE)
        yield Rename(pattern, place, span)


def named(source: Source, renames: Sequence[Rename], wanted: Sequence[str]) -> Mapping[str, Stored]:
    """Parameter -> the tensor that goes there by name. `wanted`: the names of the network's parameters.

    Raises SegcompileError (SC807) with every line that means no tensor, or one that another line means, too, that leads
    to no layer of the network, or where another tensor is already.
    """
    used: dict[str, Rename] = {}
    found: dict[str, tuple[Stored, Rename]] = {}
    layers = {name.rpartition(".")[0] for name in wanted}
    for rename in renames:
        hits = [(stored, name) for stored in source.tensors if (name := rename.renamed(stored.name)) is not None]
        if not hits:
            raise _unmatched(rename, source)
        for stored, name in hits:
            if stored.name in used:
                raise _twice(f"`{stored.name}` has a place by another line", rename, used[stored.name])
            used[stored.name] = rename
            if name not in wanted:
                _check_layer(rename, name, layers, wanted)
            elif name in found:
                first, other = found[name]
                raise _twice(f"`{first.name}` and `{stored.name}` would both be `{name}`", rename, other)
            else:
                found[name] = stored, rename
    return {name: stored for name, (stored, _) in found.items()}


def _check_layer(rename: Rename, name: str, layers: set[str], wanted: Sequence[str]) -> None:
    """The layer must be there; one of its tensors that the network does not have, a bias, finds no place as others."""
    if name.rpartition(".")[0] not in layers and not name.endswith(COUNTER):
        help = did_you_mean(name, wanted)
        raise fail("SC807", f"`{name}` is no tensor of the network", rename.span, help=help)


def _unmatched(rename: Rename, source: Source) -> SegcompileError:
    names = [stored.name for stored in source.tensors]
    help = did_you_mean(rename.pattern, [*(name.rpartition(".")[0] for name in names), *names])
    return fail("SC807", f"`{rename.pattern}` is no tensor of `{source.path}`", rename.span, help=help)


def _twice(message: str, rename: Rename, other: Rename) -> SegcompileError:
    if other is rename:
        return fail("SC807", message, rename.span, help="make the pattern narrower")
    return fail("SC807", message, rename.span, labels=[Label(other.span, "this is the other")])
