"""The bundled networks as a person would write them for JAX in one sitting: functions of a list of weights."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Draw = Callable[..., jax.Array]  # a weight of the next shape
LAYOUT = ("NHWC", "HWIO", "NHWC")


def conv(
    draw: Draw,
    x: jax.Array,
    channels: int,
    kernel: int = 3,
    pad: str | int = "SAME",
    stride: int = 1,
    dilation: int = 1,
) -> jax.Array:
    padding = pad if isinstance(pad, str) else [(pad, pad)] * 2
    weight, bias = draw(kernel, kernel, x.shape[-1], channels), draw(channels)
    found = lax.conv_general_dilated(
        x, weight, (stride, stride), padding, rhs_dilation=(dilation, dilation), dimension_numbers=LAYOUT
    )
    return found + bias


def context(draw: Draw, x: jax.Array, channels: tuple[int, ...]) -> jax.Array:
    for count, dilation in zip(channels, (1, 1, 2, 4, 8, 16, 1), strict=True):
        x = jax.nn.relu(conv(draw, x, count, dilation=dilation))
    return conv(draw, x, channels[0] // 2 if len({*channels}) > 1 else channels[0], 1)


def dilated_basic(draw: Draw, x: jax.Array) -> jax.Array:
    return context(draw, x, (21,) * 7)


def dilated_large(draw: Draw, x: jax.Array) -> jax.Array:
    return context(draw, x, (42, 42, 84, 168, 336, 672, 672))


def blue_marble(draw: Draw, x: jax.Array) -> jax.Array:
    x = jax.nn.relu(conv(draw, x, 16, 4, 1, 2))
    x = conv(draw, context(draw, x, (16,) * 7), 3, 1)
    return lax.conv_transpose(x, draw(4, 4, 3, 3), (2, 2), "SAME")


def vgg(draw: Draw, x: jax.Array, pad: str, pools: int, fc6: int) -> jax.Array:
    """VGG-16 with so many pools, whose later convolutions are dilated instead, up to conv5_3, then fc6 and fc7."""
    for index, (layers, channels) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))):
        for _ in range(layers):
            x = jax.nn.relu(conv(draw, x, channels, 3, pad, dilation=2 ** max(0, index - pools)))
        if index < pools:
            room = [(0, 0), *((0, extent % 2) for extent in x.shape[1:3]), (0, 0)]
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), room)
    x = jax.nn.relu(conv(draw, x, 4096, 7, "VALID", dilation=fc6))
    return jax.nn.relu(conv(draw, x, 4096, 1))


def vgg16(draw: Draw, x: jax.Array) -> jax.Array:
    return conv(draw, vgg(draw, x, "SAME", 5, 1), 1000, 1)[:, 0, 0]


def dilated_frontend(draw: Draw, x: jax.Array) -> jax.Array:
    return conv(draw, vgg(draw, x, "VALID", 3, 4), 21, 1)


def aspp(draw: Draw, x: jax.Array) -> jax.Array:
    def block(x: jax.Array, kernel: int = 1, dilation: int = 1) -> jax.Array:
        weight = draw(kernel, kernel, x.shape[-1], 256)
        rates = (dilation, dilation)
        x = lax.conv_general_dilated(x, weight, (1, 1), "SAME", rhs_dilation=rates, dimension_numbers=LAYOUT)
        mean, variance, scale, shift = (draw(256) for _ in range(4))
        return jax.nn.relu((x - mean) * lax.rsqrt(jnp.abs(variance) + 1e-5) * scale + shift)

    image = block(x.mean((1, 2), keepdims=True))
    branches = [block(x), *(block(x, 3, rate) for rate in (6, 12, 18)), jnp.broadcast_to(image, (*x.shape[:3], 256))]
    return conv(draw, block(jnp.concatenate(branches, -1)), 21, 1)


def unet(draw: Draw, x: jax.Array) -> jax.Array:
    def double(x: jax.Array, channels: int) -> jax.Array:
        for _ in range(2):
            x = jax.nn.relu(conv(draw, x, channels, 3, "VALID"))
        return x

    def crop(x: jax.Array, like: jax.Array) -> jax.Array:
        top, left = ((x.shape[axis] - like.shape[axis]) // 2 for axis in (1, 2))
        return x[:, top : top + like.shape[1], left : left + like.shape[2]]

    kept = []
    for channels in (64, 128, 256, 512):
        kept.append(double(x, channels))
        x = lax.reduce_window(kept[-1], -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = double(x, 1024)
    for channels, skip in zip((512, 256, 128, 64), reversed(kept), strict=True):
        x = lax.conv_transpose(x, draw(2, 2, x.shape[-1], channels), (2, 2), "VALID") + draw(channels)
        x = double(jnp.concatenate([crop(skip, x), x], -1), channels)
    return conv(draw, x, 2, 1)


def compiled(network: Callable[[Draw, jax.Array], jax.Array], image: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """The network with weights of its own, as a compiled function of an image (B, H, W, C)."""
    generator, weights = np.random.default_rng(0), list[Any]()

    def drawn(*shape: int) -> Any:
        weights.append(generator.normal(scale=0.05, size=shape).astype(np.float32))
        return weights[-1]

    def taken(given: Iterator[jax.Array]) -> Draw:
        return lambda *shape: next(given)

    jax.eval_shape(lambda x: network(drawn, x), image)
    function: Any = jax.jit(lambda weights, x: network(taken(iter(weights)), x))
    return functools.partial(function, jax.device_put(weights))
