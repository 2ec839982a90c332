"""A network in rows: which rows a layer reads, and in which order all are made so that few have to be kept.

Along the first axis of its maps a network is run in blocks. Every row of every layer is made once, in order. A layer
keeps the rows that its readers will still ask for; how many these are a dry run says, which is what stands here: whole
numbers, and the standard library only. The analysis (facts/streaming.py) uses this file, and what follows is word for
word the generated schedule.py, so that both have one schedule. Hence its lines of at most 110 characters.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any


@dataclass(frozen=True)
class Slide:
    """A window of `taps` rows, `dilation` apart: row p reads from row stride * p - before of its input on.

    `before` and `after` rows lie around the input: of `fill`, or by `around` its edge, or its reflection.
    `up`: a last window may overhang the end. `counts` is of a mean, which counts the rows of the input (map),
    or those around it, too (padded).
    """

    taps: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    around: str = "zero"
    fill: float = 0.0
    up: bool = False
    counts: str = ""

    def rows(self, sizes: Sequence[int]) -> int:
        """How many rows come of inputs of these `sizes`."""
        free = sizes[0] + self.before + self.after - self.dilation * (self.taps - 1) - 1
        if not self.up:
            return free // self.stride + 1
        return min(-(-free // self.stride), (sizes[0] + self.before - 1) // self.stride) + 1

    def reads(self, index: int) -> bool:
        """Whether rows of input `index` are read, and not its size alone."""
        return True

    def span(self, p: int, q: int, sizes: Sequence[int], index: int) -> tuple[int, int]:
        """The rows, from one to the end, that rows p to q read of an input, be they inside it or not."""
        first = self.stride * p - self.before
        return first, first + self.stride * (q - p - 1) + self.dilation * (self.taps - 1) + 1

    def first(self, p: int, sizes: Sequence[int], index: int) -> int:
        """The row of an input before which rows from p on read none."""
        row, _ = self.span(p, p + 1, sizes, index)
        if self.around != "zero":  # what lies behind the end is one of the last rows again
            _, end = self.span(p, self.rows(sizes), sizes, index)
            row = min(row, sizes[0] - 1 - (max(0, end - sizes[0]) if self.around == "reflect" else 0))
        return max(0, min(row, sizes[0]))

    def end(self, q: int, sizes: Sequence[int], index: int) -> int:
        """The row of an input from which on rows before q read none."""
        _, row = self.span(q - 1, q, sizes, index)
        if self.around != "zero":
            row = max(row, self.before + 1 if self.around == "reflect" else 1)
        return max(0, min(row, sizes[0]))

    def made(self, q: int, sizes: Sequence[int]) -> int:
        """How far it is made if it is asked for the rows before q."""
        return q

    def counted(self, p: int, sizes: Sequence[int]) -> int:
        """Of a mean: the rows that row p counts."""
        first, end = self.span(p, p + 1, sizes, 0)
        before, after = (self.before, self.after) if self.counts == "padded" else (0, 0)
        return min(end, sizes[0] + after) - max(first, -before)


@dataclass(frozen=True)
class Transpose:
    """A window over the output: row i of the input adds to rows stride * i + dilation * t - before, t < taps.

    Each row of the input is read once: what it adds to rows that are not done is kept. `more` rows behind the
    end get nothing; with `like` the rows are as many as the last input has.
    """

    taps: int
    stride: int
    dilation: int = 1
    before: int = 0
    after: int = 0
    more: int = 0
    like: bool = False

    @property
    def carried(self) -> int:
        """The rows that are not done after a row of the input, at most."""
        return max(0, self.dilation * (self.taps - 1) + 1 - self.stride)

    def rows(self, sizes: Sequence[int]) -> int:
        if self.like:
            return sizes[-1]
        span = self.dilation * (self.taps - 1) + 1
        return (sizes[0] - 1) * self.stride + span + self.more - self.before - self.after

    def reads(self, index: int) -> bool:
        return not self.like or index < 2

    def span(self, p: int, q: int, sizes: Sequence[int], index: int) -> tuple[int, int]:
        return self.first(p, sizes, index), self.end(q, sizes, index)

    def first(self, p: int, sizes: Sequence[int], index: int) -> int:
        return self.end(p, sizes, index) if p else 0

    def end(self, q: int, sizes: Sequence[int], index: int) -> int:
        return max(0, min((q - 1 + self.before) // self.stride + 1, sizes[0]))

    def made(self, q: int, sizes: Sequence[int]) -> int:
        end, rows = self.end(q, sizes, 0), self.rows(sizes)
        return rows if end == sizes[0] else max(q, min(rows, end * self.stride - self.before))


@dataclass(frozen=True)
class Resample:
    """Interpolation: by a ratio `by`, to `size` rows, or to as many as the second input has.

    Row p lies at place(p): `at` start + step * p, if that is said.
    """

    mode: str
    by: tuple[int, int] | None = None
    size: int | None = None
    corners: bool = False
    at: tuple[Fraction, Fraction] | None = None

    def rows(self, sizes: Sequence[int]) -> int:
        if len(sizes) == 2:
            return sizes[1]
        if self.size is not None:
            return self.size
        assert self.by is not None
        return sizes[0] * self.by[0] // self.by[1]

    def reads(self, index: int) -> bool:
        return index == 0

    def place(self, p: int, sizes: Sequence[int]) -> Fraction:
        """Where row p lies in the input, in rows; of the nearest one that is rounded down."""
        have, want = sizes[0], self.rows(sizes)
        if self.at is not None:
            return self.at[0] + p * self.at[1]
        if self.corners:
            return Fraction(p * (have - 1), max(1, want - 1))
        step = Fraction(self.by[1], self.by[0]) if self.by is not None else Fraction(have, want)
        if self.mode == "nearest":
            return p * step
        return (p + Fraction(1, 2)) * step - (0 if self.mode == "nearest_exact" else Fraction(1, 2))

    def weights(self, p: int, sizes: Sequence[int]) -> list[tuple[int, Fraction]]:
        """The rows that row p is a mean of, and the weight of each, none of them zero."""
        place, last = self.place(p, sizes), sizes[0] - 1
        if self.mode.startswith("nearest"):
            return [(min(int(place), last), Fraction(1))]
        if self.mode == "bilinear":
            place = max(place, Fraction(0))
        row = place.__floor__()
        found = _between(place - row) if self.mode == "cubic" else ((0, 1 - place + row), (1, place - row))
        return [(max(0, min(row + more, last)), weight) for more, weight in found if weight]

    def span(self, p: int, q: int, sizes: Sequence[int], index: int) -> tuple[int, int]:
        return self.first(p, sizes, index), self.end(q, sizes, index)

    def first(self, p: int, sizes: Sequence[int], index: int) -> int:
        return min(row for row, _ in self.weights(p, sizes))

    def end(self, q: int, sizes: Sequence[int], index: int) -> int:
        return max(row for row, _ in self.weights(q - 1, sizes)) + 1 if q else 0

    def made(self, q: int, sizes: Sequence[int]) -> int:
        return q


def _between(x: Fraction) -> tuple[tuple[int, Fraction], ...]:
    """The weights of the four rows around a place, x behind the second: Keys (1981), equation 4, a = -3/4."""
    a = Fraction(-3, 4)

    def near(x: Fraction) -> Fraction:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Fraction) -> Fraction:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return (-1, far(1 + x)), (0, near(x)), (1, near(1 - x)), (2, far(2 - x))


@dataclass(frozen=True)
class Crop:
    """The rows from `offset` on, as many as the second input has."""

    offset: int = 0

    def rows(self, sizes: Sequence[int]) -> int:
        return sizes[1]

    def reads(self, index: int) -> bool:
        return index == 0

    def span(self, p: int, q: int, sizes: Sequence[int], index: int) -> tuple[int, int]:
        return p + self.offset, q + self.offset

    def first(self, p: int, sizes: Sequence[int], index: int) -> int:
        return min(p + self.offset, sizes[0])

    def end(self, q: int, sizes: Sequence[int], index: int) -> int:
        return min(q + self.offset, sizes[0])

    def made(self, q: int, sizes: Sequence[int]) -> int:
        return q


@dataclass(frozen=True)
class Join:
    """Inputs side by side. `align` cuts all to the smallest, or puts zeros around. One row is read by all."""

    align: str = "none"

    def rows(self, sizes: Sequence[int]) -> int:
        return min(sizes) if self.align == "center_crop" else max(sizes)

    def reads(self, index: int) -> bool:
        return True

    def span(self, p: int, q: int, sizes: Sequence[int], index: int) -> tuple[int, int]:
        have, want = sizes[index], self.rows(sizes)
        if self.align == "none":
            return (p, q) if have == want else (0, 1)
        shift = (have - want) // 2 if self.align == "center_crop" else -((want - have) // 2)
        return p + shift, q + shift

    def first(self, p: int, sizes: Sequence[int], index: int) -> int:
        return max(0, min(self.span(p, p + 1, sizes, index)[0], sizes[index]))

    def end(self, q: int, sizes: Sequence[int], index: int) -> int:
        return max(0, min(self.span(q - 1, q, sizes, index)[1], sizes[index]))

    def made(self, q: int, sizes: Sequence[int]) -> int:
        return q


@dataclass(frozen=True)
class Whole:
    """So many rows of the whole input, none of which is read: what they are made of was gathered before."""

    count: int = 1

    def rows(self, sizes: Sequence[int]) -> int:
        return self.count

    def reads(self, index: int) -> bool:
        return False

    def span(self, p: int, q: int, sizes: Sequence[int], index: int) -> tuple[int, int]:
        return 0, 0

    def first(self, p: int, sizes: Sequence[int], index: int) -> int:
        return 0

    def end(self, q: int, sizes: Sequence[int], index: int) -> int:
        return 0

    def made(self, q: int, sizes: Sequence[int]) -> int:
        return q


Grid = Slide | Transpose | Resample | Crop | Join | Whole


@dataclass(frozen=True)
class Layer:
    """What one step makes: its inputs by name, how it lies over them along each axis, and its channels.

    One grid alone is that of all axes. `gathers` says what of all rows of its first input has to be known
    before it makes one: there the run is cut. `make` gives its rows of those of its inputs, `then` what is
    done to each value of these.
    """

    inputs: tuple[str, ...]
    grid: tuple[Grid, ...]
    channels: int
    make: Callable[..., Any] = field(default=lambda x: x, compare=False)
    then: Callable[[Any], Any] | None = field(default=None, compare=False)
    gathers: str = ""
    groups: int = 1

    @property
    def read(self) -> list[str]:
        """The inputs of which it reads rows."""
        return [name for index, name in enumerate(self.inputs) if self.grid[0].reads(index)]


Layers = Mapping[str, Layer]  # in the order of the data; what a layer reads and is none of them is the image
Sizes = Mapping[str, tuple[int, ...]]  # of the image and of every layer, along each axis: rows are the first


def sizes_of(layers: Layers, image: str, size: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The sizes of all maps of an image of one `size`, which the network takes."""
    found = {image: size}
    for name, layer in layers.items():
        along = zip(*(found[each] for each in layer.inputs), strict=True)
        grids = layer.grid * (len(size) // len(layer.grid))
        found[name] = tuple(grid.rows(sizes) for grid, sizes in zip(grids, along, strict=True))
    return found


@dataclass(frozen=True)
class Pass:
    """A run over the image: what it `gathers`, and the maps that it `stores`, for later runs; its layers."""

    gathers: tuple[str, ...]
    stores: tuple[str, ...]
    output: str | None
    layers: tuple[str, ...]  # these and what they begin with: the image, and stored maps
    sources: tuple[str, ...]

    def targets(self, layers: Layers) -> list[str]:
        """The maps that have to be made to their last row."""
        of_all = [layers[name].inputs[0] for name in self.gathers]
        return list(dict.fromkeys([*of_all, *self.stores, *([self.output] if self.output else [])]))


def passes_of(layers: Layers, output: str, store: bool) -> list[Pass]:
    """The runs that give one output: one more than there are layers behind one another that gather.

    With `store` what a later run reads is stored, and nothing is made twice; else each begins at the image.
    """
    stage, stored, found = _stages(layers, output), set[str](), list[Pass]()
    for now in range(stage[output] + 1):
        gathers = tuple(name for name, at in stage.items() if layers[name].gathers and at == now + 1)
        later = {read for name, at in stage.items() if at > now for read in layers[name].read}
        stores = tuple(name for name, at in stage.items() if store and at == now and name in later)
        begun = Pass(gathers, stores, output if now == stage[output] else None, (), ())
        needed = _ancestors(layers, begun.targets(layers), stored)
        made = tuple(name for name in stage if name in needed and name not in stored)
        begun_with = (*(needed - {*layers}), *stage)
        sources = tuple(name for name in begun_with if name in needed and name not in made)
        found.append(replace(begun, layers=made, sources=sources))
        stored |= {*stores}
    return found


def _stages(layers: Layers, output: str) -> dict[str, int]:
    """Of each layer that an output needs, how many runs have to be over before it can be made."""
    needed, stage = {output}, dict[str, int]()
    for name in reversed(list(layers)):
        if name in needed:
            needed.update(layers[name].inputs if layers[name].gathers else layers[name].read)
    for name, layer in layers.items():
        if name in needed:
            before = [stage[each] for each in layer.read if each in stage]
            whole = [stage.get(layer.inputs[0], 0) + 1] if layer.gathers else []
            stage[name] = max([0, *before, *whole])
    return stage


def _ancestors(layers: Layers, targets: Sequence[str], sources: Collection[str]) -> set[str]:
    """All that has to be there to make the targets, back to what is stored, or to the image."""
    found, todo = set[str](), list(targets)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [] if name in sources or name not in layers else layers[name].read
    return found


class Schedule:
    """The steps of one run, (name, from row, to row), in blocks that stand for `block` rows of the image.

    A layer is asked for a few rows at a time, and first asks its inputs for what these read. After a step
    each input drops what no reader will ask for. `capacity`: name -> the rows that its buffer has to hold.
    """

    def __init__(self, layers: Layers, sizes: Sizes, run: Pass, image: str, block: int) -> None:
        self.layers, self.rows = layers, {name: size[0] for name, size in sizes.items()}
        self.names, self.targets = (*run.sources, *run.layers), run.targets(layers)
        self.inputs = {name: layers[name].read if name in run.layers else [] for name in self.names}
        self.sizes = {name: [self.rows[each] for each in layers[name].inputs] for name in run.layers}
        self.image, self.block = image, block
        self.readers: dict[str, list[tuple[str, int]]] = {name: [] for name in self.names}
        for name in run.layers:
            for index, each in enumerate(layers[name].inputs):
                if layers[name].grid[0].reads(index):
                    self.readers[each].append((name, index))

    def dry(self) -> dict[str, int]:
        """The rows that each buffer has to hold: those of a run in which nothing is computed."""
        for _ in self.steps():
            pass
        return self.capacity

    def steps(self) -> Iterator[tuple[str, int, int]]:
        """Each step, when it is to be done."""
        self.done, self.kept = dict.fromkeys(self.names, 0), dict.fromkeys(self.names, 0)
        self.capacity = dict.fromkeys(self.names, 0)
        height = self.rows[self.image]
        for turn in range(1, -(-height // self.block) + 1):
            for name in self.targets:
                yield from self._pull(name, min(self.rows[name], self._share(name, turn)))

    def _share(self, name: str, blocks: int) -> int:
        """The rows of a layer that lie in so many blocks of the image."""
        return -(-blocks * self.block * self.rows[name] // self.rows[self.image])

    def _pull(self, target: str, end: int) -> Iterator[tuple[str, int, int]]:
        """The steps that make the rows of a layer before `end`."""
        asked = [(target, end)]
        while asked:
            name, end = asked[-1]
            if self.done[name] >= end:
                asked.pop()
                continue
            done = self.done[name]
            goal = min(end, done + max(1, self._share(name, 1)))
            layer = self.layers[name] if self.inputs[name] else None
            missing = []
            if layer is not None:
                goal = layer.grid[0].made(goal, self.sizes[name])
                needs = dict.fromkeys(layer.read, 0)
                for index, each in enumerate(layer.inputs):
                    if layer.grid[0].reads(index):
                        needs[each] = max(needs[each], layer.grid[0].end(goal, self.sizes[name], index))
                missing = [(each, rows) for each, rows in needs.items() if self.done[each] < rows]
            if missing:
                asked.append(missing[0])
                continue
            yield name, done, goal
            self._finish(name, goal)

    def _finish(self, name: str, goal: int) -> None:
        """Note that rows before `goal` are made, and what nobody will ask for any more."""
        self.done[name] = goal
        if self.readers[name]:
            self.capacity[name] = max(self.capacity[name], goal - self.kept[name])
        for each in self.inputs[name]:
            firsts = (
                self.layers[reader].grid[0].first(self.done[reader], self.sizes[reader], index)
                for reader, index in self.readers[each]
                if self.done[reader] < self.rows[reader]
            )
            self.kept[each] = min(min(firsts, default=self.done[each]), self.done[each])
