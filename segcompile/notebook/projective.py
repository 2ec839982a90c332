"""Which outputs of a layer some pixels of an input touch: the question, checked, and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segcompile.facts.coverage.region import Product, Region
from segcompile.facts.index_set import IndexSet
from segcompile.facts.projective_field import Repeat, project, repeats
from segcompile.notebook.net import Net
from segcompile.notebook.values import Cells, check_numbers, spans
from segcompile.ops import AXIS_NAMES, CELL, LINES, MEDIUM, Shape
from segcompile.text.errors import SegcompileError, did_you_mean, fail


@dataclass(frozen=True, slots=True, repr=False)
class ProjectiveField(Cells):
    """The outputs that some input pixels touch: those of `region` through windows alone.

    Along an axis whose size is a number these are outputs that there are; along one of any size borders are not looked
    at, and indices may be negative. `repeats`, along each axis: so many input pixels on, and everything has moved by
    so many outputs, borders aside; None where nothing repeats.
    """

    pixels: Product  # of the input
    mixed: Region | None  # touched through an op that mixes the whole image; None also if sizes are not numbers
    whole_image: bool  # whether some are; every output may be, if `mixed` does not tell
    repeats: tuple[Repeat, ...] | None

    def __contains__(self, output: tuple[int, ...]) -> bool:
        """Whether this output is touched, on any path."""
        if self.whole_image and self.mixed is None:
            return True
        return any(output in found for found in (self.region, self.mixed) if found is not None)

    @property
    def others(self) -> int | None:
        """Outputs besides `count` that are touched through an op that mixes the whole image; None: not known."""
        if self.mixed is None:
            return None if self.whole_image else 0
        products = (*self.mixed.products, *(self.region.products if self.region else ()))
        return Region(products).count - self.count

    def __repr__(self) -> str:
        whole = f", and others by the whole {MEDIUM[self.rank]}" if self.whole_image else ""
        size = " x ".join(map(str, self.size))
        return f"<{spans(self.pixels)} touch {self.count} of {size} outputs{whole}>"


def projective_field(net: Net, node: str, asked: Sequence[int | range], of: str | None) -> ProjectiveField:
    """The outputs of `node` that the pixels asked for, of the input `of`, touch. Raises SegcompileError (SC410) for
    pixels that there are not, and Undecidable and TooWide as `project` does."""
    source = _source(net, of)
    pixels = _pixels(source, net.graph.inputs[source], asked, net.graph.rank)
    touched = project(net.graph, net.shapes, node, {source: Region((pixels,))})
    strides = {name: fact.stride for name, fact in net.facts.items()}
    again = repeats(net.graph, net.shapes, strides, node, source)
    whole = touched.whole or touched.mixed is not None
    return ProjectiveField(touched.local, net.graph.rank, pixels, touched.mixed, whole, again)


def _source(net: Net, of: str | None) -> str:
    """The input that is asked about."""
    names = tuple(net.graph.inputs)
    if of in names:
        return of
    if of is not None:
        message = f"{net.graph.model} has no input `{of}`"
        raise fail("SC410", message, help=did_you_mean(of, names) or f"one of {', '.join(names)}")
    if len(names) > 1:
        known = f"{len(names)} inputs, {', '.join(names)}"
        message = f"{net.graph.model} has {known}: of which of them is the {CELL[net.graph.rank]}?"
        raise fail("SC410", message, help=f"in Python, `layer.touched_by(..., of='{names[0]}')`")
    return names[0]


def _pixels(name: str, shape: Shape, asked: Sequence[int | range], rank: int) -> Product:
    """The pixels asked for, which the input has."""
    if not shape.size:
        raise fail("SC410", f"`{name}` is a vector and has no {CELL[rank]}s", help=f"a network of {MEDIUM[rank]}s")
    check_numbers(f"the {CELL[rank]} asked for", len(asked), rank)
    every = [range(item, item + 1) if isinstance(item, int) else item for item in asked]
    if not all(every):
        raise fail("SC410", f"no {CELL[rank]} of `{name}` is asked for", help="ranges that are not empty")
    low, high = ([end(item) for item in every] for end in (min, max))
    for axis, size in enumerate(shape.size):
        least, most = low[axis], high[axis]
        if least < 0 or (isinstance(size, int) and most >= size):
            raise _outside(name, axis, least if least < 0 else most, shape)
    return tuple(
        IndexSet(first, first).repeated(len(item), abs(item.step)) for first, item in zip(low, every, strict=True)
    )


def _outside(name: str, axis: int, index: int, shape: Shape) -> SegcompileError:
    size, line = shape.size[axis], LINES[len(shape.size)][axis].removesuffix("s")
    known = f": its {AXIS_NAMES[len(shape.size)][axis]} is {size}" if isinstance(size, int) else ": they count from 0"
    help = f"{line}s 0 to {size - 1}" if isinstance(size, int) else f"a {line} of at least 0"
    return fail("SC410", f"`{name}` has no {line} {index}{known}", help=help)
