"""Attention, products of matrices, and lists of tokens and positions, one rule an op."""

from __future__ import annotations

from collections.abc import Sequence

from segcompile.emit import Argument, Call, Code, Rule
from segcompile.emit.arguments import number, same_sides
from segcompile.emit.rules import apply_member, attention, attention_along, operand
from segcompile.ops import (
    Attention,
    AxialAttention,
    Map,
    MatMul,
    Op,
    Position,
    PositionSoftmax,
    Shape,
    Token,
    TokenMap,
    Tokens,
    WindowAttention,
)

_USUAL: dict[str, Argument] = {"bias": True, "scale": "None", "reduce": 1, "pad_mask": False, "relative": False}
_AXES = {1: "l", 2: "hw", 3: "dhw"}  # letters of those of a map, in einsum


def _attention_module(op: Attention, shapes: Sequence[Shape]) -> Call | None:
    if not op.projects(shapes):
        return None
    scale = number(op.scale) if op.scale is not None else "None"
    told: tuple[tuple[str, Argument], ...] = (("bias", op.bias), ("scale", scale))
    width = shapes[0].channels
    if op.fuses(shapes):
        return Call("Attention", (width, op.heads), told, ("channels", "heads"), {"Attention", "attend"}, _USUAL)
    needs = {"CrossAttention", "attend"} | ({"CrossAttention.reduce"} if op.reduce is not None else set())
    if op.reduce is not None:
        told = (("reduce", same_sides(op.reduce)), *told)
    names = ("channels", "key_channels", "heads")
    return Call("CrossAttention", (width, shapes[-1].channels, op.heads), told, names, needs, _USUAL)


def _axial_attention_module(op: AxialAttention, shapes: Sequence[Shape]) -> Call | None:
    if not op.projects(shapes):
        return None
    scale = number(op.scale) if op.scale is not None else "None"
    told: tuple[tuple[str, Argument], ...] = (("bias", op.bias), ("scale", scale))
    needs, names = {"AxialAttention", "attend_along", "attend"}, ("channels", "heads", "along")
    return Call("AxialAttention", (shapes[0].channels, op.heads, f'"{op.along}"'), told, names, needs, _USUAL)


def _window_attention_module(op: WindowAttention, shapes: Sequence[Shape]) -> Call:
    scale = number(op.scale) if op.scale is not None else "None"
    told: tuple[tuple[str, Argument], ...] = (("bias", op.bias), ("scale", scale))
    needs = {"WindowAttention"}
    relative = op.positions == "relative"
    told = (("shift", op.shift), ("pad_mask", op.pad_mask), ("relative", relative), *told)
    needs |= {"WindowAttention.relative"} if relative else set()
    needs |= {"WindowAttention.shift"} if any(op.shift) or op.pad_mask else set()
    names, usual = ("channels", "heads", "window"), _USUAL | {"shift": (0,) * len(op.window)}
    return Call("WindowAttention", (shapes[0].channels, op.heads, op.window), told, names, needs, usual)


def _matmul(op: MatMul, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    first, second = (_AXES[shape.axes] for shape in shapes)
    way = f"bk{first},bc{second}->bck" if op.over == "positions" else f"bck,bc{second}->bk{second}"
    return Code(f'torch.einsum("{way}", {inputs[0]}, {inputs[1]})', {"torch"})


def _position_softmax(
    op: PositionSoftmax, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    if shapes[0].axes == 1:
        return Code(f"F.softmax({inputs[0]}, 2)", {"F"})
    return Code(f"softmax_positions({inputs[0]})", {"softmax_positions"})


def _softmax_in_rows(
    op: PositionSoftmax, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    """By the largest value of the whole map, and the sum of all exponentials, which were gathered before."""
    return Code(f"shares({', '.join(inputs)})", {"shares", "torch"})


def _position_module(op: Position, shapes: Sequence[Shape]) -> Call:
    needs = {"Position"} | ({"Position.tokens"} if shapes[0].tokens else set())
    told: tuple[tuple[str, Argument], ...] = (("tokens", shapes[0].tokens),) if shapes[0].tokens else ()
    if op.mode == "cubic":
        told, needs = (*told, ("cubic", True)), needs | {"Position.cubic", *({"cubic"} if len(op.size) != 2 else ())}
    keywords = (*told, ("std", op.init.std or 0))
    return Call(
        "Position", (shapes[0].channels, op.size), keywords, ("channels", "size"), needs, {"std": 0.02, "cubic": False}
    )


def _token_module(op: Token, shapes: Sequence[Shape]) -> Call:
    std = op.init.std or 0
    names = ("channels", "count")
    return Call("Tokens", (shapes[0].channels, op.count), (("std", std),), names, {"Tokens"}, {"std": 0.02})


def _map(op: Map, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    source, like = inputs
    return Code(f"{operand(source)}[:, :, {shapes[0].tokens}:].unflatten(2, {like}.shape[2:])")


def _token_map(op: TokenMap, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    axes = ", None" * len(output.size)
    return Code(f"{operand(inputs[0])}[:, :, {op.token}{axes}]")


def _tokens(op: Tokens, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    first, end = op.part
    return Code(f"{operand(inputs[0])}[:, :, {first or ''}:{end}]")


RULES: dict[type[Op], Rule] = {
    Attention: Rule(attention, _attention_module),
    WindowAttention: Rule(apply_member, _window_attention_module),
    AxialAttention: Rule(attention_along, _axial_attention_module),
    MatMul: Rule(_matmul),
    PositionSoftmax: Rule(_position_softmax, in_rows=_softmax_in_rows),
    Position: Rule(apply_member, _position_module),
    Token: Rule(apply_member, _token_module),
    Map: Rule(_map),
    TokenMap: Rule(_token_map),
    Tokens: Rule(_tokens),
}
