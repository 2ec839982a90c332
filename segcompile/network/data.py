"""What the labels of a data set mean, as plain values: classes, labels that do not count, and the labels of files.

A mask's labels are renamed by `map` first; `ignore` and the classes speak of the labels behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from segcompile.text.errors import Span

MOST_IGNORED, MOST_RENAMED = 32, 4096  # of a head
MOST_HEADS = 32  # with labels of their own
MOST_LABEL = 10**9  # 32 bits hold those below
CLASS_NAME = r"[^\W\d_][\w .,()/&'+-]{0,63}"  # `traffic light`, `tv/monitor`: no number, and nothing like `class:0`
COLOUR = r"#[0-9a-f]{6}"

Label = Annotated[int, Field(ge=0, lt=MOST_LABEL)]


@dataclass(frozen=True, slots=True)
class Class:
    """One class of a head, whose label is its place in the list; `colour` is "" where the spec names none."""

    name: str
    span: Span = field(compare=False)  # of the name
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A label that no pixel is trained or judged on. `named` says that it was written as a class: `class:0`."""

    label: Label
    named: bool
    span: Span = field(compare=False)

    def __str__(self) -> str:
        return f"class:{self.label}" if self.named else str(self.label)


@dataclass(frozen=True, slots=True)
class Renamed:
    """A label or a colour of the files, and the label that is meant."""

    source: int | str
    label: Label
    span: Span = field(compare=False)  # of the label


@dataclass(frozen=True, slots=True)
class Labels:
    """What the labels of one head's masks mean; () for what the spec does not say."""

    classes: tuple[Class, ...] = ()
    ignore: tuple[Ignored, ...] = ()
    map: tuple[Renamed, ...] = ()


@dataclass(frozen=True, slots=True)
class Data:
    """Head -> what its labels mean. `places`: key of the section -> where it stands."""

    heads: Mapping[str, Labels] = field(default_factory=dict)
    places: Mapping[str, Span] = field(default_factory=dict, compare=False)

    def of(self, head: str) -> Labels:
        """What the labels of a head's masks mean, as far as the spec says it."""
        return self.heads.get(head, Labels())
