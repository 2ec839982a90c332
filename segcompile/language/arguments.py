"""The numbers of a block: which stand in it, which are arguments, and which follow from those or from `channels`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, count

from segcompile.language.outline import COUNT, Argument, Line

Column = tuple[str, ...]  # a value in each call
_LETTER = {
    COUNT: "n",
    "channels": "w",
    "kernel": "k",
    "stride": "s",
    "dilation": "d",
    "pad": "p",
    "groups": "g",
    "act": "a",
    "bins": "b",
    "factor": "f",
}
_ALIKE = {"conv": "channels", "deconv": "channels", "linear": "channels", "affine": "channels", "groups": "groups"}
_WIDTH = ("channels", "groups")


def chosen_texts(
    runs: Sequence[Sequence[Line]],
) -> tuple[list[tuple[str, ...]], tuple[Argument, ...], list[Column]] | None:
    """The texts of each line of a block that all runs are calls of, its arguments, and their values in each call. None
    where some value differs from turn to turn, and so is no argument."""
    taken: set[str] = set()
    entering = tuple(run[0].channels for run in runs)
    made: dict[tuple[str, Column], str] = {}
    found = []
    for lines in zip(*runs, strict=True):
        texts = []
        for index, word in enumerate(lines[0].form.varies):
            said = tuple(line.said[index] for line in lines)
            if len({*said}) == 1:
                texts.append(said[0])
                continue
            values = tuple(line.values[index] for line in lines)
            if None in values:
                return None
            kind = _kind(word)
            text = _follows(values, kind, made, lines)
            if text is None:
                text = made[kind, values] = new_name(kind, taken)
            texts.append(text)
        found.append(tuple(texts))
    arguments, columns = [], []
    for (kind, column), name in made.items():
        default = _default(column, kind, entering)
        arguments.append(Argument(name, kind, default))
        columns.append(column)
    order = sorted(range(len(arguments)), key=lambda index: bool(arguments[index].default))
    return found, tuple(arguments[i] for i in order), [columns[i] for i in order]


def call_values(arguments: Sequence[Argument], values: Sequence[str], entering: int) -> tuple[list[str], list[str]]:
    """What a call says of each argument, "" where that is the default, and the values."""
    said = [
        "" if _evaluated(a.default, entering) == value else value for a, value in zip(arguments, values, strict=True)
    ]
    return said, list(values)


def _kind(word: str) -> str:
    return _ALIKE.get(word, word)


def _follows(values: Column, kind: str, made: dict[tuple[str, Column], str], lines: Sequence[Line]) -> str | None:
    """The text for a column of values, if it needs no argument of its own."""
    if (kind, values) in made:
        return made[kind, values]
    if kind == "pad" and ("dilation", values) in made:
        return made["dilation", values]
    if kind not in _WIDTH or not all(value.isdigit() for value in values):
        return None
    numbers = [int(value) for value in values]
    for (other, column), name in made.items():
        if other in _WIDTH and all(value.isdigit() for value in column):
            text = _multiple(numbers, [int(value) for value in column], name)
            if text is not None:
                return text
    text = _multiple(numbers, [line.channels for line in lines], "channels")
    once = all(
        len(line.turns) == 1 for line in lines
    )  # the next one is entered by other channels, unless it keeps them
    return text if once or text == "channels" else None


def _multiple(numbers: Sequence[int], of: Sequence[int], name: str) -> str | None:
    factor = numbers[0] // of[0] if of[0] and numbers[0] % of[0] == 0 else 0
    if factor and all(number == factor * each for number, each in zip(numbers, of, strict=True)):
        return name if factor == 1 else f"{factor}{name}"
    part = of[0] // numbers[0] if numbers[0] else 0
    if part > 1 and all(number == each // part for number, each in zip(numbers, of, strict=True)):
        return f"{name}//{part}"
    return None


def _default(column: Column, kind: str, entering: Sequence[int]) -> str:
    """What most calls would say, if some two say it."""
    counts: dict[str, int] = {}
    if kind in _WIDTH:
        for value, enters in zip(column, entering, strict=True):
            for text in _spellings(value, enters):
                counts[text] = counts.get(text, 0) + 1
    for value in column:
        counts[value] = counts.get(value, 0) + 1
    best = max(counts, key=lambda text: counts[text])
    return best if counts[best] > 1 and 2 * counts[best] >= len(column) else ""


def _spellings(value: str, enters: int) -> Iterator[str]:
    if value.isdigit() and enters:
        number = int(value)
        if number % enters == 0:
            yield "channels" if number == enters else f"{number // enters}channels"
        elif number and enters // number > 1 and enters // (enters // number) == number:
            yield f"channels//{enters // number}"


def _evaluated(default: str, entering: int) -> str:
    times, word, part = default.partition("channels")
    if not word:
        return default
    return str(entering // int(part[2:]) if part else entering * int(times or "1"))


def new_name(kind: str, taken: set[str]) -> str:
    """A name for an argument or a variable: a letter, and a number where that is taken. It is taken from now on."""
    letter = _LETTER.get(_kind(kind), kind if kind in _LETTER.values() or kind == "of" else "x")
    numbered = (f"{letter}{number}" for number in count(2))
    name = next(name for name in chain([letter], numbered) if name not in taken)
    taken.add(name)
    return name
