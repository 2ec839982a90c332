"""What classes are called: as the block or spec that they stand for; several of one block by what sets them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from keyword import iskeyword

from segcompile.emit.templates import camel
from segcompile.network.graph import Scope


@dataclass(frozen=True, slots=True)
class Unnamed:
    """Scopes that share a class, the names of what is written in one of them, what that computes in the field's words,
    and which arguments of their block are the constructor's."""

    scopes: Sequence[Scope]
    inside: Sequence[str]
    words: Sequence[str]
    passed: Collection[str]

    @property
    def block(self) -> str:
        """The block's or spec's name, or what scopes of several names have in common before their numbers."""
        titles = list(dict.fromkeys(scope.title for scope in self.scopes))
        stems = {title.rstrip("_0123456789") for title in titles}
        return camel(stems.pop() if len(stems) == 1 and len(titles) > 1 else titles[0]) or "Block"

    @property
    def fixed(self) -> dict[str, int]:
        """The arguments that are one number in all scopes, and none of the constructor."""
        first, *others = [scope.arguments for scope in self.scopes]
        alike = {name: value for name, value in first.items() if all(each.get(name) == value for each in others)}
        return {name: value for name, value in alike.items() if name not in self.passed}


@dataclass(frozen=True, slots=True)
class ClassNames:
    """The names of a file's classes, none of which is `reserved` by the framework."""

    reserved: Collection[str]
    named: dict[str, list[Unnamed]] = field(default_factory=dict)  # by their block
    taken: set[str] = field(default_factory=set)

    def new(self, every: Sequence[Unnamed]) -> list[str]:
        """Those of some classes, which are taken from now on."""
        for each in every:
            self.named.setdefault(each.block, []).append(each)
        labels = {block: _labels(alike) for block, alike in self.named.items()}
        return [self._free(f"{each.block}{labels[each.block][self.named[each.block].index(each)]}") for each in every]

    def _free(self, wanted: str) -> str:
        fits = wanted.isidentifier() and not iskeyword(wanted) and wanted not in self.reserved
        names = _numbered(wanted if fits else f"{wanted}Block")
        name = next(name for name in names if name not in self.taken and name not in self.reserved)
        self.taken.add(name)
        return name


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}{number}" for number in count(2))


def _labels(alike: Sequence[Unnamed]) -> list[str]:
    """What sets several classes of a block apart: arguments that are no numbers of their constructors (`Rsu7`), or what
    one has more than that with the least in it: a layer (`ResidualShortcut`), or else an op (`CellElu`). Those that
    have one more alike are set apart in the same way (`InvertedUpSe`); nothing where nothing does."""
    by_arguments = _by_arguments(alike)
    if len({*by_arguments}) == len(alike):
        return by_arguments
    least = min(alike, key=lambda each: (len(each.inside), -len(each.scopes)))
    found = [_more(each.inside, least.inside) or _more(each.words, least.words) for each in alike]
    for label in {*found} if len({*found}) > 1 else ():
        places = [place for place, other in enumerate(found) if other == label]
        for place, more in zip(places, _labels([alike[place] for place in places]), strict=True):
            found[place] += more
    return found


def _by_arguments(alike: Sequence[Unnamed]) -> list[str]:
    """The numbers of as many arguments as it takes, in the block's order, and of none at its default."""
    fixed, defaults = [each.fixed for each in alike], alike[0].scopes[0].defaults
    labels = [""] * len(alike)
    for argument in alike[0].fixed:
        if len({*labels}) == len(alike):
            break
        values = [arguments.get(argument) for arguments in fixed]
        if None not in values and len({*values}) > 1:
            more = (_label(argument, value, defaults) for value in values if value is not None)
            labels = [f"{label}{last}" for label, last in zip(labels, more, strict=True)]
    return labels


def _label(argument: str, value: int, defaults: Mapping[str, int]) -> str:
    """`7` of an argument without a default; else `Rate2`, `Last` of one that is 0 or 1, and nothing at its default."""
    if argument not in defaults:
        return str(value)
    if value == defaults[argument]:
        return ""
    return f"{camel(argument)}{'' if (value, defaults[argument]) == (1, 0) else value}"


def _more(parts: Sequence[str], least: Sequence[str]) -> str:
    """The first part that is not among the least, or not as often."""
    more = [part for part in parts if part in Counter(parts) - Counter(least)]
    stems = [part.rstrip("_0123456789") for part in more]
    return camel(next(iter([*stems, *more]), ""))
