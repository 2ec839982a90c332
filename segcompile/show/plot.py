"""Pictures of receptive fields, for papers: `segcompile rf SPEC --plot FILE.svg`. The only matplotlib import.

Three panels: how the field grows along the path that reaches its end, and what the other layers see (`why.py`); the
pixels that one output pixel in the middle sees, over the image (`coverage.py`); and how many paths lead to it from each
of them (`path_counts.py`). Of a signal the last two are curves over its samples, of a volume three slices each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcompile.notebook.layer import LayerField
from segcompile.notebook.values import Phase
from segcompile.ops import AXIS_NAMES
from segcompile.text.errors import fail

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure

    Panel = Sequence[Axes]  # one, but three for the slices of a volume
    Drawing = Callable[[Panel], None]

SMALL = 6.5  # points
_STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "svg.hashsalt": "segcompile",
    "svg.fonttype": "none",
}


def plot(file: Path, rank: int, growth: Drawing, covered: Drawing, paths: Drawing) -> None:
    """Draw the three panels into a .png or .svg file: the same bytes each time.

    Raises SegcompileError: SC410 for another suffix, without matplotlib, or where a field has no pixels that can be
    listed; SC013 if the file cannot be written.
    """
    kind = file.suffix.lower().removeprefix(".")
    if kind not in ("png", "svg"):
        help = f"{file.stem}.svg, for example" if file.stem else "field.svg, for example"
        raise fail("SC410", f"`{file}` is neither a .png nor a .svg file", help=help)
    try:
        import matplotlib
    except ImportError:
        raise fail("SC410", "drawing needs matplotlib", help="pip install 'segcompile[plot]'") from None
    drawn = BytesIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the reader's matplotlibrc says
        matplotlib.rcParams.update(_STYLE)
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        _figure(rank, growth, covered, paths).savefig(drawn, format=kind, dpi=200, metadata=metadata)
    try:
        file.write_bytes(drawn.getvalue())
    except OSError as error:
        raise fail("SC013", f"`{file}` cannot be written: {error.strerror}") from None


def _figure(rank: int, growth: Drawing, covered: Drawing, paths: Drawing) -> Figure:
    from matplotlib.figure import Figure

    # Laid out by hand: a solver's last digits differ from run to run.
    if rank < 3:
        figure = Figure(figsize=(10, 3.6))
        figure.subplots_adjust(left=0.04, right=0.97, bottom=0.29, top=0.93, wspace=0.2)
        panels = [[axes] for axes in figure.subplots(1, 3, width_ratios=(1.3, 1, 1))]
    else:
        figure = Figure(figsize=(10, 5.4))
        grid = figure.add_gridspec(2, 4, width_ratios=(1.4, 1, 1, 1))
        grid.update(left=0.05, right=0.98, bottom=0.16, top=0.95, wspace=0.3, hspace=0.45)
        slices = [[figure.add_subplot(grid[row, column]) for column in (1, 2, 3)] for row in (0, 1)]
        panels = [[figure.add_subplot(grid[:, 0])], *slices]
    for panel, draw in zip(panels[::-1], (paths, covered, growth), strict=True):
        draw(panel)  # the paths first, as they are what large fields have no answer to
    return figure


SHOWN = {1: ((0,),), 2: ((0, 1),), 3: ((1, 2), (0, 2), (0, 1))}  # by rank: the axes that each plane of a panel shows


@dataclass(frozen=True)
class Plane:
    """What one picture shows of an array: all of a signal or an image, a slice of a volume."""

    values: Any
    shown: tuple[int, ...]  # the array's axes
    cut: tuple[int, ...]  # those that are cut across, at the middle of the array

    def titled(self, text: str) -> str:
        """The text of a picture, with the axes of a slice over it."""
        return f"{' x '.join(AXIS_NAMES[3][axis] for axis in self.shown)}:\n{text}" if self.cut else text


def planes(values: Any) -> Iterator[Plane]:
    """An array as pictures; a volume as the three slices through its filled cell that is next to the middle."""
    rank = values.ndim
    at = tuple(extent // 2 for extent in values.shape)
    if rank == 3 and not values[at]:
        filled = values.nonzero()
        nearest = sum((indices - middle) ** 2 for indices, middle in zip(filled, at, strict=True)).argmin()
        at = tuple(indices[nearest] for indices in filled)
    for shown in SHOWN[rank]:
        cut = tuple(axis for axis in range(rank) if axis not in shown)
        yield Plane(values[tuple(at[axis] if axis in cut else slice(None) for axis in range(rank))], shown, cut)


def cells(
    panel: Panel,
    values: Any,
    layer: LayerField,
    phase: Phase,
    start: tuple[int, ...],
    colours: str,
    least: float,
    most: float | None = None,
) -> None:
    """An array as pixels, white below `least`, moved from `start` to where the field of the output in the middle is,
    over the border of the image (dashed) where its size is known."""
    import matplotlib

    first = tuple(map(add, start, layer.middle(phase)))
    colormap = matplotlib.colormaps[colours].with_extremes(under="white")
    for axes, plane in zip(panel, planes(values), strict=True):
        lows = [first[axis] - 0.5 for axis in plane.shown]
        if len(lows) == 1:
            edges = [lows[0] + index for index in range(len(values) + 1)]
            axes.stairs(values, edges, fill=True, color=colormap(1 / (most or 1.4)))
            axes.set_yticks([])
        else:
            (top, left), (height, width) = lows, plane.values.shape
            extent = (left, left + width, top + height, top)
            axes.imshow(
                plane.values,
                extent=extent,
                interpolation="nearest",
                cmap=colormap,
                vmin=least,
                vmax=most or values.max(),
            )
        if plane.cut:
            row, column = (AXIS_NAMES[3][axis] for axis in plane.shown)
            axes.set_xlabel(column, fontsize=SMALL)
            axes.set_ylabel(row, fontsize=SMALL)
        axes.spines[:].set_visible(False)
        if layer.image is not None:
            size = [layer.image[axis] for axis in plane.shown]
            frame(axes, [-0.5] * len(size), size, edgecolor="#888888", linestyle="--", linewidth=0.8)
        axes.use_sticky_edges = False
        axes.margins(0.03)


def frame(axes: Axes, corner: Sequence[float], size: Sequence[float], **style: Any) -> None:
    """A rectangle that is not filled, with its first corner at (row, column), of that height and width; of a signal as
    high as the picture."""
    from matplotlib.patches import Rectangle

    if len(size) == 1:
        axes.axvspan(corner[0], corner[0] + size[0], fill=False, **style)
        return
    (row, column), (height, width) = corner, size
    axes.add_patch(Rectangle((column, row), width, height, fill=False, **style))


def short(name: str) -> str:
    """A name that fits an axis or a title: its end, if it is long."""
    return name if len(name) <= 18 else f"…{name[-17:]}"
