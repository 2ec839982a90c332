"""Hypothesis strategies: single ops with any attributes, and small networks of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from operator import add
from typing import Any, get_args

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from segcompile.network.graph import Graph, Node
from segcompile.network.splice import leading_to
from segcompile.ops import (
    SYMBOLS,
    Activation,
    AdaptivePool,
    Add,
    Affine,
    AnySize,
    Attention,
    AxialAttention,
    BatchNorm,
    ChannelShuffle,
    Clip,
    Concat,
    Conv,
    Crop,
    Deconv,
    Dropout,
    DropPath,
    Elu,
    GlobalPool,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LeakyRelu,
    Map,
    Mul,
    Op,
    Pad,
    PadChannels,
    PixelShuffle,
    Pool,
    Position,
    PositionSoftmax,
    PRelu,
    Refusal,
    Resize,
    ResponseNorm,
    Scale,
    Shape,
    Size,
    Slice,
    Softmax,
    SpaceToDepth,
    SpatialDropout,
    Token,
    TokenMap,
    Tokens,
    Undecidable,
    Unpool,
    WindowAttention,
    kinds,
)
from segcompile.ops.base import product
from segcompile.passes.lists import remember_maps
from segcompile.text.errors import Findings

CHANNELS = 4  # of most tensors: divisible by 1, 2 and 4 groups
LARGEST = 96  # pixels along an axis of any tensor in a drawn graph
MOST_CELLS = LARGEST**2  # of a volume, too


def along(low: int, high: int, rank: int = 2) -> SearchStrategy[tuple[int, ...]]:
    """One number an axis, each between two bounds."""
    return st.tuples(*(st.integers(low, high) for _ in range(rank)))


def sides(most: int, rank: int = 2) -> SearchStrategy[tuple[tuple[int, int], ...]]:
    """(before, after) along each axis, unequal more often than not."""
    return st.tuples(*(st.tuples(st.integers(0, most), st.integers(0, most)) for _ in range(rank)))


def convs(rank: int = 2) -> SearchStrategy[Conv]:
    """Any convolution to CHANNELS channels."""
    return st.builds(
        Conv,
        channels=st.just(CHANNELS),
        kernel=along(1, _MOST_TAPS[rank], rank),
        stride=along(1, 3, rank),
        dilation=along(1, 3, rank),
        pad=st.just(("same",)) | sides(3, rank),
        mode=st.sampled_from(["zero", "zero", "reflect", "edge", "circular"]),
        groups=st.sampled_from([1, 2, 4]),
        bias=st.booleans(),
    )


_MOST_TAPS = {1: 5, 2: 5, 3: 3}  # of a convolution along an axis, by rank: those of a volume multiply


@st.composite
def deconvs(draw: DrawFn, rank: int = 2) -> Deconv:
    """Any transposed convolution to CHANNELS channels: output_pad is below the stride or the dilation."""
    stride, dilation = draw(along(1, 4, rank)), draw(along(1, 2, rank))
    most = [max(axis) - 1 for axis in zip(stride, dilation, strict=True)]
    strategy = st.builds(
        Deconv,
        channels=st.just(CHANNELS),
        kernel=along(1, _MOST_TAPS[rank] + 1, rank),
        stride=st.just(stride),
        dilation=st.just(dilation),
        pad=st.just(("same",)) | sides(2, rank),
        output_pad=st.tuples(*(st.integers(0, more) for more in most)),
        groups=st.sampled_from([1, 2, 4]),
        bias=st.booleans(),
    )
    return draw(strategy)


@st.composite
def pools(draw: DrawFn, rank: int = 2) -> Pool:
    """Any pooling over a window."""
    kernel = draw(along(1, 4, rank))
    pads = tuple(draw(along(0, extent - 1)) for extent in kernel)
    pad, stride = st.just(("same",)) | st.just(pads), st.none() | along(1, 4, rank)
    rounding = st.sampled_from(["floor", "ceil"])
    geometry = {"kernel": st.just(kernel), "stride": stride, "pad": pad, "round": rounding}
    largest = st.builds(Pool, kind=st.just("max"), **geometry)
    return draw(largest | st.builds(Pool, kind=st.just("avg"), count_pad=st.booleans(), **geometry))


def adaptive_pools(rank: int = 2) -> SearchStrategy[AdaptivePool]:
    return st.builds(AdaptivePool, kind=st.sampled_from(kinds(AdaptivePool)), bins=along(1, 5, rank))


@st.composite
def unpools(draw: DrawFn, rank: int = 2) -> Unpool:
    """The unpooling of any max pool whose windows do not overlap."""
    kernel, gap = draw(along(1, 3, rank)), draw(along(0, 1, rank))
    pads = tuple(draw(along(0, extent - 1)) for extent in kernel)
    stride = tuple(map(add, kernel, gap)) if any(gap) else None
    rounding = st.sampled_from(["floor", "ceil"])
    geometry = {"kernel": kernel, "stride": stride, "pad": pads}
    pool = st.builds(Pool, kind=st.just("max"), round=rounding, **{name: st.just(v) for name, v in geometry.items()})
    return Unpool(pool_layer=draw(pool))


def resizes(rank: int = 2, by_factor: bool = True) -> SearchStrategy[Resize]:
    """Interpolation, by a ratio or to a size, or to a reference."""
    said = {"factor": along(1, 3, rank) | st.tuples(*[_RATIOS] * rank)} if by_factor else {}
    nearest = st.sampled_from(["nearest", "nearest_exact"])
    smooth = st.sampled_from(["bilinear", "bilinear", "cubic"])
    found = st.builds(Resize, **said, mode=nearest) | st.builds(
        Resize, **said, mode=smooth, align_corners=st.booleans()
    )
    return found | st.builds(Resize, size=along(3, 12, rank), mode=st.sampled_from(_MODES)) if by_factor else found


_RATIOS = st.sampled_from([Fraction(text) for text in ("1/2", "2/3", "3/2", "1/3", "1", "3/4", "5/2")])
_MODES = get_args(Resize.model_fields["mode"].annotation)


def pads(rank: int = 2) -> SearchStrategy[Pad]:
    """Padding of any mode."""
    modes = st.builds(Pad, amount=sides(3, rank), mode=st.sampled_from(["zero", "reflect", "edge", "circular"]))
    return modes | st.builds(Pad, amount=sides(3, rank), value=st.sampled_from([0.5, -2.0]))


EPSILON = st.sampled_from([1e-5, 1e-3])


def slices() -> SearchStrategy[Slice]:
    """Some of CHANNELS channels; those that convolutions of 2 groups take more often."""
    return st.builds(Slice, part=st.sampled_from([(0, 2), (2, 4), (0, CHANNELS), (1, 2), (1, 4)]))


POINTWISE: dict[type[Op], SearchStrategy[Any]] = {
    Activation: st.builds(Activation, kind=st.sampled_from(kinds(Activation))),
    Elu: st.builds(Elu, alpha=st.sampled_from([1.0, 0.5])),
    Clip: st.builds(Clip, min=st.sampled_from([-1.0, 0.0]), max=st.sampled_from([0.5, 6.0])),
    LeakyRelu: st.builds(LeakyRelu, slope=st.sampled_from([0.0, 0.1, 0.25])),
    PRelu: st.builds(PRelu, shared=st.booleans()),
    BatchNorm: st.builds(BatchNorm, eps=EPSILON, momentum=st.sampled_from([0.1, 0.01])),
    LayerNorm: st.builds(LayerNorm, eps=EPSILON),
    Affine: st.builds(Affine, shared=st.booleans(), bias=st.booleans()),
    ResponseNorm: st.builds(ResponseNorm, size=st.integers(1, 6), alpha=st.floats(0, 2), k=st.floats(0.5, 2)),
    Dropout: st.builds(Dropout, rate=st.sampled_from([0.0, 0.5])),
    SpatialDropout: st.builds(SpatialDropout, rate=st.sampled_from([0.0, 0.5])),
    DropPath: st.builds(DropPath, rate=st.sampled_from([0.0, 0.5])),
    Scale: st.builds(Scale, factor=st.floats(0.1, 3)),
    Softmax: st.builds(Softmax),
    Slice: slices(),
    PadChannels: st.builds(PadChannels, more=st.sampled_from([0, 1, 2, 4])),
    ChannelShuffle: st.builds(ChannelShuffle, groups=st.sampled_from([1, 2, 2, 4])),
}
"""Ops that keep the grid and whose linear part is positive."""


def attentions() -> SearchStrategy[Attention]:
    """Attention of CHANNELS channels, at one scale."""
    scale = st.sampled_from([None, None, 0.25])
    return st.builds(Attention, heads=st.sampled_from([1, 2, 4]), scale=scale, bias=st.booleans())


@st.composite
def window_attentions(draw: DrawFn, rank: int = 2) -> WindowAttention:
    """Attention inside windows of any size, as far shifted as they are."""
    window = draw(along(1, 6, rank))
    return WindowAttention(
        heads=draw(st.sampled_from([1, 2, 4])),
        window=window,
        shift=tuple(draw(st.integers(0, side - 1)) for side in window),
        positions=draw(st.sampled_from(["none", "relative"])),
        pad_mask=draw(st.booleans()),
        bias=draw(st.booleans()),
    )


def axial_attentions() -> SearchStrategy[AxialAttention]:
    """Attention of CHANNELS channels along lines of an image."""
    lines, scale = st.sampled_from(["rows", "columns", "both"]), st.sampled_from([None, 0.25])
    return st.builds(AxialAttention, heads=st.sampled_from([1, 2, 4]), along=lines, scale=scale, bias=st.booleans())


MIXING: dict[type[Op], SearchStrategy[Any]] = {
    Attention: attentions(),
    PositionSoftmax: st.builds(PositionSoftmax, kind=st.just("positions")),
    GlobalPool: st.builds(GlobalPool, kind=st.sampled_from(kinds(GlobalPool))),
    InstanceNorm: st.builds(InstanceNorm, eps=EPSILON),
    GroupNorm: st.builds(GroupNorm, groups=st.sampled_from([1, 2, 4]), eps=EPSILON),
}
"""Ops of a map that mix the whole image and give a map."""


def pixel_shuffles(rank: int = 2) -> SearchStrategy[PixelShuffle]:
    """Those that CHANNELS channels allow: of a volume none that does something."""
    return st.builds(PixelShuffle, factor=st.sampled_from([1, 2, 2, 2] if 2**rank <= CHANNELS else [1]))


def space_to_depths(rank: int = 2) -> SearchStrategy[SpaceToDepth]:
    return st.builds(SpaceToDepth, factor=st.sampled_from([1, 2, 2, 3]))


def parts_of_tokens() -> SearchStrategy[Tokens]:
    """Some of two tokens."""
    return st.builds(Tokens, part=st.sampled_from([(0, 1), (1, 2), (0, 2)]))


def positions(rank: int = 2) -> SearchStrategy[Position]:
    """Learned vectors of a map of any size."""
    return st.builds(Position, size=along(2, 12, rank), mode=st.sampled_from(["bilinear", "cubic"]))


MOVING: dict[type[Op], Callable[[int], SearchStrategy[Any]]] = {
    Position: positions,
    WindowAttention: window_attentions,
    Resize: resizes,
    Pad: pads,
    PixelShuffle: pixel_shuffles,
    Deconv: deconvs,
    Pool: pools,
    AdaptivePool: adaptive_pools,
    SpaceToDepth: space_to_depths,
    Conv: convs,
}
"""Ops of a map of some rank that move the grid, or mix channels, and give a map."""

_OFTEN = {Conv: 5, Deconv: 2, Pool: 2}  # times as often as the others


def unary_ops(rank: int = 2) -> SearchStrategy[Op]:
    """Any op of one tensor that gives a map; those that move the grid are drawn more often."""
    # `one_of` counts one and the same strategy only once
    moving = [draw(rank) for kind, draw in MOVING.items() for _ in range(_OFTEN.get(kind, 1))]
    return st.one_of(*moving, st.one_of(*POINTWISE.values()))


def joins() -> SearchStrategy[Op]:
    """Any op that joins two tensors."""
    align = st.sampled_from(["none", "center_crop", "center_crop", "pad"])
    weights = st.sampled_from([(), (0.5, 2.0)])
    return st.one_of(
        st.builds(Add, align=align, weights=weights), st.builds(Mul, align=align), st.builds(Concat, align=align)
    )


@dataclass
class _Growing:
    """A graph while it is drawn."""

    draw: DrawFn
    shapes: dict[str, Shape]
    nodes: list[Node] = field(default_factory=list)

    @property
    def rank(self) -> int:
        return len(self.shapes["input"].size)

    def add(self, op: Op, inputs: Sequence[str], weights: str | None = None) -> bool:
        """Append a node, unless the op refuses its inputs or the tensor would be too large."""
        shapes = [self.shapes[name] for name in inputs]
        try:
            op.check_form(shapes, inputs)
            shape = op.result(shapes)
        except (Refusal, Undecidable):
            return False
        cells = product(*shape.size)
        if any(_is_beyond(size) for size in shape.size) or (cells is not None and cells > MOST_CELLS):
            return False
        name = f"n{len(self.nodes)}"
        self.nodes.append(Node(name, op, tuple(inputs), name, weights=weights))
        self.shapes[name] = shape
        return True

    def any_tensor(self) -> str:
        """The latest tensor more often than not."""
        names = list(self.shapes)
        return names[-1] if self.draw(st.integers(0, 2)) else self.draw(st.sampled_from(names))

    def pool_and_unpool(self) -> None:
        """A max pool and, behind up to two ops that may keep its size, its unpooling."""
        op, before = self.draw(unpools(self.rank)), self.any_tensor()
        if not self.add(op.pool, [before]):
            return
        pool = self.nodes[-1].name
        for _ in range(self.draw(st.integers(0, 2))):
            self.step()
        fitting = [name for name, shape in self.shapes.items() if shape == self.shapes[pool]]
        self.add(op, [self.draw(st.sampled_from(fitting)), pool, before])

    def list_and_map(self) -> None:
        """Tokens before the positions of a map, up to two ops on that list, then its map, perhaps times one of them."""
        before = self.any_tensor()
        if not self.add(Token(count=self.draw(st.integers(1, 2))), [before]):
            return
        for _ in range(self.draw(st.integers(0, 2))):
            of_lists = st.one_of(attentions(), positions(self.rank), *POINTWISE.values())
            self.add(self.draw(of_lists), [list(self.shapes)[-1]])
        made = list(self.shapes)[-1]
        self.add(Map(), [made])
        if self.draw(st.booleans()):
            grid = list(self.shapes)[-1]
            self.add(TokenMap(token=0), [made])
            self.add(Mul(), [grid, list(self.shapes)[-1]])

    def share(self) -> None:
        """An op with the weights of one before it: a convolution with other strides, dilations and padding."""
        owners = [node for node in self.nodes if node.op.has_weights() and node.weights is None]
        if not owners:
            return
        owner = self.draw(st.sampled_from(owners))
        drawn = self.draw(MOVING[type(owner.op)](self.rank)) if owner.op.per_use else owner.op
        op = owner.op.model_copy(update={name: getattr(drawn, name) for name in owner.op.per_use})
        like = self.shapes[owner.inputs[0]]
        alike = {name: (shape.channels, shape.tokens) for name, shape in self.shapes.items()}
        fitting = [name for name in self.shapes if alike[name] == (like.channels, like.tokens)]
        self.add(op, [self.draw(st.sampled_from(fitting))], owner.name)

    def step(self) -> None:
        """One op more: of one tensor, or of two; or one with the weights of another."""
        if self.draw(st.integers(0, 5)) == 5:
            self.share()
        if self.draw(st.integers(0, 9)) == 9:
            self.pool_and_unpool()
        elif self.draw(st.integers(0, 25)) == 25:
            self.list_and_map()
        elif len(self.shapes) > 1 and self.draw(st.integers(0, 2)) == 0:
            first = self.any_tensor()
            self.add(self._binary(), [first, self.draw(st.sampled_from(self._partners(first)))])
        else:
            mixes = self.draw(st.integers(0, 25)) == 25
            self.add(self.draw(st.one_of(*MIXING.values()) if mixes else unary_ops(self.rank)), [self.any_tensor()])

    def detour(self, start: str) -> None:
        """Down by a stride, perhaps twice, up again, and joined with where it began: that fits at some sizes only."""
        before, stride = len(self.nodes), self.draw(st.integers(2, 3))
        rounding = st.sampled_from(["floor", "ceil"])
        kind, steps, kernel = st.just("avg"), (stride,) * self.rank, along(1, 3, self.rank)
        self.add(self.draw(st.builds(Pool, kind=kind, kernel=kernel, stride=st.just(steps), round=rounding)), [start])
        for _ in range(self.draw(st.integers(0, 2))):
            self.add(self.draw(unary_ops(self.rank)), [list(self.shapes)[-1]])
        if self.draw(st.integers(0, 2)) == 0:
            self.detour(list(self.shapes)[-1])
        up = Deconv(channels=CHANNELS, kernel=steps, stride=steps)
        if len(self.nodes) > before and self.add(up, [self.nodes[-1].name]):
            join = self.draw(st.sampled_from([Add(), Add(), Concat(), Crop(offset=(0, 1, 0)[: self.rank])]))
            self.add(join, [self.nodes[-1].name, start])

    def _partners(self, first: str) -> list[str]:
        """All tensors; of those of any size, the ones that grow with the image as the first one does."""
        slopes = {name: [getattr(size, "slope", 0) for size in shape.size] for name, shape in self.shapes.items()}
        return [name for name in self.shapes if slopes[name] == slopes[first]]

    def _binary(self) -> Op:
        return self.draw(
            st.one_of(joins(), st.builds(Crop, offset=along(0, 3, self.rank)), resizes(self.rank, by_factor=False))
        )


def _is_beyond(size: Size) -> bool:
    """Whether a tensor of this size would be too large to run, or its table too long to look through."""
    return size > LARGEST if isinstance(size, int) else size.slope > 4 or size.period > LARGEST


@st.composite
def graphs(draw: DrawFn, most: int = 8, low: int = 16, high: int = 40, rank: int = 2) -> Graph:
    """A network of up to `most` ops on one image of `rank` axes of low .. high pixels, with branches; every layer that
    gives a map is an output.

    Crops carry explicit offsets. Nothing bounds how strides combine: branches may meet at unequal strides.
    """
    return _drawn(draw, Shape(CHANNELS, draw(along(low, high, rank))), most)


@st.composite
def free_graphs(draw: DrawFn, most: int = 8, rank: int = 2) -> Graph:
    """The same on an image of any size. Its joins may fit at some sizes only; together they may fit at none."""
    return _drawn(draw, Shape(CHANNELS, tuple(map(AnySize, SYMBOLS[rank]))), most)


def _drawn(draw: DrawFn, image: Shape, most: int) -> Graph:
    growing = _Growing(draw, {"input": image})
    for _ in range(draw(st.integers(1, most))):
        growing.step()
    if not isinstance(image.size[0], int):
        growing.detour(growing.any_tensor())
    if not growing.nodes:
        growing.add(Activation(kind="relu"), ["input"])
    outputs = {f"out_{node.name}": node.name for node in growing.nodes if not growing.shapes[node.name].tokens}
    graph = Graph("net", {"input": image}, tuple(growing.nodes), outputs or {"out": growing.nodes[-1].name})
    return remember_maps(leading_to(graph, graph.outputs), Findings()).verify()  # without lists that nothing reads


def unpooled(op: Unpool, size: tuple[int, ...]) -> Graph:
    """The unpooling of one input, of which another one of this size has been pooled."""
    image = Shape(CHANNELS, size)
    nodes = (Node("pool", op.pool, ("in1",), "pool"), Node("layer", op, ("in0", "pool", "in1"), "layer"))
    return Graph("net", {"in0": op.pool.output([image]), "in1": image}, nodes, {"output": "layer"}).verify()


def graph_of(op: Op, *sizes: tuple[int, ...], channels: int = CHANNELS) -> Graph:
    """One op on inputs of these sizes."""
    inputs = {f"in{index}": Shape(channels, size) for index, size in enumerate(sizes)}
    return Graph("net", inputs, (Node("layer", op, tuple(inputs), "layer"),), {"output": "layer"}).verify()
