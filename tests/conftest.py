"""What tests of many rooms share: compiled specs, the PyTorch models they become, and fields measured by gradient."""

from __future__ import annotations

import os

# One thread a process, since the tests run in two. The frameworks, and the processes that tests start, read it as they
# start; NPROC is XLA's.
os.environ["OMP_NUM_THREADS"] = os.environ["NPROC"] = "1"

import importlib
import itertools
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from types import FrameType, ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from segcompile.backend import BuildRequest, load_backend, run_backend
from segcompile.build import request_for
from segcompile.compiler import Compiled, analyse_graph, compile_spec
from segcompile.facts.facts import Facts
from segcompile.facts.index_set import IndexSet
from segcompile.facts.receptive_field import Field
from segcompile.network.graph import Graph, Node
from segcompile.network.training import Training
from segcompile.ops import (
    Add,
    BatchNorm,
    ChannelShuffle,
    Concat,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Mul,
    PixelShuffle,
    Pool,
    Resize,
    Scale,
    Shape,
    Slice,
    SpaceToDepth,
)
from segcompile.testing.cases import ops, specs
from segcompile.testing.fields import mask, probes
from segcompile.testing.networks import every_layer, sized, slim, thin
from segcompile.text.errors import Findings

# What nohup or a shell in the background has ignored would be ignored in the programs that tests stop, too.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

ROOT = Path(__file__).parents[1]
# The short tests draw the same examples in each run; the long ones say `derandomize=False` and draw anew.
settings.register_profile("short", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
settings.load_profile("short")
DATA = ROOT / "tests/data"
# The bundled specs that the kit runs in the short tests, no two of a kind; the others are left to the long ones.
IN_SHORT = (
    "alexnet",
    "aspp",
    "blue_marble",
    "dilated_context (large)",
    "dilated8_voc",
    "fcn8s",
    "fcn32s_nyud_color_hha",
    "fcn_googlenet",
    "unet",
)
# What the kit tries of JAX in the short tests: what is quickly compiled, or not compiled at all.
OF_JAX_IN_SHORT = {
    "checks": ("emission", "refusal", "same bytes", "names", "values in float64", "gradients", "lint"),
    "networks": ("aspp", "blue_marble", "dilated_context (large)", "unet"),
}
# The same of ONNX, where "values in float32" compare the shapes, too. A file holds all weights: those that have few.
OF_ONNX_IN_SHORT = {
    "checks": ("emission", "refusal", "names", "values in float32", "initial weights", "standalone"),
    "networks": ("aspp", "blue_marble", "dilated_context (large)", "fcn8s", "unet"),
}
OF_EXPORT_IN_SHORT = ("aspp", "blue_marble", "dilated_context (large)", "fcn8s")
LARGE = ("fcn32s_nyud_color_hha", "fcn_googlenet")  # whose fields take long to measure
# Whose models take seconds to make, or are a ResNet-50 with some layers more, which is tried itself.
DEEP = (
    "attention_unet", "ccnet", "convnext_t", "danet", "deeplabv3_r101", "deeplabv3plus", "denseaspp121", "dinov2_dpt",
    "dinov2_linear", "effnet_b0_unet", "enet", "eomt", "erfnet", "espnetv2", "esrgan_slim", "fcdensenet103", "fcn_r50",
    "fpn", "hdc_duc", "hrnet", "hrnet_w18", "icnet", "lraspp", "mobilenetv2", "nnunet2d", "nnunet3d", "ocrnet",
    "ppocr_det", "pspnet", "resnet101", "resnet152", "segformer", "shufflenetv2", "swin_t", "swin_t_upernet", "u2net",
    "upernet", "vit_b16", "vnet",
)  # fmt: skip
_NORMS = (GroupNorm, InstanceNorm, LayerNorm)  # that are a factor in a network of ones
_SORTING = (PixelShuffle, SpaceToDepth, Slice, ChannelShuffle)  # ops that keep channels apart
_LINEAR = (
    "relu", "relu6", "elu", "gelu", "silu", "leaky_relu", "dropout", "hardswish", "mish", "selu", "softplus",
    "local_response_norm",
)  # fmt: skip


@dataclass(frozen=True)
class Emitted:
    """A graph, what is said of it, and the module that the torch backend made of it."""

    graph: Graph
    shapes: Mapping[str, Shape]
    facts: Facts
    source: str
    module: ModuleType

    @cached_property
    def model(self) -> Any:
        """The model in float64 and evaluation mode."""
        return self.module.Net().double().eval()

    def inputs(self, seed: int = 0) -> list[Any]:
        """A positive random batch of one for each input."""
        import torch

        generator = torch.Generator().manual_seed(seed)
        extents = [(1, shape.channels, *shape.size) for shape in self.graph.inputs.values()]
        return [torch.rand(*extent, dtype=torch.float64, generator=generator) + 0.5 for extent in extents]

    def outputs(self, *inputs: Any) -> dict[str, Any]:
        """Head -> tensor."""
        found = self.model(*(inputs or self.inputs()))
        return found if isinstance(found, dict) else {next(iter(self.graph.outputs)): found}

    def made_linear(self) -> Emitted:
        """The same model with positive weights, without activations, and with means for maxima."""
        import torch

        functional = SimpleNamespace(**vars(torch.nn.functional))
        for name in _LINEAR:
            setattr(functional, name, lambda x, *rest, **named: x)
        functional.max_pool2d, functional.max_unpool2d = _mean_pool, _spread
        functional.adaptive_max_pool2d = torch.nn.functional.adaptive_avg_pool2d
        functional.pad, functional.softmax = _pad, _softmax
        functional.scaled_dot_product_attention = _attention
        if "attend_along" in vars(self.module):
            along = self.module.attend_along
            self.module.attend_along = lambda *given: along(*given[:5], 0.01)
        names = SimpleNamespace(**{**vars(torch), **dict.fromkeys(("sigmoid", "tanh", "clamp"), lambda x, *rest: x)})
        vars(self.module).update(F=functional, torch=names)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for value in self.model.parameters():
                value.copy_(torch.rand(value.shape, generator=generator, dtype=value.dtype) + 0.5)
        for module in self.model.modules():  # as in _spread: outputs without an input are no zeros
            if isinstance(module, torch.nn.ConvTranspose2d):
                module.register_forward_hook(lambda module, inputs, found: found + 1)
        return self

    def made_ones(self) -> Emitted:
        """The same model, of a skeleton, with all weights one, without activations, and with sums for all poolings."""
        import torch

        self.made_linear()
        functional = vars(self.module)["F"]
        functional.max_pool2d = functional.avg_pool2d = _sum_pool
        functional.interpolate = _sum_interpolate
        functional.scaled_dot_product_attention = _sum_attention
        if "avg_pool" in vars(self.module):
            self.module.avg_pool = _sum_pool_within
        with torch.no_grad():
            for module in self.model.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.eps = 0.0
                for name, value in module.named_parameters(recurse=False):
                    value.fill_(0 if name == "bias" else 1)
        return self

    def has_gaps(self, axis: int) -> bool:
        """Whether some outputs of some layer see nothing along an axis."""
        return any(None in fact.fields[axis].sets for fact in self.facts.values())


def _softmax(x: Any, axis: int) -> Any:
    """Over channels a function of each pixel, which goes; over positions one of all."""
    import torch

    return x if axis == 1 else torch.nn.functional.softmax(x, axis)


def _attention(q: Any, k: Any, v: Any, mask: Any = None, scale: float | None = None) -> Any:
    """At a scale at which no position is beyond what float64 can tell, however large queries and keys are."""
    import torch

    largest = float(q.detach().abs().max() * k.detach().abs().max()) * q.shape[-1]
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, mask, scale=0.01 / max(largest, 1.0))


def _sum_attention(q: Any, k: Any, v: Any, mask: Any = None, scale: float | None = None) -> Any:
    """The sums of what is attended to."""
    import torch

    seen = torch.ones_like(q @ k.mT)
    if mask is not None:  # what may be seen, or what is added to scores
        seen = seen * (mask if mask.dtype == torch.bool else mask > -torch.inf)
    return seen @ v


def _pad(x: Any, pads: Any, mode: str = "constant", value: float = 0) -> Any:
    import torch

    return torch.nn.functional.pad(x, pads, mode)  # -inf around a maximum is nothing around a mean


def _sum_pool(x: Any, kernel: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, **named: Any) -> Any:
    import torch

    ceil_mode = named.pop("ceil_mode", ceil_mode)
    stride, padding = named.pop("stride", stride), named.pop("padding", padding)
    return torch.nn.functional.avg_pool2d(x, kernel, stride, padding, ceil_mode, divisor_override=1)


def _sum_pool_within(x: Any, kernel: Any, stride: Any, counted: Any, beyond: Any) -> Any:
    """The sums where a generated function takes means that do not count all of the padding."""
    import torch

    pad = torch.nn.functional.pad
    return _sum_pool(pad(pad(x, counted), beyond), kernel, stride)


def _sum_interpolate(x: Any, *size: Any, **named: Any) -> Any:
    """Interpolation in which every pixel that has any weight has weight one."""
    import torch

    def ones(axis: int) -> Any:
        probe = torch.eye(x.shape[2 + axis], dtype=x.dtype)[None, :]
        probe = probe[..., None] if axis == 0 else probe[:, :, None, :]
        probe = probe.expand(1, -1, x.shape[2], x.shape[3])
        spread = torch.nn.functional.interpolate(probe.contiguous(), *size, **named)[0]
        return (spread.amax(2 - axis) > 1e-9).to(x.dtype).T  # (outputs, inputs)

    return ones(0) @ x @ ones(1).T


def _mean_pool(x: Any, *arguments: Any, return_indices: bool = False, **named: Any) -> Any:
    """Means for maxima. They stand for the switches, too: those depend on all that was compared."""
    import torch

    means = torch.nn.functional.avg_pool2d(x, *arguments, **named)
    return (means, means) if return_indices else means


def _spread(x: Any, switches: Any, kernel: Any, stride: Any = None, padding: Any = (0, 0), *, output_size: Any) -> Any:
    """All that an unpooling may give: each value, and all that decided where it goes, on the whole of its window.

    Places that no window holds get a constant, because a product with zero would depend on nothing.
    """
    import torch

    weight = torch.ones(x.shape[1], 1, *kernel, dtype=x.dtype)
    full = torch.nn.functional.conv_transpose2d(x + switches, weight, stride=stride or kernel, groups=x.shape[1])
    (top, left), (height, width), found = padding, output_size, full.shape
    return torch.nn.functional.pad(full, (-left, left + width - found[3], -top, top + height - found[2])) + 1


def compiled(spec: str | Path, variant: str | None = None, name: str | None = None) -> Compiled:
    """A spec, in a file or as a bundled file's name, that must be right. Those of the checkout are compiled once a
    process: no test changes such a file, nor what was compiled."""
    path = ROOT / "specs" / spec if isinstance(spec, str) else spec
    kept = any(path.is_relative_to(ROOT / folder) for folder in ("specs", "tests"))
    return (_once if kept else _compiled)(path, variant, name)


def _compiled(path: Path, variant: str | None, name: str | None) -> Compiled:
    findings = Findings()
    found = compile_spec(path, findings, variant=variant, name=name)
    findings.stop_on_errors()
    return found


_once = cache(_compiled)


def skeleton(graph: Graph) -> Graph:
    """The graph with one channel everywhere and nothing but its ways through: joins become sums."""

    def bare(node: Node) -> Node:
        if isinstance(node.op, Concat | Mul | Add):
            return replace(node, op=Add(align=node.op.align))
        if isinstance(node.op, PixelShuffle):  # the same pixels, from another channel
            return replace(node, op=Resize(factor=(node.op.factor,) * graph.rank, mode="nearest"))
        if isinstance(node.op, SpaceToDepth):  # the mean of the same pixels
            return replace(
                node, op=Pool(kind="avg", kernel=(node.op.factor,) * graph.rank, stride=(node.op.factor,) * graph.rank)
            )
        mixes = node.op.whole_image and node.op.window_on(0, [1], 0) is not None
        goes = isinstance(node.op, _NORMS) or mixes or (node.op.pointwise and not node.op.has_weights())
        return replace(node, op=Scale(factor=1.0), inputs=node.inputs[:1]) if goes else node

    return slim(replace(graph, nodes=tuple(bare(node) for node in graph.nodes)), 1)


def mixed(graph: Graph) -> Graph:
    """The graph, or its skeleton if it has shuffles or slices: of several channels those that no op mixes keep pixels
    apart, and what is said of a network does not tell channels apart."""
    return skeleton(graph) if any(isinstance(node.op, _SORTING) for node in graph.nodes) else graph


def source_of(graph: Graph, facts: Facts, about: str = "") -> dict[str, str]:
    """The files that the torch backend makes of a graph, as a model called `net`."""
    from segcompile_torch import BACKEND

    return dict(BACKEND.emit(BuildRequest("net", "Net", "net.yaml", about, {}, graph, facts, Training())).files)


def unbroken(source: str) -> str:
    """Code in which a call that stands in two or three lines stands in one."""
    return re.sub(r"([(\[])\n +(.*?)(?:\n +)?\)(?=\n|  )", r"\1\2)", source)


def load(source: str, name: str = "emitted_model") -> ModuleType:
    """A generated model.py as a module that nothing else knows."""
    module = ModuleType(name)
    module.__file__ = f"<{name}>"
    exec(compile(source, module.__file__, "exec"), vars(module))
    return module


def imported(folder: Path) -> SimpleNamespace:
    """The modules of a generated folder, as its programs import them; no later folder finds them."""
    names = sorted(path.stem for path in folder.glob("*.py"))
    others = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(folder))
    try:
        return SimpleNamespace(**{name: importlib.import_module(name) for name in names}, folder=folder)
    finally:
        sys.path.remove(str(folder))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(others)


def emitted(graph: Graph) -> Emitted:
    """The torch model of a graph. Raises SegcompileError where its shapes do not fit."""
    found = analyse_graph(graph, Findings())
    source = source_of(found.graph, found.facts)["model.py"]
    return Emitted(found.graph, found.shapes, found.facts, source, load(source))


def measure(net: Emitted, results: Mapping[str, Any], inputs: list[Any], head: str, cell: tuple[int, int]) -> Any:
    """The gradient of one output cell of a head, as one map (height, width): summed over channels and inputs."""
    import torch

    def gradient(value: Any) -> Any:
        found = torch.autograd.grad(value, inputs, retain_graph=True, allow_unused=True)
        return sum((part.abs().sum((0, 1)) for part in found if part is not None), torch.zeros_like(inputs[0][0, 0]))

    total = gradient(results[head][0, :, cell[0], cell[1]].sum())
    if not any(isinstance(node.op, Resize) for node in net.graph.nodes):
        return total
    # Interpolation weights are rounded: what should be 0 may be 1e-15 of what other cells see, and all that this sees.
    return torch.where(total > 1e-13 * gradient(results[head].sum()).max(), total, 0.0)


def measured_cells(
    net: Emitted, most: int | None = None
) -> Iterator[tuple[str, tuple[Field, ...], tuple[int, int], Any]]:
    """Every probed cell of every head whose field is known: node, its fields, cell, and its gradient's map."""
    inputs = [value.requires_grad_() for value in net.inputs()]
    results = net.outputs(*inputs)
    for head, node in net.graph.outputs.items():
        fields = net.facts[node].fields
        if all(field.sets and not field.whole for field in fields):
            for cell in probes(net.graph, net.shapes, net.facts, node, most):
                yield node, fields, cell, measure(net, results, inputs, head, cell)


def check_fields(net: Emitted, most: int | None = None) -> int:
    """Assert that in every phase (or at least `most` or so) of every head the input cells that a gradient reaches are
    those that the analysis names: along each axis, and in two dimensions. The number of phases measured."""
    import torch

    count = 0
    for node, fields, cell, gradient in measured_cells(net, most):
        found = gradient > 0
        assert found.equal(torch.from_numpy(mask(net.graph, net.shapes, node, cell))), f"{node} at {cell}\n{net.source}"
        for axis, field in enumerate(fields):
            seen, where = indices(field.at(cell[axis])), found.any(1 - axis).nonzero().flatten().tolist()
            # A path that ends along one axis is not seen along the other: the table holds all outputs of the line.
            agree = {*where} <= {*seen} if net.has_gaps(1 - axis) else where == seen
            assert agree, f"{node} at {cell} along axis {axis}: {where}, not {seen}\n{net.source}"
        count += 1
    return count


def indices(found: IndexSet | None) -> list[int]:
    """The indices of a set, in order."""
    return [] if found is None else [i for first, last in found.runs() for i in range(first, last + 1)]


def work(function: Callable[..., Any], *arguments: Any) -> int:
    """How many calls a call leads to: the same on every machine, however busy it is."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        function(*arguments)
    finally:
        sys.setprofile(before)
    return count


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Path]]:
    """Backend -> spec -> the folder that it becomes, of specs of every kind. Each is built once."""
    bundled = ("unet", "aspp", "blue_marble", "dilated_basic", "dilated_large")
    valid = ("fcn8s_layers", "residual_example", "vgg16")
    paths = [*(ROOT / f"specs/{name}.yaml" for name in bundled), *(DATA / f"valid/{name}.yaml" for name in valid)]

    @cache
    def folders(backend: str) -> dict[str, Path]:
        place = tmp_path_factory.mktemp(f"of_{backend}")
        for path in (*paths, DATA / "odd.yaml"):
            (place / path.stem).mkdir()
            for name, text in run_backend(load_backend(backend), request_for(compiled(path), path)).files.items():
                (place / path.stem / name).write_text(text, encoding="utf-8")
        return {folder.name: folder for folder in sorted(place.iterdir())}

    return folders


@pytest.fixture(scope="session")
def nets() -> SimpleNamespace:
    """The functions and constants of this file, for tests in any folder."""
    sys.dont_write_bytecode = True
    functions: list[Callable[..., Any]] = [
        compiled, slim, thin, skeleton, mixed, sized, every_layer, source_of, unbroken, load, imported, emitted,
        measure, measured_cells, check_fields, work,
    ]  # fmt: skip
    values = {"root": ROOT, "batch_norm": BatchNorm}
    return SimpleNamespace(**{function.__name__: function for function in functions}, **values)


_FORGETS = 200  # tests, after which JAX forgets what it compiled: of some thousand it keeps ten gigabytes
_done = itertools.count(1)


def pytest_runtest_teardown(item: pytest.Item) -> None:
    forget = getattr(sys.modules.get("jax"), "clear_caches", None)  # some tests put another module in its place
    if next(_done) % _FORGETS == 0 and forget is not None:
        forget()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are called by their argument: archives hold the time, and both processes must collect the same names."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A backend's trial on most of the bundled specs is long, and so is their export; of the deep ones all is."""
    for item in items:
        case = item.name.partition("[")[2].removesuffix("]")
        if (
            (item.path.name == "test_conformance.py" and _is_long(item))
            or (item.path.name == "test_export.py" and case in _late(OF_EXPORT_IN_SHORT))
            or (item.path.name == "test_paper_sizes.py" and _is_deep(case))
        ):
            item.add_marker(pytest.mark.long)


def _is_long(item: pytest.Item) -> bool:
    """Whether a check in a case, `test_conformance[gradients: act: relu]`, is left to the long tests. Names, and that
    there is code at all, cost little, unless the network is deep."""
    check, _, case = item.name.removeprefix("test_conformance[").removesuffix("]").partition(": ")
    if item.path.parent.name == "onnx":
        if check == "same bytes":
            return case != "blue_marble"
        late = _late(OF_ONNX_IN_SHORT["networks"])
        return check not in OF_ONNX_IN_SHORT["checks"] or not late.isdisjoint(_names(case))
    if check in ("emission", "names"):
        return _is_deep(case)
    if item.path.parent.name == "jax":
        if check == "gradients" and case in _others_of_their_kind():
            return True
        return check not in OF_JAX_IN_SHORT["checks"] or case in _late(OF_JAX_IN_SHORT["networks"])
    if check == "training" and case.endswith(("(signal)", "(volume)")):  # see tests/harness/test_ranks.py
        return True
    if check == "types":  # see tests/harness/test_rendered.py
        return True
    short = OF_JAX_IN_SHORT["networks"] if check == "same bytes" else IN_SHORT  # a process for each
    return case in _late(short) or (check == "receptive field" and case in LARGE)


@cache
def _others_of_their_kind() -> frozenset[str]:
    """Single layers of a key and first value that an earlier one has: `conv: 3, stride: 2` and `conv: 3 (signal)`."""
    names, kinds = [case.name for case in ops()], set[str]()
    return frozenset(name for name in names if (kind := re.split(r",| \(", name)[0]) in kinds or kinds.add(kind))


def _is_deep(case: str) -> bool:
    return not _names(case.partition(" ")[0]).isdisjoint(DEEP)


def _names(case: str) -> set[str]:
    """Of a network as it is and of the same made small, pytest makes `hrnet0` and `hrnet1`, or `denseaspp121_0`."""
    return {case, re.sub(r"_?[01]$", "", case)}


@cache
def _late(short: tuple[str, ...]) -> frozenset[str]:
    return frozenset(case.name for case in specs()) - {*short}
