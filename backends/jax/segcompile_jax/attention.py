"""Attention, products of matrices, and lists of tokens and positions, one rule an op."""

from __future__ import annotations

from collections.abc import Sequence

from segcompile.emit import Argument, Call, Code, Rule
from segcompile.emit.arguments import number
from segcompile.emit.rules import apply_member, attention, attention_along, operand
from segcompile.ops import (
    Attending,
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
from segcompile_jax.arguments import RNGS
from segcompile_jax.initialisation import kernel_init

_USUAL: dict[str, Argument] = {"use_bias": True, "scale": "None", "pad_mask": False, "relative": False}
_AXES = {1: "l", 2: "hw", 3: "dhw"}  # letters of those of a map, in einsum


def _shared(op: Attending) -> tuple[tuple[tuple[str, Argument], ...], Code]:
    """The keywords of every module of attention, and the initialiser of its matrices."""
    init, scale = kernel_init(op), number(op.scale) if op.scale is not None else "None"
    return (("use_bias", op.bias), ("scale", scale), ("kernel_init", init.text), *RNGS), init


def _attention_module(op: Attention, shapes: Sequence[Shape]) -> Call | None:
    if not op.projects(shapes):
        return None
    told, init = _shared(op)
    width, needs = shapes[0].channels, init.needs | {"attend"}
    if op.fuses(shapes):
        return Call("Attention", (width, op.heads), told, ("features", "heads"), needs | {"Attention"}, _USUAL)
    needs |= {"CrossAttention"}
    if op.reduce is not None:
        told, needs = (("reduce", op.reduce), *told), needs | {"CrossAttention.reduce"}
    names = ("features", "key_features", "heads")
    return Call("CrossAttention", (width, shapes[-1].channels, op.heads), told, names, needs, _USUAL)


def _axial_attention_module(op: AxialAttention, shapes: Sequence[Shape]) -> Call | None:
    if not op.projects(shapes):
        return None
    told, init = _shared(op)
    needs, names = init.needs | {"AxialAttention", "attend_along", "attend"}, ("features", "heads", "along")
    return Call("AxialAttention", (shapes[0].channels, op.heads, f'"{op.along}"'), told, names, needs, _USUAL)


def _window_attention_module(op: WindowAttention, shapes: Sequence[Shape]) -> Call:
    told, init = _shared(op)
    needs = init.needs | {"WindowAttention"}
    relative = op.positions == "relative"
    told = (("shift", op.shift), ("pad_mask", op.pad_mask), ("relative", relative), *told)
    needs |= {"WindowAttention.relative"} if relative else set()
    needs |= {"WindowAttention.shift"} if any(op.shift) or op.pad_mask else set()
    names, usual = ("features", "heads", "window"), _USUAL | {"shift": (0,) * len(op.window)}
    return Call("WindowAttention", (shapes[0].channels, op.heads, op.window), told, names, needs, usual)


def _matmul(op: MatMul, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    first, second = (_AXES[shape.axes] for shape in shapes)
    way = f"b{first}k,b{second}c->bkc" if op.over == "positions" else f"bkc,b{second}c->b{second}k"
    return Code(f'jnp.einsum("{way}", {inputs[0]}, {inputs[1]})', {"jnp"})


def _position_softmax(
    op: PositionSoftmax, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    return Code(f"nnx.softmax({inputs[0]}, {tuple(range(1, shapes[0].axes + 1))})")


def _position_module(op: Position, shapes: Sequence[Shape]) -> Call:
    needs = {"Position", "interpolate"} | ({"Position.tokens"} if shapes[0].tokens else set())
    told: tuple[tuple[str, Argument], ...] = (("tokens", shapes[0].tokens),) if shapes[0].tokens else ()
    if op.mode == "cubic":
        told, needs = (*told, ("cubic", True)), needs | {"Position.cubic", "cubic"}
    keywords = (*told, ("std", op.init.std or 0), *RNGS)
    return Call(
        "Position", (shapes[0].channels, op.size), keywords, ("features", "size"), needs, {"std": 0.02, "cubic": False}
    )


def _token_module(op: Token, shapes: Sequence[Shape]) -> Call:
    keywords = (("std", op.init.std or 0), *RNGS)
    return Call("Tokens", (shapes[0].channels, op.count), keywords, ("features", "count"), {"Tokens"}, {"std": 0.02})


def _map(op: Map, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    source, like = inputs
    return Code(f"{operand(source)}[:, {shapes[0].tokens}:].reshape(*{like}.shape[:-1], -1)")


def _token_map(op: TokenMap, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    axes = "None, " * (len(output.size) - 1)
    return Code(f"{operand(inputs[0])}[:, {axes}{op.token}:{op.token + 1}]")


def _tokens(op: Tokens, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    first, end = op.part
    return Code(f"{operand(inputs[0])}[:, {first or ''}:{end}]")


RULES: dict[type[Op], Rule] = {
    Attention: Rule(attention, _attention_module),
    WindowAttention: Rule(apply_member, _window_attention_module),
    AxialAttention: Rule(attention_along, _axial_attention_module),
    MatMul: Rule(_matmul),
    PositionSoftmax: Rule(_position_softmax),
    Position: Rule(apply_member, _position_module),
    Token: Rule(apply_member, _token_module),
    Map: Rule(_map),
    TokenMap: Rule(_token_map),
    Tokens: Rule(_tokens),
}
