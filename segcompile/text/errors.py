"""What can be wrong with a spec, a graph, a backend or a folder, and where.

Every room reports through these values; none of them prints. `report.py` renders them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal, Protocol

MAX_ERRORS = 100  # of one step, after which it looks no further
_MANY, _FEW = 1000, 20  # words that are looked through for a near one, and that are listed


@dataclass(frozen=True, slots=True, eq=False)
class SourceText:
    """A file as it was read: its name as the user wrote it, its lines, and the `base` line that named it."""

    name: str
    lines: tuple[str, ...]
    named: Label | None = None  # of a base


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one line of a source; line and column count from 1, `length` in characters. `calls`: the calls of
    blocks and used specs by which one came here, outermost first. `values`: where other files, or `--set`, give values
    that are read here. The same place is the same span, however one came."""

    source: SourceText
    line: int
    column: int
    length: int
    calls: tuple[Label, ...] = field(default=(), compare=False)
    values: tuple[Label, ...] = field(default=(), compare=False)

    @property
    def way(self) -> tuple[Label, ...]:
        """What named this place, to be told with it: the calls, then the `base` lines, the nearest first."""
        found, named = list(self.calls), self.source.named
        while named is not None:
            found.append(named)
            named = named.span.source.named
        return tuple(found)

    def called(self, calls: tuple[Label, ...]) -> Span:
        """This place, reached by `calls` and then by its own."""
        return replace(self, calls=(*calls, *self.calls)) if calls else self

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    @property
    def text(self) -> str:
        """What stands there."""
        return "".join(self.source.lines[self.line - 1 : self.line])[self.column - 1 :][: self.length]


@dataclass(frozen=True, slots=True)
class Label:
    """A second place that explains the first one. `brings`: what its line brings into another file, if it does: that
    file as a base or a used spec, or the value of a parameter that is read there."""

    span: Span
    text: str
    brings: Literal["", "base", "use", "value"] = ""


def label_at(span: Span | None, text: str) -> list[Label]:
    """A label at a place; none where there is no such place in a file."""
    return [Label(span, text)] if span is not None else []


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Code:
    """A stable code, the words that name it, and how grave it is."""

    code: str
    slug: str
    severity: Severity = Severity.ERROR


def _table(*rows: tuple[str, str] | tuple[str, str, Severity]) -> dict[str, Code]:
    return {row[0]: Code(*row) for row in rows}


_WARNING = Severity.WARNING

CODES: dict[str, Code] = _table(
    ("SC001", "yaml-syntax"),
    ("SC002", "given-twice"),
    ("SC003", "unknown-key"),
    ("SC004", "wrong-type"),
    ("SC005", "ambiguous-scalar"),
    ("SC006", "language-version"),
    ("SC007", "length-mismatch"),
    ("SC008", "missing-attribute"),
    ("SC009", "unreadable-file"),
    ("SC010", "unsupported-yaml"),
    ("SC011", "misplaced-key"),
    ("SC012", "incomplete"),
    ("SC013", "unwritable-place"),
    ("SC101", "unknown-parameter"),
    ("SC102", "unknown-layer"),
    ("SC103", "duplicate-name"),
    ("SC104", "bad-expression"),
    ("SC105", "out-of-range"),
    ("SC106", "unused-parameter", _WARNING),
    ("SC107", "block-arguments"),
    ("SC108", "recursion"),
    ("SC109", "unknown-op"),
    ("SC110", "variant-choice"),
    ("SC111", "too-large"),
    ("SC113", "nothing-to-train"),
    ("SC114", "bad-name"),
    ("SC115", "unknown-word"),
    ("SC116", "unknown-block"),
    ("SC117", "ignored-class"),
    ("SC118", "idle-acceptance", _WARNING),
    ("SC201", "cycle"),
    ("SC202", "unreachable", _WARNING),
    ("SC203", "nothing-computed"),
    ("SC204", "arity"),
    ("SC205", "forward-reference"),
    ("SC206", "shared-weights"),
    ("SC301", "channel-mismatch"),
    ("SC302", "size-mismatch"),
    ("SC303", "empty-output"),
    ("SC304", "size-constraint"),
    ("SC305", "crop-unalignable"),
    ("SC306", "crop-negative"),
    ("SC307", "crop-non-integer"),
    ("SC308", "indivisible"),
    ("SC309", "rounding-dependent", _WARNING),
    ("SC310", "size-needed"),
    ("SC311", "misaligned", _WARNING),
    ("SC313", "aligned-pixel"),
    ("SC315", "undefined-combination"),
    ("SC316", "map-needed"),
    ("SC317", "impossible-padding"),
    ("SC318", "norm-of-one-value"),
    ("SC319", "constant-softmax"),
    ("SC401", "receptive-field"),
    ("SC402", "stride"),
    ("SC403", "shape"),
    ("SC404", "offset"),
    ("SC405", "count"),
    ("SC406", "claim-unprovable"),
    ("SC407", "gridding", _WARNING),
    ("SC408", "field-exceeds-input", _WARNING),
    ("SC409", "no-effect", _WARNING),
    ("SC410", "field-request"),
    ("SC411", "window"),
    ("SC412", "margin"),
    ("SC501", "spec-not-found"),
    ("SC502", "nothing-to-edit"),
    ("SC503", "impossible-edit"),
    ("SC505", "base-cycle"),
    ("SC506", "transform-no-op", _WARNING),
    ("SC507", "not-dilatable"),
    ("SC508", "overhanging-window", _WARNING),
    ("SC509", "read-once", _WARNING),
    ("SC601", "unknown-backend"),
    ("SC602", "plugin-failed"),
    ("SC603", "api-version"),
    ("SC604", "unsupported-feature"),
    ("SC605", "plugin-conflict"),
    ("SC606", "invalid-output"),
    ("SC607", "nondeterministic-output"),
    ("SC608", "no-harness", _WARNING),
    ("SC609", "verification"),
    ("SC611", "bounded-scores", _WARNING),
    ("SC612", "unknown-lowering"),
    ("SC613", "not-lowered", _WARNING),
    ("SC614", "beyond-harness", _WARNING),
    ("SC701", "drift"),
    ("SC702", "hand-edited"),
    ("SC703", "orphan"),
    ("SC704", "foreign-file"),
    ("SC801", "unreadable-weights"),
    ("SC802", "other-network"),
    ("SC803", "ambiguous-weights"),
    ("SC804", "image-channels"),
    ("SC805", "other-layer"),
    ("SC806", "other-window"),
    ("SC807", "names-file"),
    ("SC808", "incomplete-weights"),
    ("SC901", "unreadable-network"),
    ("SC902", "no-form"),
    ("SC903", "import-choice"),
    ("SC904", "taken-otherwise", _WARNING),
    ("SC918", "no-exact-tiles"),
    ("SC920", "not-comparable"),
    ("SC925", "initial-weights", _WARNING),
    ("SC919", "false-description"),
    ("SC910", "untraceable-module"),
    ("SC911", "example-input"),
    ("SC912", "unheld-call"),
)


class Hint(Protocol):
    """What a help line is reckoned from once somebody reads it: looking for a word that was meant takes time."""

    def line(self) -> str | None:
        """The help line, or None where there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Near:
    """A word as written, and those that were possible; `otherwise` is the help where none of them is near."""

    word: str
    known: tuple[str, ...]
    otherwise: str | None = None

    def line(self) -> str | None:
        return did_you_mean(self.word, self.known[:_MANY]) or self.otherwise


def near_one(word: str, known: Collection[str], which: str = "it has") -> Near:
    """The help for a word that is none of those `known`: the nearest, or the first few."""
    return Near(word, tuple(known), f"{which} {', '.join(list(known)[:_FEW])}")


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: a code, one sentence that quotes the value, where it is, and what to do about it."""

    code: Code
    message: str
    span: Span | None = None
    labels: tuple[Label, ...] = ()
    hint: str | Hint | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        return self.code.severity is Severity.ERROR

    @property
    def help(self) -> str | None:
        """What to do about it."""
        return self.hint if self.hint is None or isinstance(self.hint, str) else self.hint.line()

    @property
    def places(self) -> tuple[Label, ...]:
        """All that is told beside `span`: the labels, then the way there, each place once."""
        way = self.span.way if self.span is not None else ()
        found = [label for label in self.labels if label.brings != "value"]
        known = {label.span for label in found} | {self.span}
        for label in (*way, *self.labels):
            if label.span not in known:
                known.add(label.span)
                found.append(label)
        return tuple(found)

    def called(self, calls: tuple[Label, ...]) -> Diagnostic:
        """This finding, made behind some calls."""
        if self.span is None:
            return replace(self, labels=(*self.labels, *calls))
        return replace(self, span=self.span.called(calls))


def finding(
    code: str,
    message: str,
    span: Span | None = None,
    *,
    labels: Iterable[Label] = (),
    help: str | Hint | None = None,
    notes: Iterable[str] = (),
) -> Diagnostic:
    """One finding; the code fixes its severity. Raises KeyError for a code not in the table."""
    return Diagnostic(CODES[code], message, span, tuple(labels), help, tuple(notes))


class SegcompileError(Exception):
    """Raised by a step that cannot hand on a value; carries every diagnostic found so far."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("; ".join(f"{d.code.code} {d.message}" for d in self.diagnostics))


@dataclass(slots=True)
class Findings:
    """The list that the steps of one run append to; `stop_on_errors` ends a step that must not go on."""

    diagnostics: list[Diagnostic] = field(default_factory=list)

    def add(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        *,
        labels: Iterable[Label] = (),
        help: str | Hint | None = None,
        notes: Iterable[str] = (),
    ) -> None:
        """Append what `finding` makes."""
        self.diagnostics.append(finding(code, message, span, labels=labels, help=help, notes=notes))

    def absorb(self, error: SegcompileError) -> None:
        """Append what an exception carries, as far as it is not here already."""
        known = {*self.diagnostics}
        self.diagnostics += [found for found in error.diagnostics if found not in known]

    @property
    def has_errors(self) -> bool:
        return any(diagnostic.is_error for diagnostic in self.diagnostics)

    def stop_on_errors(self) -> None:
        """Raise SegcompileError if any error was found."""
        if self.has_errors:
            raise SegcompileError(self.diagnostics)


def fail(
    code: str,
    message: str,
    span: Span | None = None,
    *,
    labels: Iterable[Label] = (),
    help: str | Hint | None = None,
    notes: Iterable[str] = (),
) -> SegcompileError:
    """The exception for one finding that makes going on pointless: `raise fail(...)`."""
    return SegcompileError([finding(code, message, span, labels=labels, help=help, notes=notes)])


@contextmanager
def gathering(wrong: list[Diagnostic]) -> Iterator[None]:
    """What goes wrong inside is added to `wrong`, so that one mistake does not hide the next."""
    try:
        yield
    except SegcompileError as error:
        wrong += error.diagnostics


def stop_on(wrong: Sequence[Diagnostic]) -> None:
    """Raise SegcompileError if anything was gathered."""
    if wrong:
        raise SegcompileError(wrong)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The help line for a misspelt word, or None when nothing known is near."""
    from difflib import get_close_matches  # only on the way to an error: keeps the cold start short

    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else None
