"""Pictures of receptive fields, for papers: `segcompile rf SPEC --plot FILE.svg`. The only matplotlib import.

Three panels: how the field grows along the path that reaches its end, and what the other layers see; the pixels that
one output pixel in the middle sees, over the image (dashed); and how many paths lead to it from each of them, with
the squares that hold 50, 90 and 99 %.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcompile.notebook.layer import Direction, LayerField
from segcompile.notebook.network import ReceptiveField
from segcompile.notebook.values import Phase
from segcompile.ops import AXIS_NAMES
from segcompile.show.fields_text import SHARES, area
from segcompile.text.errors import fail

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SMALL = 6.5  # points
_STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": _SMALL,
    "svg.hashsalt": "segcompile",
    "svg.fonttype": "none",
}
_INK, _SQUARES = "#1f4e79", "#0a9396"
_DASHES = ("-", "--", ":")  # of the squares, from the smallest
_MOST_NAMES = 16  # on the axis of layers


def plot(view: ReceptiveField, layer: LayerField, phase: Phase, file: Path) -> None:
    """Draw `layer`, for outputs of `phase`, into a .png or .svg file: the same bytes each time.

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
        _figure(view, layer, phase).savefig(drawn, format=kind, dpi=200, metadata=metadata)
    try:
        file.write_bytes(drawn.getvalue())
    except OSError as error:
        raise fail("SC013", f"`{file}` cannot be written: {error.strerror}") from None


def _figure(view: ReceptiveField, layer: LayerField, phase: Phase) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6))  # laid out by hand: a solver's last digits differ from run to run
    figure.subplots_adjust(left=0.04, right=0.97, bottom=0.29, top=0.93, wspace=0.2)
    growth, covered, paths = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
    _draw_paths(paths, layer, phase)  # first, as it is what large fields have no answer to
    _draw_coverage(covered, layer, phase)
    _draw_growth(growth, view, layer, phase)
    return figure


def _draw_growth(axes: Axes, view: ReceptiveField, layer: LayerField, phase: Phase) -> None:
    """The extent of every layer that this one depends on, in input pixels: those on the path to the field's end as a
    line, others as points."""
    names = layer.sources
    sizes = {name: size for name in names if (size := view.layers[name].local_size) is not None}
    square = all(height == width for height, width in sizes.values())
    sides: tuple[tuple[int, Direction, str], ...] = ((0, "bottom", "-"), (1, "right", "--"))
    for axis, side, dashes in sides[:1] if square else sides:
        along = [name for name, _, _ in layer.steps(side, phase) if name in sizes]
        beside = [name for name in sizes if name not in along]
        label = "on the path to its end" if square else AXIS_NAMES[axis]
        places = [names.index(name) for name in along]
        axes.plot(
            places, [sizes[n][axis] for n in along], f"o{dashes}", color=_INK, markersize=2.5, linewidth=1, label=label
        )
        if beside:
            places, extents = [names.index(name) for name in beside], [sizes[name][axis] for name in beside]
            axes.plot(places, extents, "o", color=_INK, markersize=3, markerfacecolor="white", label="beside it")
    every = max(1, -(-len(names) // _MOST_NAMES))
    axes.set_xticks(
        range(0, len(names), every),
        [_short(name) for name in names[::every]],
        rotation=60,
        ha="right",
        rotation_mode="anchor",
    )
    axes.set_ylim(0)
    axes.set_title(f"{view.model}: receptive field by layer, in input pixels", loc="left")
    if len(axes.lines) > 1:
        axes.legend(loc="best")


def _draw_coverage(axes: Axes, layer: LayerField, phase: Phase) -> None:
    found = layer.coverage(phase)
    top, left = found.start or (0, 0)
    _show(axes, found.array(), layer, phase, (top, left), cmap="Blues", vmin=0, vmax=1.4)
    seen = area(found.size) if found.fill == 1 else f"{found.count:,} of {area(found.size)}"
    axes.set_title(f"one pixel of {_short(layer.name)} sees {seen}", loc="left")
    axes.set_xlabel("\n".join(_notes(layer, found.size)), fontsize=_SMALL)


def _notes(layer: LayerField, size: tuple[int, int]) -> list[str]:
    """What the pixels do not say."""
    notes = ["and all other pixels, by a path that mixes the image"] if layer.whole_image else []
    if layer.data_dependent:
        notes.append("a bound: the values decide which part counts")
    if layer.image is not None and (size[0] > layer.image[0] or size[1] > layer.image[1]):
        notes.append(f"an image of {area(layer.image)} never holds all of them")
    return notes


def _draw_paths(axes: Axes, layer: LayerField, phase: Phase) -> None:
    import matplotlib
    from matplotlib.patches import Rectangle

    found = layer.path_counts(phase)
    colors = matplotlib.colormaps["magma_r"].with_extremes(under="white")
    least = float(found.counts[found.counts > 0].min()) / 2  # what is not seen is white
    y, x = _show(axes, found.counts, layer, phase, (found.top, found.left), cmap=colors, vmin=least)
    for share, dashes in zip(SHARES, _DASHES, strict=True):
        radius, (row, column) = found.radius(share), found.centre
        side, label = 2 * radius + 1, f"{share:.0%}: {area(found.square(share))}"
        corner = column + x - side / 2, row + y - side / 2
        style: Any = {"fill": False, "edgecolor": _SQUARES, "linestyle": dashes, "linewidth": 1.1, "label": label}
        axes.add_patch(Rectangle(corner, side, side, **style))
    axes.set_title("paths from each of them", loc="left")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=3, handlelength=1.3, columnspacing=0.8)


def _show(
    axes: Axes, values: Any, layer: LayerField, phase: Phase, start: tuple[int, int], **style: Any
) -> tuple[int, int]:
    """An array as pixels, moved from `start` to where the field of the output in the middle is, over the border of the
    image where its size is known. Returns by how much it was moved, (down, right)."""
    from matplotlib.patches import Rectangle

    (height, width), (y, x) = values.shape, layer.middle(phase)
    top, left = start[0] + y, start[1] + x
    extent = (left - 0.5, left + width - 0.5, top + height - 0.5, top - 0.5)
    axes.imshow(values, extent=extent, interpolation="nearest", **style)
    axes.spines[:].set_visible(False)
    if layer.image is not None:
        border: Any = {"fill": False, "edgecolor": "#888888", "linestyle": "--", "linewidth": 0.8}
        axes.add_patch(Rectangle((-0.5, -0.5), layer.image[1], layer.image[0], **border))
    axes.use_sticky_edges = False
    axes.margins(0.03)
    return y, x


def _short(name: str) -> str:
    return name if len(name) <= 18 else f"…{name[-17:]}"
