"""What classes are called: as the block or spec that they stand for; several of one block by what sets them apart."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from keyword import iskeyword

from segcompile.emit.templates import camel
from segcompile.network.graph import Scope


@dataclass(frozen=True, slots=True)
class Unnamed:
    """Scopes that share a class, the names of what is written in one of them, and which arguments of their block are
    the constructor's."""

    scopes: Sequence[Scope]
    inside: Sequence[str]
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


def name_classes(every: Sequence[Unnamed], taken: set[str], reserved: Collection[str]) -> list[str]:
    """The names of some classes, none of which is `taken`; they are from now on. `reserved`: by the framework."""
    blocks: dict[str, list[Unnamed]] = {}
    for each in every:
        blocks.setdefault(each.block, []).append(each)
    labels = {block: _labels(alike) for block, alike in blocks.items()}
    found = []
    for each in every:
        label = labels[each.block][blocks[each.block].index(each)]
        wanted = f"{each.block}{label}"
        fits = wanted.isidentifier() and not iskeyword(wanted) and wanted not in reserved
        name = next(name for name in _numbered(wanted if fits else f"{wanted}Block") if name not in taken | {*reserved})
        taken.add(name)
        found.append(name)
    return found


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}{number}" for number in count(2))


def _labels(alike: Sequence[Unnamed]) -> list[str]:
    """What sets several classes of a block apart: arguments that are no numbers of their constructors (`Rsu7`), or what
    one has more than that with the least in it (`ResidualShortcut`); nothing where neither does."""
    if len(alike) == 1:
        return [""]
    by_arguments = _by_arguments(alike)
    return by_arguments if len({*by_arguments}) == len(alike) else _by_layers(alike)


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


def _by_layers(alike: Sequence[Unnamed]) -> list[str]:
    """The first layer of each that the one with the fewest has not."""
    least = min(alike, key=lambda each: (len(each.inside), -len(each.scopes)))
    labels = []
    for each in alike:
        more = [name for name in each.inside if name not in least.inside]
        stems = [name.rstrip("_0123456789") for name in more]
        labels.append(camel(next(iter([*stems, *more]), "")))
    return labels
