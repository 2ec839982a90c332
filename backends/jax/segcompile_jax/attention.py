"""Attention, products of matrices, and lists of tokens and positions, one rule an op."""

from __future__ import annotations

from collections.abc import Sequence

from segcompile.emit import Argument, Call, Code, Rule
from segcompile.emit.arguments import number
from segcompile.emit.rules import apply_member, attention, operand
from segcompile.ops import Attention, Map, MatMul, Op, Position, PositionSoftmax, Shape, Token, TokenMap, Tokens
from segcompile_jax.arguments import RNGS
from segcompile_jax.initialisation import kernel_init

_USUAL: dict[str, Argument] = {"use_bias": True, "scale": "None"}
_AXES = {1: "l", 2: "hw", 3: "dhw"}  # letters of those of a map, in einsum


def _attention_module(op: Attention, shapes: Sequence[Shape]) -> Call | None:
    if not op.projects(shapes):
        return None
    init = kernel_init(op)
    scale = number(op.scale) if op.scale is not None else "None"
    told: tuple[tuple[str, Argument], ...] = (
        ("use_bias", op.bias),
        ("scale", scale),
        ("kernel_init", init.text),
        *RNGS,
    )
    width, needs = shapes[0].channels, init.needs | {"attend"}
    if op.fuses(shapes):
        return Call("Attention", (width, op.heads), told, ("features", "heads"), needs | {"Attention"}, _USUAL)
    needs |= {"CrossAttention"}
    if op.reduce is not None:
        told, needs = (("reduce", op.reduce), *told), needs | {"CrossAttention.reduce"}
    names = ("features", "key_features", "heads")
    return Call("CrossAttention", (width, shapes[-1].channels, op.heads), told, names, needs, _USUAL)


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
    keywords = (*told, ("std", op.init.std or 0), *RNGS)
    return Call("Position", (shapes[0].channels, op.size), keywords, ("features", "size"), needs, {"std": 0.02})


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
    MatMul: Rule(_matmul),
    PositionSoftmax: Rule(_position_softmax),
    Position: Rule(apply_member, _position_module),
    Token: Rule(apply_member, _token_module),
    Map: Rule(_map),
    TokenMap: Rule(_token_map),
    Tokens: Rule(_tokens),
}
