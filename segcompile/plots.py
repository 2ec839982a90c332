"""Pictures of receptive fields, for papers: `segcompile rf SPEC --plot FILE.svg`. The only matplotlib import.

Three panels: how the field grows from layer to layer; the pixels that one output pixel in the middle sees, over the
image (dashed); and how many paths lead to it from each of them, with the squares that hold 50, 90 and 99 %.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcompile.errors import fail
from segcompile.field_tables import SHARES
from segcompile.fields import LayerField, Phase, ReceptiveField

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLE: Any = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "segcompile",
    "svg.fonttype": "none",
}
_INK, _SQUARES = "#1f4e79", ("#111111", "#555555", "#999999")


def plot(view: ReceptiveField, layer: LayerField, phase: Phase, file: Path) -> None:
    """Draw `layer`, for outputs of `phase`, into a .png or .svg file: the same bytes each time.

    Raises SegcompileError (SC410) for another suffix, without matplotlib, or where a field cannot be listed.
    """
    if file.suffix not in (".png", ".svg"):
        raise fail("SC410", f"`{file.name}` is neither a .png nor a .svg file", help=f"{file.stem}.svg, for example")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise fail("SC410", "drawing needs matplotlib", help="pip install 'segcompile[plot]'") from None
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(10, 3.4))  # laid out by hand: a solver's last digits differ from run to run
        figure.subplots_adjust(left=0.06, right=0.99, bottom=0.27, top=0.92, wspace=0.22)
        growth, covered, paths = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
        _draw_growth(growth, view, layer)
        _draw_coverage(covered, layer, phase)
        _draw_paths(paths, layer, phase)
        metadata = {"Date": None} if file.suffix == ".svg" else {"Software": None}
        try:
            figure.savefig(file, dpi=200, metadata=metadata)
        except OSError as error:
            raise fail("SC009", f"cannot write `{file}`: {error.strerror}") from None


def _draw_growth(axes: Axes, view: ReceptiveField, layer: LayerField) -> None:
    """The extent of every layer up to this one, in input pixels."""
    names = list(view.layers)
    names = names[: names.index(layer.name) + 1]
    sizes = [(name, view.layers[name].local_size) for name in names]
    known = [(place, size) for place, (_, size) in enumerate(sizes) if size is not None]
    for axis, (label, dashes) in enumerate((("height", "-"), ("width", "--"))):
        if axis == 0 or any(height != width for _, (height, width) in known):
            axes.step([p for p, _ in known], [s[axis] for _, s in known], dashes, where="mid", color=_INK, label=label)
    every = max(1, -(-len(names) // 12))
    axes.set_xticks(range(0, len(names), every), names[::every], rotation=60, ha="right")
    axes.set_ylim(0)
    axes.set_title(f"{view.model}: receptive field by layer", loc="left")
    axes.set_ylabel("input pixels")
    if len(axes.lines) > 1:
        axes.legend(frameon=False)


def _draw_coverage(axes: Axes, layer: LayerField, phase: Phase) -> None:
    found = layer.coverage(phase)
    rows, columns = found.region.rows, found.region.columns
    y, x = layer.middle(phase)
    _show(axes, found.region.mask(), rows.low + y, columns.low + x, cmap="Blues", vmin=0, vmax=1.4)
    _frame(axes, layer)
    axes.set_title(f"{layer.name} sees {found.count:,} pixels ({float(found.fill):.0%})", loc="left")


def _draw_paths(axes: Axes, layer: LayerField, phase: Phase) -> None:
    from matplotlib.patches import Rectangle

    found = layer.path_counts(phase)
    y, x = layer.middle(phase)
    _show(axes, found.counts, found.top + y, found.left + x, cmap="magma_r")
    _frame(axes, layer)
    for share, color in zip(SHARES, _SQUARES, strict=True):
        radius = found.radius(share)
        corner, side = (found.centre[1] + x - radius - 0.5, found.centre[0] + y - radius - 0.5), 2 * radius + 1
        axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=color, linewidth=0.9))
        axes.annotate(f"{share:.0%}", corner, fontsize=6, color=color, va="bottom")
    axes.set_title("paths from each pixel", loc="left")


def _show(axes: Axes, values: Any, top: int, left: int, **style: Any) -> None:
    """An array as pixels, the first of which has the coordinates (left, top)."""
    height, width = values.shape
    extent = (left - 0.5, left + width - 0.5, top + height - 0.5, top - 0.5)
    axes.imshow(values, extent=extent, interpolation="nearest", **style)
    axes.spines[:].set_visible(False)


def _frame(axes: Axes, layer: LayerField) -> None:
    """The border of the image, where its size is known, and a little room around everything."""
    from matplotlib.patches import Rectangle

    if layer.image is not None:
        height, width = layer.image
        style: Any = {"fill": False, "edgecolor": "#888888", "linestyle": "--", "linewidth": 0.8}
        axes.add_patch(Rectangle((-0.5, -0.5), width, height, **style))
        axes.autoscale_view()
        axes.margins(0.03)
