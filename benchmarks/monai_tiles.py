"""MONAI's sliding window with the numbers of `segcompile certify --for monai`, and with MONAI's own blends.

    python benchmarks/monai_tiles.py [NETWORK ...]

needs torch and monai (1.6.1) beside segcompile and its torch backend. Each network is run with few channels, random
weights and a random image, in float64: whole; by MONAI's windows with our roi, overlap and weight map; with a weight
map whose halo is one pixel smaller on one side (see `one_pixel_less`); and with
MONAI's own weights (constant and gaussian) at its own overlap of 0.25. What is printed is the largest difference from
the whole image, over the largest value (of the smaller halos over an output's own value); and of the blends the share
of pixels whose best class is another.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from types import ModuleType
from typing import Any

import torch
from monai.inferers import sliding_window_inference
from segcompile_torch import BACKEND

from segcompile.compiler import compile_spec, find_spec
from segcompile.facts.even_windows import Windows, whole_windows
from segcompile.facts.tiling import AxisTiling, tile_axes
from segcompile.network.graph import Graph
from segcompile.show.monai import monai_text
from segcompile.testing.networks import request_of, sized, slim
from segcompile.testing.parameters import drawn
from segcompile.text.errors import Findings
from segcompile.weights.parameters import tensors

NETWORKS = (
    "attention_unet", "blue_marble", "dilated_basic", "dilated_basic_kitti", "dilated_large", "esrgan_slim@x2",
    "esrgan_slim@x3", "fcn8s", "fcn32s", "hed", "segnet", "unetpp",
)  # fmt: skip
CHANNELS = 3
VISIBLE = 1e-12  # of the largest value


@dataclass(frozen=True)
class Row:
    """What is measured of one network; differences over the largest value of the whole image's outputs."""

    name: str
    size: tuple[int, ...]
    windows: tuple[Windows, ...]
    exact: float
    less: tuple[float, ...]  # one pixel less of each halo: (before, after) of each axis
    blends: dict[str, tuple[float, float]]  # mode -> difference, share of other classes


def main(names: list[str]) -> int:
    print(f"{'network':20} {'image':>11} {'windows':>11} {'halo':>9} {'ours':>8} {'1 px less':>9}  constant, gaussian")
    failed = 0
    for name in names:
        row = measure(name)
        failed += row.exact > VISIBLE or min(row.less) <= VISIBLE
        print(line(row), flush=True)
    return int(failed > 0)


def line(row: Row) -> str:
    size, roi = ("x".join(map(str, each)) for each in (row.size, (found.roi for found in row.windows)))
    halo = "+".join(map(str, row.windows[0].halo))
    blends = ", ".join(f"{far:.1e} ({share:.1%})" for far, share in row.blends.values())
    return f"{row.name:20} {size:>11} {roi:>11} {halo:>9} {row.exact:8.0e} {min(row.less):9.0e}  {blends}"


def measure(name: str) -> Row:
    spec, _, variant = name.partition("@")
    graph = slim(compile_spec(find_spec(spec), Findings(), variant=variant or None).graph, CHANNELS)
    along = tile_axes(graph)
    tilings = [each.best for each in along if each.best is not None]
    size = tuple(map(three_windows, tilings))
    windows = whole_windows(along, size, max(size) - 1)
    model = model_of(sized(graph, *size))
    torch.manual_seed(0)
    image = torch.randn(1, CHANNELS, *size, dtype=torch.float64)
    code: Any = module(monai_text(name, "image", size, windows))
    with torch.no_grad():
        whole = heads(model(image))
        most = whole.abs().max()

        def far(outputs: torch.Tensor) -> float:
            return float((outputs - whole).abs().max() / most)

        exact = far(code.predict(image, lambda x: heads(model(x))))
        blends = {}
        for mode in ("constant", "gaussian"):
            roi = [each.roi for each in windows]
            found = sliding_window_inference(image, roi, 1, lambda x: heads(model(x)), overlap=0.25, mode=mode)
            blends[mode] = far(found), float((found.argmax(1) != whole.argmax(1)).double().mean())
    return Row(name, size, windows, exact, one_pixel_less(graph, size, windows, code), blends)


def one_pixel_less(graph: Graph, size: tuple[int, ...], windows: tuple[Windows, ...], code: Any) -> tuple[float, ...]:
    """For each side of each axis, how far a halo that is one pixel smaller takes an output from its value in the whole
    image, over that value. Of a deep network the outermost path among many is lost in rounding: so weights are positive
    and biases zero, and the image is zero but for the one line that the side of a window just does not reach. Where a
    sigmoid ends the network the weights are random ones, and the image too, and the largest value is the measure."""
    found = []
    for axis, side in product(range(len(size)), range(2)):
        code.HALO = smaller([each.halo for each in windows], axis, side)
        image = torch.zeros(1, CHANNELS, *size, dtype=torch.float64)
        image.transpose(2, 2 + axis)[:, :, windows[axis].roi if side else windows[axis].interval - 1] = 1.0
        alone = apart(model_of(sized(graph, *size), positive), image, code, of_itself=True)
        torch.manual_seed(1)
        image = torch.randn(1, CHANNELS, *size, dtype=torch.float64)
        found.append(max(alone, apart(model_of(sized(graph, *size)), image, code, of_itself=False)))
    return tuple(found)


def apart(model: torch.nn.Module, image: torch.Tensor, code: Any, of_itself: bool) -> float:
    """The largest difference of tiles from the whole image: over the output's own value, or over the largest one."""
    with torch.no_grad():
        whole = heads(model(image))
        far = (code.predict(image, lambda x: heads(model(x))) - whole).abs()
    return float((far / whole.abs().clamp_min(1e-300)).max() if of_itself else far.max() / whole.abs().max())


def positive(name: str, value: Any) -> Any:
    """The magnitudes of weights and variances; zero for biases and means."""
    return abs(value) if name.endswith(("weight", "var")) else 0 * value


def three_windows(tiling: AxisTiling) -> int:
    """An image of three windows, the smallest that move on evenly."""
    before, after = tiling.halo
    interval = -(-max(before, after) // tiling.step) * tiling.step
    roi = max(tiling.least, interval + before + after)
    return roi + (tiling.rest - roi) % tiling.step + 2 * interval


def smaller(halos: list[tuple[int, int]], axis: int, side: int) -> list[tuple[int, int]]:
    """The halos with one pixel less on one side of one axis."""
    found = [list(halo) for halo in halos]
    found[axis][side] -= 1
    return [(before, after) for before, after in found]


def model_of(graph: Graph, change: Callable[[str, Any], Any] | None = None) -> torch.nn.Module:
    """The emitted model with random weights, or what is made of each of them, in float64."""
    request = request_of(graph)
    made = module(str(BACKEND.emit(request).files["model.py"]))
    model: torch.nn.Module = made.Net().double().eval()
    values = drawn(list(tensors(request.graph, request.facts)), 5)
    if change is not None:
        values = {name: change(name, value) for name, value in values.items()}
    model.load_state_dict({name: torch.from_numpy(value) for name, value in values.items()}, strict=False)
    return model


def heads(outputs: Any) -> torch.Tensor:
    """All outputs, one behind another along the channels."""
    found: torch.Tensor = torch.cat(list(outputs.values()), 1) if isinstance(outputs, dict) else outputs
    return found


def module(source: str) -> ModuleType:
    found = ModuleType("made")
    sys.modules["made"] = found  # a dataclass among the outputs looks for it
    exec(compile(source, "<made>", "exec"), vars(found))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(NETWORKS)))
