"""What the field's other words are called here: help for `Conv2d`, `filters`, `epochs`. Their table is words.txt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from keyword import iskeyword

from segcompile.ops import BY_KIND
from segcompile.text.errors import did_you_mean
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node, Scalar, Sequence, brief

_NO = ("no", "false", "none", "null", "0")
_NUMBER = re.compile(r"[0-9A-Z].*")  # or a parameter, or an expression over one


@dataclass(frozen=True, slots=True)
class Row:
    """What to write for a word, `-` for nothing, and what else there is to know."""

    ours: str
    why: str = ""

    @property
    def target(self) -> str:
        """The key, or the choice, that it names."""
        return self.ours.partition(":")[0]


@cache  # on the way to an error, and not before
def table() -> Mapping[str, Mapping[str, tuple[Row, ...]]]:
    """Section -> a word of the field, plain -> its rows."""
    found: dict[str, dict[str, tuple[Row, ...]]] = {}
    section = ""
    for line in files(__package__).joinpath("words.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
            found[section] = {}
        elif line and not line.startswith("#"):
            words, ours, *why = (part.strip() for part in line.split(" | "))
            for word in words.split():
                found[section][word] = (*found[section].get(word, ()), Row(ours, *why))
    return found


def plain(word: str) -> str:
    """A word without capitals, signs, what stands before a dot, and what is given to it in parentheses; a decimal as
    it is."""
    if word.replace(".", "", 1).isdigit():
        return word
    return re.sub(r"[^a-z0-9]", "", word.partition("(")[0].rpartition(".")[2].lower())


@dataclass(frozen=True, slots=True)
class Meant:
    """A word that is none of the `known` ones, as `called` takes it; `otherwise` is the help where none is like it."""

    section: str
    word: str
    known: tuple[str, ...]
    value: Node | None = None
    op: str = ""
    otherwise: str | None = None

    def line(self) -> str | None:
        """What the word is called here, or else the nearest of the known ones."""
        own = called(self.section, self.word, self.known, self.value, self.op)
        return own or did_you_mean(self.word, self.known) or self.otherwise


def called(section: str, word: str, known: Iterable[str], value: Node | None = None, op: str = "") -> str | None:
    """What a word of the field is called here, with the user's own value; None for a word that is not in the table.

    `section`: the kind of place, one of the table's. `known`: the words that the place knows. `value`: what is written
    for the word. `op`: the op whose attribute it was to be.
    """
    names = {plain(name): name for name in known}
    own = plain(word)
    if word in names.values():
        return None
    if own in names:
        return f"write `{names[own]}`"
    for row in table().get(section, {}).get(own, ()):
        if row.ours == "-":
            return row.why.replace("<op>", op)
        if plain(row.target.replace("<value>", own)) in names or row.target == "<value>":
            return _told(row, value, op)
    return None


def like_a_name(text: str, otherwise: str) -> str:
    """The help line for a text that cannot be a name: one that can, as like it as may be; it starts with `otherwise`
    where the text's own words cannot start one, or are a word of Python."""
    words = "_".join(re.findall("[A-Za-z0-9]+", text))
    name = words if words[:1].isalpha() and not iskeyword(words) else f"{otherwise}_{words}".rstrip("_")
    return f"for example `{name}`"


def _told(row: Row, value: Node | None, op: str) -> str:
    """The row's help with the user's own value in it."""
    ours, _, other = row.ours.partition(" / ")
    text = _text(value)
    ours = other if other and plain(text) in _NO else ours
    if row.target == "<value>" and table()["op"].get(plain(text), (row,)) != (row,):  # `type: Conv2d`
        return _told(table()["op"][plain(text)][0], None, op)
    choice = _choice(row.target, text)
    if choice.ours == "-":
        return choice.why
    number = text if _NUMBER.fullmatch(text) else "..."
    ours = ours.replace("<value>", choice.ours).replace("<number>", number).replace("<op>", op)
    return ", ".join(part for part in (f"write `{ours}`", row.why) if part)


def _text(value: Node | None) -> str:
    """What is written, in a few characters; `{type: ReLU}` says its type. `...` for what is long or nothing."""
    if isinstance(value, MappingNode):
        named = next((value.get(key) for key in ("type", "name") if key in value.entries), None)
        return _text(named) if isinstance(named, Scalar) else "..."
    if isinstance(value, Sequence) and all(isinstance(item, Scalar) for item in value.items):
        text = f"[{', '.join(item.text for item in value.items if isinstance(item, Scalar))}]"
        return text if len(text) <= 60 else "[...]"
    return brief(value.text) if isinstance(value, Scalar) and value.text else "..."


def _choice(target: str, text: str) -> Row:
    """What is written for `target`, in our words where it is one of a few."""
    own, section = plain(text), table().get(target, {})
    choices = [*BY_KIND.get(target, ()), *(row.ours for rows in section.values() for row in rows)]
    same = next((choice for choice in choices if plain(choice) == own and own), None)
    return Row(same) if same is not None else next(iter(section.get(own, ())), Row(text))
