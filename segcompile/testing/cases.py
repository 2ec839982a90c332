"""What a backend is held against: every op with the corners of its attributes, and the bundled specs made small."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path

from segcompile.backend import Backend, BuildRequest
from segcompile.build import request_for
from segcompile.compiler import Compiled, compile_spec
from segcompile.language.derive import variants_of
from segcompile.library import bundled, locate
from segcompile.network.graph import Graph
from segcompile.testing import ranks, shared
from segcompile.testing.networks import reduced
from segcompile.text.errors import Findings

HEAD = "segcompile: 1\nmodel: net\ninput: {input}\nlayers:\n{layers}\n"
IMAGE = "{channels: 4, size: [9, 11]}"
PAIR = "{a: {channels: 4, size: [9, 11]}, b: {channels: 4, size: [9, 11]}}"
PIXEL = "{a: {channels: 4, size: [9, 11]}, b: {channels: 4, size: [1, 1]}}"  # of which `b` is spread
MAP = "{a: {channels: 4, size: [9, 11]}, b: {channels: 1, size: [1, 11]}}"
ATTENDED = "{a: {channels: 4, size: [9, 4]}, b: {channels: 4, size: [5, 6]}, c: {channels: 6, size: [5, 6]}}"
CROSSED = "{a: {channels: 4, size: [5, 6]}, b: {channels: 4, size: [5, 6]}, c: {channels: 6, size: [5, 6]}}"
UNEQUAL = "{a: {channels: 4, size: [9, 12]}, b: {channels: 4, size: [6, 13]}}"

LAYERS = (
    # kernels, strides, dilations, paddings, groups
    "conv: 3, kernel: 3",
    "conv: 3, kernel: [2, 5], pad: [1, 0, 3, 2]",
    "conv: 3, kernel: [4, 3], stride: [2, 3], pad: same",
    "conv: 3, kernel: 3, pad: [5, 1, 1, 5]",
    "conv: 3, kernel: 3, dilation: [2, 3], pad: [2, 3]",
    "conv: 3, kernel: [3, 2], stride: 2, dilation: [1, 2], pad: [0, 2, 1, 0], bias: no",
    "conv: 6, kernel: 3, groups: 2, pad: 1",
    "conv: 8, kernel: 3, groups: 4, stride: 2, bias: no",
    "conv: 3, kernel: 1, stride: 2",
    "conv: 3, kernel: 3, pad: 2, mode: reflect",
    "conv: 3, kernel: 3, pad: [2, 0, 1, 3], mode: reflect, stride: 2",
    "conv: 3, kernel: 3, pad: 1, mode: edge",
    "conv: 3, kernel: 4, pad: same, mode: edge",
    "conv: 3, kernel: 3, pad: [9, 2], dilation: [3, 1], mode: circular",
    "conv: 3, kernel: 3, pad: [2, 0, 1, 3], mode: circular, stride: 2",
    "conv: 3, kernel: 3, frozen: yes",
    "deconv: 3, kernel: 4, stride: 2, pad: 1",
    "deconv: 3, kernel: [3, 4], stride: [2, 3], pad: [1, 0, 2, 1]",
    "deconv: 3, kernel: 3, stride: 2, pad: 1, output_pad: 1",
    "deconv: 3, kernel: 3, stride: [3, 2], output_pad: [2, 1], bias: no",
    "deconv: 3, kernel: 2, dilation: [3, 2], output_pad: [2, 0]",
    "deconv: 3, kernel: [5, 4], stride: [2, 2], pad: same",
    "deconv: 3, kernel: 1, stride: 2, bias: no",
    "deconv: 6, kernel: 3, stride: 2, groups: 2, dilation: 2",
    "deconv: 4, kernel: 4, stride: 2, groups: 4, pad: 1, frozen: yes",
    "linear: 5",
    "linear: 5, bias: no, frozen: yes",
    "pool: max, kernel: 2",
    "pool: max, kernel: [3, 2], stride: [2, 1], pad: [1, 0]",
    "pool: max, kernel: 3, stride: 2, pad: 1, round: ceil",
    "pool: max, kernel: 2, stride: 3, round: ceil",
    "pool: max, kernel: 2, stride: 1, dilation: 2",
    "pool: max, kernel: 3, stride: 2, dilation: [1, 2], pad: [1, 2], round: ceil",
    "pool: max, kernel: 2, stride: 1, pad: same",
    "pool: avg, kernel: 2",
    "pool: avg, kernel: [3, 2], stride: [2, 1], pad: [1, 0]",
    "pool: avg, kernel: 3, stride: 2, pad: 1, round: ceil",
    "pool: avg, kernel: 4, stride: 3, pad: [2, 1], round: ceil",
    "pool: avg, kernel: [2, 4], stride: 1, pad: same",
    "pool: avg, kernel: 3, stride: 2, pad: 1, count_pad: no",
    "pool: avg, kernel: [2, 4], stride: 1, pad: same, count_pad: no",
    "pool: avg, kernel: [3, 4], stride: 3, pad: [1, 2], count_pad: no, round: ceil",
    "pool: max, kernel: 2, pad: [0, 1, 1, 0], round: ceil",
    "pool: max, kernel: [3, 4], stride: [2, 3], pad: [2, 0, 3, 2], round: ceil",
    "pool: max, kernel: 3, stride: 1, pad: 2",
    "pool: max, kernel: 2, stride: [1, 3], dilation: [3, 2], pad: [3, 1, 2, 0], round: ceil",
    "pool: avg, kernel: [4, 3], stride: [3, 2], pad: [3, 1, 0, 2], round: ceil",
    "pool: avg, kernel: 3, stride: 2, pad: 2",
    "pool: avg, bins: 1",
    "pool: avg, bins: [4, 3]",
    "pool: max, bins: [2, 11]",
    "pool: max, bins: [12, 5]",
    "pool: global_avg",
    "pool: global_max",
    "pad: [1, 2, 3, 0]",
    "pad: [0, 2, 1, 3], mode: reflect",
    "pad: 2, mode: edge",
    "pad: [9, 2, 0, 3], mode: circular",
    "pad: [1, 2, 3, 0], value: -0.5",
    "resize: 2",
    "resize: [3, 2], mode: bilinear",
    "resize: 2, mode: bilinear, align_corners: yes",
    "resize: [2, 3], mode: nearest",
    "resize: 1/2",
    "resize: [2/3, 5/2]",
    "resize: [1/3, 3/4], mode: bilinear, align_corners: yes",
    "resize: [1/2, 3/2], mode: nearest",
    "resize: [1/2, 4], mode: nearest",
    "resize: [2/3, 3], mode: nearest_exact",
    "resize: [3, 2], mode: nearest_exact",
    "resize: 2, mode: cubic",
    "resize: [2/3, 3], mode: cubic",
    "resize: [1/2, 3], mode: cubic, align_corners: yes",
    "resize: {size: [5, 17]}",
    "resize: {size: [17, 5]}, mode: nearest_exact",
    "pixel_shuffle: 2",
    "pixel_shuffle: 1",
    "space_to_depth: 1",
    "reinterpret: channels_last",
    "slice: [1, 3]",
    "slice: [0, channels // 2]",
    "pad: {channels: 3}",
    "channel_shuffle: 2",
    "channel_shuffle: 1",
    # all positions
    "attention: 2",
    "attention: 1, bias: no, scale: 0.3, init: {normal: 0.02}",
    "attention: 4, reduce: 2",
    "attention: 2, reduce: [3, 2], bias: no",
    "attention: 1, reduce: 3, frozen: yes",
    "attention: 2, window: 4, shift: 2, positions: relative",
    "attention: 4, window: [4, 3], shift: [1, 2], pad_mask: yes, bias: no, scale: 0.3",
    "attention: 1, window: [9, 4], shift: [3, 0], positions: relative, pad_mask: yes, init: {normal: 0.02}",
    "attention: 2, window: [3, 12], frozen: yes",
    "attention: 2, along: rows",
    "attention: 1, along: columns, bias: no, scale: 0.3",
    "attention: 4, along: both",
    "position: learned, size: [9, 11]",
    "position: learned, size: [4, 3], init: zeros",
    "position: learned, size: [14, 6], mode: cubic",
    "token: 2",
    "softmax: positions",
    # values
    "norm: batch",
    "norm: {batch: {eps: 1e-2, momentum: 0.01}}",
    "norm: instance",
    "norm: {instance: {eps: 1e-2}}",
    "norm: {group: 2}",
    "norm: {group: {groups: 4, eps: 1e-2}}",
    "norm: layer",
    "norm: {layer: {eps: 1e-2}}",
    "affine: channels",
    "affine: channels, bias: no, init: {constant: 1e-6}",
    "affine: channels, shared: yes",
    "norm: lrn",
    "norm: {lrn: {size: 4, alpha: 0.5, beta: 0.5, k: 2}}",
    "act: relu",
    "act: relu6",
    "act: elu",
    "act: sigmoid",
    "act: tanh",
    "act: gelu",
    "act: silu",
    "act: tanh_gelu",
    "act: hard_sigmoid",
    "act: hard_swish",
    "act: mish",
    "act: selu",
    "act: softplus",
    "act: {elu: 0.4}",
    "act: {clip: {min: -0.25, max: 0.75}}",
    "act: leaky_relu",
    "act: {leaky_relu: 0.2}",
    "act: prelu",
    "act: {prelu: {shared: yes}}",
    "dropout: 0.5",
    "dropout: {spatial: 0.5}",
    "dropout: {path: 0.5}",
    "scale: -0.3",
    "softmax: channels",
    # together
    "conv: 3, kernel: 3, norm: batch, act: relu6, drop: 0.5",
    "conv: 3, kernel: 3, act: relu, drop: {spatial: 0.5}",
    "linear: 6, norm: batch, act: prelu",
    "linear: 6, norm: {group: 3}, act: gelu",
    "linear: 6, norm: layer, act: hard_swish",
)  # fmt: skip

JOINED = {
    "add: [a, b]": PAIR,
    "add: [a, b, a], weights: [0.5, -2, 1]": PAIR,
    "add: [a, b], align: center_crop": UNEQUAL,
    "add: [a, b], align: pad, weights: [1, 3]": UNEQUAL,
    "add: [b, a, b]": PIXEL,
    "add: [a, b], weights: [1, 0.5]": MAP,
    "mul: [a, b]": PAIR,
    "mul: [b, a]": PIXEL,
    "mul: [b, a, b]": MAP,
    "mul: [a, b, b], align: center_crop": UNEQUAL,
    "mul: [a, b], align: pad": UNEQUAL,
    "concat: [b, a]": PAIR,
    "concat: [a, b, a], align: center_crop": UNEQUAL,
    "concat: [a, b], align: pad": UNEQUAL,
    "attention: 2, from: a, keys: b": UNEQUAL,
    "attention: 2, from: a, keys: b, reduce: 2": "{a: {channels: 4, size: [9, 4]}, b: {channels: 3, size: [6, 13]}}",
    "attention: 2, from: a, keys: b, values: c": ATTENDED,
    "attention: 1, from: a, keys: b, values: c, scale: 1": ATTENDED,
    "attention: 1, from: a, keys: b, values: c, over: pairs": ATTENDED,
    "attention: 2, from: a, keys: b, values: c, over: pairs, scale: 1": ATTENDED,
    "attention: 2, from: a, keys: b, values: c, along: both": CROSSED,
    "attention: 1, from: a, keys: b, values: c, along: rows, scale: 1": CROSSED,
    "attention: 1, from: a, keys: b, values: c, along: columns": CROSSED,
    "matmul: [a, b], over: positions": "{a: {channels: 3, size: [9, 11]}, b: {channels: 4, size: [9, 11]}}",
    "crop: b, from: a, offset: [2, 1]": "{a: {channels: 3, size: [9, 11]}, b: {channels: 2, size: [5, 8]}}",
    "space_to_depth: 2, from: a": "{a: {channels: 3, size: [8, 12]}}",
    "resize: b, from: a": UNEQUAL,
    "resize: b, from: a, mode: cubic": UNEQUAL,
    "resize: b, from: a, mode: nearest": UNEQUAL,
    "resize: b, from: a, mode: nearest_exact": UNEQUAL,
    "resize: b, from: a, mode: bilinear, align_corners: yes": UNEQUAL,
}

LISTED = (
    "position: learned, size: [9, 11]",
    "position: learned, size: [5, 13]",
    "position: learned, size: [5, 13], mode: cubic",
    "attention: 2",
    "attention: 2, keys: list",
    "attention: 4, from: input, keys: list, bias: no",
    "token: 1, frozen: yes",
    "conv: 6, kernel: 1, groups: 2, norm: layer, act: gelu",
    "conv: 3, kernel: 1, bias: no, norm: batch, act: prelu, drop: {path: 0.2}",
    "add: [list, list], weights: [1, 0.5]",
    "concat: [list, list]",
    "slice: [1, 3]",
    "channel_shuffle: 2",
    "pad: {channels: 2}",
    "affine: channels",
    "softmax: channels",
    "map: positions",
    "map: {token: 2}",
    "tokens: [1, 3]",
)  # behind `list`, a list of three tokens and an image

OF_TOKENS = (
    "attention: 2, keys: input",
    "conv: 5, kernel: 1, norm: layer, act: relu",
    "linear: 6",
    "add: [queries, queries]",
    "matmul: [queries, input], over: channels",
    "matmul: [queries, queries], over: positions",
)  # behind `queries`, two of the tokens

UNPOOLED = (
    "pool: max, kernel: 2",
    "pool: max, kernel: [2, 3], stride: [3, 3], pad: [1, 0]",
    "pool: max, kernel: 2, round: ceil",
    "pool: max, kernel: 2, pad: [0, 1, 1, 0]",
    "pool: max, kernel: [3, 2], stride: [3, 4], pad: [2, 1, 0, 1], round: ceil",
)

STARTS = (
    "conv: 64, kernel: 3, init: he",
    "conv: 64, kernel: 5, groups: 4, init: he",
    "conv: 64, kernel: 3, init: xavier",
    "conv: 64, kernel: 3, init: {normal: 0.003}",
    "conv: 64, kernel: 3, init: zeros",
    "conv: 64, kernel: 3, init: identity",
    "conv: 128, kernel: [3, 5], init: {identity: {groups: 32}}",
    "conv: 128, kernel: 3, init: {identity: {std: 0}}",
    "conv: 32, kernel: 3, init: {identity: {groups: 16, std: 0.5}}",
    "deconv: 64, kernel: 4, stride: 2, init: he",
    "deconv: 64, kernel: [4, 6], stride: [2, 3], groups: 4, init: he",
    "deconv: 32, kernel: 3, init: xavier",
    "deconv: 64, kernel: 4, stride: 2, init: {normal: 0.01}",
    "deconv: 64, kernel: 3, stride: 2, init: zeros",
    "deconv: 64, kernel: [4, 5], stride: [2, 3], init: bilinear",
    "deconv: 64, kernel: 8, stride: 4, groups: 64, init: bilinear, bias: no, frozen: yes",
    "linear: 64, init: he",
    "linear: 64, init: xavier",
    "linear: 64, init: {normal: 0.01}",
    "linear: 64, init: zeros",
    "conv: 64, kernel: 3, norm: batch, act: prelu",
    "norm: {group: 16}",
    "norm: {layer: {eps: 1e-3}}",
    "affine: channels, init: {constant: 1e-6}",
    "conv: 64, kernel: 3, init: {constant: 0.25}",
    "linear: 64, init: {constant: -1}",
    "norm: {instance: {eps: 1e-3}}",
    "attention: 4",
    "attention: 4, init: he, reduce: 2",
    "attention: 4, init: {normal: 0.02}, bias: no",
    "attention: 4, window: 7, positions: relative, init: {normal: 0.02}",
    "attention: 4, along: both, init: he",
    "position: learned, size: 8",
    "token: 64, init: {normal: 0.5}",
    "token: 2, init: zeros",
)

TRAINED = """\
segcompile: 1
model: net
input: {{channels: 3, size: {size}}}
layers:
  - stem:     {{conv: 8, kernel: 4, stride: 2, pad: 1, norm: batch, act: relu}}
  - score:    {{conv: 3, kernel: 1}}
  - upsample: {{deconv: 3, kernel: 4, stride: 2, pad: 1, groups: 3, bias: no, init: bilinear, frozen: yes}}
training: {{optimizer: {{adamw: {{}}}}, lr: 2e-2, batch: 4, steps: 20}}
"""


@dataclass(frozen=True, eq=False)
class Case:
    """A network, and what a backend is asked to build of it; that is made when it is first asked for."""

    name: str
    graph: Graph  # of the ops and the rank of the request's, by which a backend declares it or does not
    make: Callable[[], BuildRequest]

    @classmethod
    def of(cls, name: str, request: BuildRequest) -> Case:
        """A request that is there."""
        return cls(name, request.graph, lambda: request)

    @cached_property
    def request(self) -> BuildRequest:
        return self.make()

    def is_declared(self, backend: Backend) -> bool:
        """Whether the backend says that it can emit networks of this rank, every layer, and shared weights where
        there are such. One whose `refuses` fails does not say so."""
        nodes = self.graph.nodes
        try:
            known = (type(node.op) in backend.ops and backend.refuses(node.op) is None for node in nodes)
            shares = backend.shares or all(node.weights is None for node in nodes)
            return self.graph.rank in backend.ranks and shares and all(known)
        except Exception:
            return False


def compiled(text: str) -> tuple[Compiled, BuildRequest]:
    """A spec's text that must be right, and what a backend is asked to build of it."""
    with tempfile.TemporaryDirectory() as folder:
        path, findings = Path(folder) / "net.yaml", Findings()
        path.write_text(text, encoding="utf-8")
        found = compile_spec(path, findings, name="net.yaml")
        findings.stop_on_errors()
        return found, request_for(found, path)


def _case(layer: str, image: str = IMAGE, before: str = "") -> Case:
    layers = f"{before}  - layer: {{{layer}}}"
    return _named(layer, compiled(HEAD.format(input=image, layers=layers))[1])


def _named(layer: str, request: BuildRequest) -> Case:
    """A layer's case: of a signal, `norm: lrn (signal)`."""
    return Case.of(layer + {1: " (signal)", 2: "", 3: " (volume)"}[request.graph.rank], request)


def _listed(layer: str, image: str = IMAGE, more: str = "") -> Case:
    """A layer behind a list, and behind what is made of that."""
    case = _case(layer, image, f"  - list: {{token: 3}}\n{more}")
    return _named(f"{layer}, of {'tokens' if more else 'a list'}", case.request)


def _unpooled(pool: str, image: str = IMAGE) -> Case:
    case = _case("unpool: pool", image, f"  - pool: {{{pool}}}\n  - deep: {{conv: 4, kernel: 1}}\n")
    return _named(f"unpool: {{{pool}}}", case.request)


@cache
def ops() -> tuple[Case, ...]:
    """Single layers, in evaluation mode, with the corners of every attribute; and such as share their weights."""
    found = [_case(layer) for layer in LAYERS]
    found += [_case(layer, image) for layer, image in JOINED.items()]
    found += [_case(layer, image) for image, layers in ranks.LAYERS.items() for layer in layers]
    found += [_listed(layer) for layer in LISTED]
    found += [_listed(layer, more="  - queries: {tokens: [0, 2]}\n") for layer in OF_TOKENS]
    found += [_listed(layer, image) for image, layers in ranks.LISTED.items() for layer in layers]
    found += [_unpooled(pool) for pool in UNPOOLED]
    found += [_unpooled(pool, image) for image, pool in ranks.UNPOOLED.items()]
    found += [
        Case.of(name, compiled(HEAD.format(input=image, layers=text))[1]) for name, image, text in shared.NETWORKS
    ]
    return tuple(found)


@cache
def starts() -> tuple[Case, ...]:
    """Layers with every initialisation, large enough for moments."""
    of_ranks = (_case(layer, image) for image, layers in ranks.STARTS.items() for layer in layers)
    return (*(_case(layer, "{channels: 64, size: 8}") for layer in STARTS), *of_ranks)


@cache
def trained() -> tuple[Case, ...]:
    """A network that learns something in a few steps, a part of which is frozen: on images, signals and volumes."""
    sizes = {"a small network": "16", "a small network (signal)": "[16]", "a small network (volume)": "[16, 16, 16]"}
    return tuple(Case.of(name, compiled(TRAINED.format(size=size))[1]) for name, size in sizes.items())


@cache
def specs(only: str | None = None) -> tuple[Case, ...]:
    """The bundled specs as they are, or the one of this name."""
    named = {f"{name} ({variant})" if variant else name: (path, variant) for name, path, variant in bundled_variants()}
    return tuple(Case.of(name, _bundled(*which)) for name, which in named.items() if only in (None, name))


@cache
def small_specs() -> tuple[Case, ...]:
    """The bundled specs on a small image, with few channels."""
    return tuple(Case(case.name, case.graph, partial(reduced, case.graph)) for case in specs())


@cache
def specs_of_classes() -> tuple[Case, ...]:
    """The same with twelve channels everywhere, of which one scores best."""
    return tuple(Case(case.name, case.graph, partial(reduced, case.graph, widths=(12,))) for case in specs())


def run_cases() -> tuple[Case, ...]:
    """Whole networks that run in no time."""
    return (*small_specs(), *trained())


def _bundled(path: Path, variant: str | None) -> BuildRequest:
    findings = Findings()
    found = compile_spec(path, findings, variant=variant)
    findings.stop_on_errors()
    return request_for(found, path)


def bundled_variants() -> Iterator[tuple[str, Path, str | None]]:
    """Every bundled spec, by its name and where it lies, in each of its variants."""
    for name, path in sorted(bundled().items()):
        for variant in variants_of(path, locate) or (None,):
            yield name, path, variant
