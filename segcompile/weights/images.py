"""The first convolution, made to read what the harness gives it: RGB, (x / 255 - MEAN) / STD (`normalise` in data.py).

A network trained on (pixel - mean) / std, pixels from 0 to 255, computes the same of the harness's image when its
kernels are multiplied by a = 255 * STD / std a channel, and its biases raised by the sum over taps of kernel * b, with
b = (255 * MEAN - mean) / std: pixel = 255 * (STD * x + MEAN).

Without a bias the batch norm behind it takes that in, whose running mean falls by as much; in training it takes its
mean of the batch, and never sees the difference.

That is exact wherever the kernel lies within the image. Padding is 0 for both networks: that is the colour `mean` for
the one and 255 * MEAN for the other, so at the border a kernel's outer taps see another colour, by their difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segcompile.network.graph import Graph
from segcompile.ops import BatchNorm
from segcompile.text.errors import fail
from segcompile.weights.parameters import Tensor, mixes_channels, reads_image
from segcompile.weights.placing import Place, shown
from segcompile.weights.stored import Array, Stored

MEAN = (0.485, 0.456, 0.406)  # ImageNet's, as in data.py
STD = (0.229, 0.224, 0.225)
AS_GIVEN = "RGB, (x / 255 - MEAN) / STD"  # by data.py
NOTE = "images"  # in a file of weights whose network reads them so: `AS_GIVEN`


@dataclass(frozen=True, slots=True)
class Images:
    """What the network of a file was trained on: the channels' order, and mean and std in that order, in pixel values
    from 0 to 255; without a mean it took what the harness gives."""

    channels: str | None = None  # "rgb", "bgr"
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    def said(self, kernel: str, image: str) -> str:
        """What a first convolution reads now."""
        told = f"{kernel} reads `{image}` as data.py gives it: {AS_GIVEN}"
        if self.mean is None:
            return told
        return f"{told}; its padding is a colour {max(map(abs, self._shift())):.2g} of 255 beside the file's"

    def noted(self, notes: Mapping[str, str]) -> Images:
        """These, or what a file notes of its images. Raises SegcompileError (SC804) where it notes others."""
        if notes.get(NOTE) != AS_GIVEN:
            return self
        if self.channels == "bgr" or self.mean is not None:
            message = f"the file notes that its network reads images as data.py gives them: {AS_GIVEN}"
            raise fail("SC804", message, help="leave --channels, --mean and --std out")
        return Images("rgb")

    def _shift(self) -> tuple[float, ...]:
        """255 * MEAN - mean in RGB order: the colour that padding was, less the one that it is."""
        assert self.mean is not None
        return tuple(255 * ours - theirs for ours, theirs in zip(MEAN, self._rgb(self.mean), strict=True))

    def _rgb(self, values: tuple[float, ...]) -> tuple[float, ...]:
        return values[::-1] if self.channels == "bgr" else values

    def adapt(self, kernel: Array) -> tuple[Array, Array | None]:
        """A kernel (out, 3, height, width) for the harness's images, and what must be added to its results, (out,)."""
        kernel = kernel[:, ::-1] if self.channels == "bgr" else kernel
        if self.mean is None:
            return np.ascontiguousarray(kernel), None
        exact, std = kernel.astype(np.float64), np.array(self._rgb(self.std))
        scaled = exact * (255 * np.array(STD) / std)[:, None, None]
        shift = np.einsum("ocij,c->o", exact, np.array(self._shift()) / std)
        with np.errstate(over="ignore"):  # what is written is looked at there
            return scaled.astype(np.float32), shift


@dataclass(frozen=True, slots=True)
class Shifted:
    """What takes in what must be added to a convolution's results: its bias, or the mean that the batch norm behind it
    subtracts, which then falls by as much."""

    name: str
    sign: int


def first_kernels(graph: Graph, places: Sequence[Place]) -> dict[str, tuple[str, Shifted | None]]:
    """Kernel that reads an image of three channels and comes from the file -> the image, and what takes a shift in."""
    from_file = {found.tensor.name: found.tensor for found in places if found.stored}
    held = {(tensor.node.name, tensor.parameter.name): name for name, tensor in from_file.items()}
    images, found = _images(graph), dict[str, tuple[str, Shifted | None]]()
    for name, tensor in from_file.items():
        if reads_image(tensor, graph) and tensor.node.inputs[0] in images:
            bias = held.get((tensor.node.name, "bias"))
            mean = held.get((_norm_behind(graph, tensor), "running_mean"))
            shifted = Shifted(bias, 1) if bias else Shifted(mean, -1) if mean else None
            found[name] = (tensor.node.inputs[0], shifted)
    return found


def _norm_behind(graph: Graph, tensor: Tensor) -> str:
    """The batch norm that alone reads a layer, or ""."""
    readers = [node for node in graph.nodes if tensor.node.name in node.inputs]
    alone = (
        len(readers) == 1 and isinstance(readers[0].op, BatchNorm) and tensor.node.name not in graph.outputs.values()
    )
    return readers[0].name if alone else ""


def other_readers(graph: Graph) -> list[str]:
    """The layers that read an image of three channels but cannot be made to read another."""
    images, found = _images(graph), []
    for node in graph.nodes:
        reads = node.inputs if node.op.joins else node.inputs[:1]  # others only measure by the later ones
        if not images.isdisjoint(reads) and not mixes_channels(node):
            found.append(node.layer)
    return found


def _images(graph: Graph) -> set[str]:
    return {name for name, shape in graph.inputs.items() if shape.channels == 3}


def of_other_images(graph: Graph, wrong: Sequence[tuple[Tensor, Stored]]) -> tuple[Tensor, Stored] | None:
    """The first kernel that reads images and in the file reads such of another number of channels."""
    for tensor, stored in wrong:
        ours, theirs = tensor.shape, stored.shape
        if reads_image(tensor, graph) and len(theirs) == len(ours) and (ours[0], *ours[2:]) == (theirs[0], *theirs[2:]):
            return tensor, stored
    return None


def channels_said(count: int) -> str:
    """`1 channel`."""
    return f"{count} {'channel' if count == 1 else 'channels'}"


def check_images(
    images: Images,
    kernels: Mapping[str, tuple[str, Shifted | None]],
    others: Sequence[str],
    other: tuple[Tensor, Stored] | None,
) -> None:
    """Raises SegcompileError (SC804) if the order of channels is not said, said for no image, or for one that `others`
    read too, which cannot be adapted, or a mean has neither a bias nor a batch norm to go into. `other`: what
    `of_other_images` found."""
    first = next(iter((*kernels, *others)), None)
    if first is None:
        if (images.channels or images.mean) and other is not None:
            tensor, stored = other
            ours, count = channels_said(tensor.shape[1]), channels_said(stored.shape[1])
            message = f"`{tensor.name}` reads images of {ours}, and in the file of {count}: {shown(stored.shape)}"
            help = f"a spec whose `input` has {count}; or leave --channels, --mean and --std out, and it starts fresh"
            raise fail("SC804", message, help=help)
        if images.channels or images.mean:
            message = "nothing that the file has weights for reads an image of three channels"
            raise fail("SC804", message, help="leave --channels, --mean and --std out")
        return
    if images.channels is None:
        message = f"`{first}` reads an image; in which order its three channels come is not said"
        raise fail("SC804", message, help="--channels rgb, or --channels bgr as Caffe's networks have them")
    if others and (images.channels != "rgb" or images.mean is not None):
        message = f"`{others[0]}` reads the image, and only a plain convolution can be made to read it otherwise"
        raise fail("SC804", message, help="say --channels rgb alone, and give the network its own images in data.py")
    for name, (_, shifted) in kernels.items():
        if images.mean is not None and shifted is None:
            message = f"`{name}` has no bias or batch norm from the file that could take the mean in"
            raise fail("SC804", message, help="subtract the mean in data.py, and leave --mean out")
