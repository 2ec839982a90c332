"""Pictures of receptive fields, for papers: `segcompile rf SPEC --plot FILE.svg`. The only matplotlib import.

Three panels: how the field grows along the path that reaches its end, and what the other layers see (`why.py`); the
pixels that one output pixel in the middle sees, over the image (`coverage.py`); and how many paths lead to it from each
of them (`path_counts.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcompile.notebook.layer import LayerField
from segcompile.notebook.values import Phase
from segcompile.text.errors import fail

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure

    Drawing = Callable[[Axes], None]  # draws one panel

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


def plot(file: Path, growth: Drawing, covered: Drawing, paths: Drawing) -> None:
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
        _figure(growth, covered, paths).savefig(drawn, format=kind, dpi=200, metadata=metadata)
    try:
        file.write_bytes(drawn.getvalue())
    except OSError as error:
        raise fail("SC013", f"`{file}` cannot be written: {error.strerror}") from None


def _figure(growth: Drawing, covered: Drawing, paths: Drawing) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6))  # laid out by hand: a solver's last digits differ from run to run
    figure.subplots_adjust(left=0.04, right=0.97, bottom=0.29, top=0.93, wspace=0.2)
    panels = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
    for axes, draw in zip(panels[::-1], (paths, covered, growth), strict=True):
        draw(axes)  # the paths first, as they are what large fields have no answer to
    return figure


def pixels(
    axes: Axes,
    values: Any,
    layer: LayerField,
    phase: Phase,
    start: tuple[int, ...],
    colours: str,
    least: float,
    most: float | None = None,
) -> tuple[int, int]:
    """An array as pixels, white below `least`, moved from `start` to where the field of the output in the middle is,
    over the border of the image (dashed) where its size is known. Returns by how much it was moved, (down, right)."""
    import matplotlib

    (height, width), (y, x) = values.shape, layer.middle(phase)
    top, left = start[0] + y, start[1] + x
    extent = (left - 0.5, left + width - 0.5, top + height - 0.5, top - 0.5)
    colormap = matplotlib.colormaps[colours].with_extremes(under="white")
    axes.imshow(values, extent=extent, interpolation="nearest", cmap=colormap, vmin=least, vmax=most)
    axes.spines[:].set_visible(False)
    if layer.image is not None:
        frame(axes, (-0.5, -0.5), layer.image, edgecolor="#888888", linestyle="--", linewidth=0.8)
    axes.use_sticky_edges = False
    axes.margins(0.03)
    return y, x


def frame(axes: Axes, corner: tuple[float, float], size: tuple[float, float], **style: Any) -> None:
    """A rectangle that is not filled, with its first corner at (row, column), of that height and width."""
    from matplotlib.patches import Rectangle

    (row, column), (height, width) = corner, size
    axes.add_patch(Rectangle((column, row), width, height, fill=False, **style))


def short(name: str) -> str:
    """A name that fits an axis or a title: its end, if it is long."""
    return name if len(name) <= 18 else f"…{name[-17:]}"
