"""The fully connected layer."""

from collections.abc import Sequence
from typing import ClassVar

from segcompile.ops.base import ZEROS, Flag, Init, Initialiser, Op, Parameter, Positive, Shape
from segcompile.ops.needs import Refusal
from segcompile.ops.size import AnySize, Size


class Linear(Op):
    """Fully connected layer over all that enters, flattened channel by channel: of a map row by row, of tokens alone
    one after another, as of a classifier's class token."""

    spelling: ClassVar[str] = "linear"
    main: ClassVar[str] = "features"
    summary: ClassVar[str] = "fully connected: bias, init, frozen"
    whole_image: ClassVar[bool] = True
    flattens: ClassVar[bool] = True
    stored_as: ClassVar[tuple[str, ...]] = ("linear", "conv")

    features: Positive
    bias: Flag = True
    init: Initialiser = Init()
    frozen: Flag = False

    @property
    def takes_lists(self) -> bool:
        return True

    def output(self, shapes: Sequence[Shape]) -> Shape:
        if shapes[0].tokens and shapes[0].size:
            help = "`tokens: [0, 1]` takes its tokens, `map: positions` its positions"
            raise Refusal("SC316", f"a fully connected layer needs a map or tokens alone, not {shapes[0]}", None, help)
        if any(isinstance(size, AnySize) for size in shapes[0].size):
            message = f"a fully connected layer needs a fixed input, not {shapes[0]}"
            raise Refusal("SC310", message, "features", "give the input a size, or make it a convolution")
        if self.init.scheme in ("identity", "bilinear"):
            raise Refusal("SC315", f"{self.init.scheme} initialisation is for convolutions", "init", "another init")
        return Shape(self.features)

    def dilated(self, factor: tuple[int, ...]) -> Op:
        message = "is linear: its weight is for the sparser map"
        raise Refusal("SC503", message, None, "`convolutionalize` it before this")

    def biased(self) -> Op:
        return self.model_copy(update={"bias": True})

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> None:
        return None

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        weight = (self.features, shapes[0].channels * (shapes[0].positions or 0))
        found = (Parameter("weight", weight, self.init, self.frozen),)
        return (*found, Parameter("bias", (self.features,), ZEROS, self.frozen)) if self.bias else found

    def macs(self, shapes: Sequence[Shape], output: Shape) -> int | None:
        positions = shapes[0].positions
        return None if positions is None else self.features * shapes[0].channels * positions
