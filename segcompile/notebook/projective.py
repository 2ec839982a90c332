"""Which outputs of a layer some pixels of an input touch: the question, checked, and its answer."""

from __future__ import annotations

from dataclasses import dataclass

from segcompile.facts.coverage.region import Region
from segcompile.facts.index_set import IndexSet
from segcompile.facts.projective_field import Repeat, project, repeats
from segcompile.notebook.net import Net
from segcompile.notebook.values import Cells, indices
from segcompile.ops import AXIS_NAMES, Shape
from segcompile.text.errors import SegcompileError, did_you_mean, fail


@dataclass(frozen=True, slots=True, repr=False)
class ProjectiveField(Cells):
    """The outputs that some input pixels touch: those of `region` through windows alone.

    Along an axis whose size is a number these are outputs that there are; along one of any size borders are not looked
    at, and indices may be negative. `repeats`, along height and width: so many input pixels on, and everything has
    moved by so many outputs, borders aside; None where nothing repeats.
    """

    rows: IndexSet  # of the input
    columns: IndexSet
    mixed: Region | None  # touched through an op that mixes the whole image; None also if sizes are not numbers
    whole_image: bool  # whether some are; every output may be, if `mixed` does not tell
    repeats: tuple[Repeat, ...] | None

    def __contains__(self, output: tuple[int, int]) -> bool:
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
        at = f"rows {indices(self.rows)}, columns {indices(self.columns)}"
        whole = ", and others by the whole image" if self.whole_image else ""
        return f"<{at} touch {self.count} of {self.size[0]} x {self.size[1]} outputs{whole}>"


def projective_field(net: Net, node: str, y: int | range, x: int | range, of: str | None) -> ProjectiveField:
    """The outputs of `node` that pixels (y, x) of the input `of` touch. Raises SegcompileError (SC410) for pixels that
    there are not, and Undecidable and TooWide as `project` does."""
    source = _source(net, of)
    rows, columns = _pixels(source, net.graph.inputs[source], (y, x))
    touched = project(net.graph, net.shapes, node, {source: Region(((rows, columns),))})
    strides = {name: fact.stride for name, fact in net.facts.items()}
    again = repeats(net.graph, net.shapes, strides, node, source)
    whole = touched.whole or touched.mixed is not None
    return ProjectiveField(touched.local, rows, columns, touched.mixed, whole, again)


def _source(net: Net, of: str | None) -> str:
    """The input that is asked about."""
    names = tuple(net.graph.inputs)
    if of in names:
        return of
    if of is not None:
        message = f"{net.graph.model} has no input `{of}`"
        raise fail("SC410", message, help=did_you_mean(of, names) or f"one of {', '.join(names)}")
    if len(names) > 1:
        message = f"{net.graph.model} has {len(names)} inputs, {', '.join(names)}: of which of them is the pixel?"
        raise fail("SC410", message, help=f"in Python, `layer.touched_by(y, x, of='{names[0]}')`")
    return names[0]


def _pixels(name: str, shape: Shape, asked: tuple[int | range, int | range]) -> tuple[IndexSet, IndexSet]:
    """The rows and columns asked for, which the input has."""
    if not shape.size:
        raise fail("SC410", f"`{name}` is a vector and has no pixels", help="a network of images")
    every = [range(item, item + 1) if isinstance(item, int) else item for item in asked]
    if not all(every):
        raise fail("SC410", f"no pixel of `{name}` is asked for", help="ranges that are not empty")
    low, high = ([end(item) for item in every] for end in (min, max))
    for axis, size in enumerate(shape.size):
        least, most = low[axis], high[axis]
        if least < 0 or (isinstance(size, int) and most >= size):
            raise _outside(name, axis, least if least < 0 else most, shape)
    rows, columns = (
        IndexSet(first, first).repeated(len(item), abs(item.step)) for first, item in zip(low, every, strict=True)
    )
    return rows, columns


def _outside(name: str, axis: int, index: int, shape: Shape) -> SegcompileError:
    size, line = shape.size[axis], ("row", "column")[axis]
    known = f": its {AXIS_NAMES[len(shape.size)][axis]} is {size}" if isinstance(size, int) else ": they count from 0"
    help = f"{line}s 0 to {size - 1}" if isinstance(size, int) else f"a {line} of at least 0"
    return fail("SC410", f"`{name}` has no {line} {index}{known}", help=help)
