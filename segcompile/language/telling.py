"""Names that a network brings along: what the modules of another tool are called, as names of lines and blocks.

A line, or a call, is called after the module that holds its layers and no other: the last word of that module's path,
`conv1` of `backbone.layer1.0.conv1`, `downsample` of `layer1.0.downsample.0`. A block is called after the class of the
modules that its calls are. Where the lines of a loop, or the calls of a block, would have several names, or a name
means something here, there is none, and the structure gives one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import chain
from keyword import iskeyword

from segcompile.language.outline import Block, Form, Line

Path = tuple[str, ...]  # of a module, from the outermost
Layers = tuple[str, ...]

_WORD = re.compile(r"(?=.{2,24}$)(?!.*__)[A-Za-z][A-Za-z0-9_]*[A-Za-z0-9]")
_VARIABLE = re.compile(r"[a-z]\d*|of\d*|skip\d*")  # arguments, variables of loops, and what a block is given
_MEANS = {
    "input", "above", "network", "channels", "stride", "block", "use", "repeat", "for", "layers", "args", "name",
    "from", "share", "size", "yes", "no", "true", "false", "none", "null", "on", "off",
}  # fmt: skip
_LISTS = ("Sequential", "ModuleList", "ModuleDict", "Module")  # classes that tell nothing
_LONGEST = 200  # characters of a path
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Modules:
    """`paths`: layer -> the path of the module that it belongs to, `layer1.0.conv1`; `classes`: path -> its class."""

    paths: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)


NO_MODULES = Modules()


class Telling:
    """The names that modules give to the lines of an outline, and to its blocks."""

    def __init__(self, lines: Sequence[Line], modules: Modules) -> None:
        told = {layer: path for layer, path in modules.paths.items() if 0 < len(path) <= _LONGEST}
        self._paths: dict[str, Path] = {layer: tuple(path.split(".")) for layer, path in told.items()}
        self._classes = modules.classes
        self._count: dict[Path, int] = {}  # of layers under each path
        for layer in (name for line in lines for name in line.where):
            for path in _upwards(self._paths.get(layer, ())):
                self._count[path] = self._count.get(path, 0) + 1
        self._turns: dict[tuple[Block | None, int], list[list[Layers]]] = {}  # line -> each time, each turn of it
        self._calls: dict[Block, list[Layers]] = {}
        self._walk(lines, None)

    def _walk(self, lines: Sequence[Line], block: Block | None) -> None:
        for index, line in enumerate(lines):
            if isinstance(line.form, Form):
                turns: list[Layers] = [(name,) for name in line.where]
            else:
                turns = [tuple(name for inner in turn for name in inner.where) for turn in line.turns]
                self._calls.setdefault(line.form, []).extend(turns)
                for turn in line.turns:
                    self._walk(turn, line.form)
            self._turns.setdefault((block, index), []).append(turns)

    def name(self, block: Block | None, lines: Sequence[int], *, words: int = 1) -> str | None:
        """What a line of a block, or of the network, is called before its numbers: after the module that all its turns
        are, or each of them. Several lines are the turns of a loop. `words`: so many of the path."""
        looped = len(lines) > 1
        times = [
            (turn if looped else None, each) for turn, line in enumerate(lines, 1) for each in self._turns[block, line]
        ]
        whole = [(turn, self._word(tuple(chain.from_iterable(each)), words)) for turn, each in times]
        apart = [
            (number if len(each) > 1 else turn, self._word(layers, words))
            for turn, each in times
            for number, layers in enumerate(each, 1)
        ]
        return _agreed(whole) or _agreed(apart)

    def _word(self, layers: Layers, words: int) -> str | None:
        """The last words of the path of the module that holds these layers alone."""
        for path in self._own(layers):
            told = [part.strip("_") for part in path]
            if _WORD.fullmatch(told[-1]):
                found = [part for part in told if _WORD.fullmatch(part)]
                return "_".join(found[-words:])
        return None

    def _own(self, layers: Layers) -> Iterator[Path]:
        """The modules that hold these layers and no other, the innermost first."""
        known = [self._paths[layer] for layer in layers if layer in self._paths]
        if len(known) > 1 or len(layers) == 1:
            for path in _upwards(reduce(_common, known) if known else ()):
                if self._count[path] != len(known):
                    return
                yield path

    def title(self, block: Block) -> str | None:
        """What a block is called: the class of the modules that its calls are."""
        found = {self._class(layers) for layers in self._calls[block]}
        name = found.pop() if len(found) == 1 else None
        return name if name is not None and _is_free(name) else None

    def _class(self, layers: Layers) -> str | None:
        classes = (self._classes.get(".".join(path), "Module") for path in self._own(layers))
        found = next((name for name in classes if name not in _LISTS), None)
        return _HUMP.sub("_", found.replace("ReLU", "Relu")).lower() if found is not None else None


def _upwards(path: Path) -> Iterable[Path]:
    return (path[:end] for end in range(len(path), 0, -1))


def _common(one: Path, other: Path) -> Path:
    end = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:end]


def _agreed(found: Sequence[tuple[int | None, str | None]]) -> str | None:
    """The one word of all, each with the number that it will get or not; without their numbers, if all have their
    own."""
    options = [{word, _unnumbered(word, number)} for number, word in found if word is not None]
    if len(options) < len(found):
        return None
    return min(filter(_is_free, set.intersection(*options)), key=len, default=None)


def _unnumbered(word: str, number: int | None) -> str:
    """A word without its number, if it has that one."""
    stem = word.removesuffix(str(number)).rstrip("_") if number is not None else word
    return word if stem[-1:].isdigit() else stem


def _is_free(name: str) -> bool:
    """Whether a name can stand in a spec, and means nothing else there."""
    means = name.lower() in _MEANS or iskeyword(name) or _VARIABLE.fullmatch(name)
    return not means and _WORD.fullmatch(name) is not None
