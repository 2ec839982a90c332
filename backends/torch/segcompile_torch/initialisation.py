"""The spec's initialisation as the statements that end the model's constructor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from segcompile.emit import Code
from segcompile.facts.facts import Facts
from segcompile.network.graph import Graph, Node
from segcompile.ops import Attending, Conv, Deconv, Init, Linear

_MODULE = {"conv": "nn.Conv{}d", "deconv": "nn.ConvTranspose{}d", "linear": "nn.Linear"}  # of a rank


def initialise(graph: Graph, facts: Facts, paths: Mapping[str, str]) -> list[Code]:
    """The lines that end the model's constructor; [] for a network without such weights.

    The commonest initialisation is a loop over all modules; the others follow, a layer or a whole scope at a time.
    """
    frozen = [node for node in graph.nodes if getattr(node.op, "frozen", False) and node.weights is None]
    kept = [Code(f"self.{paths[node.name]}.requires_grad_(False)") for node in frozen]
    kernels = [kernel for node in graph.nodes for kernel in _kernels(node, facts, paths)]
    return (_filled(kernels) if kernels else []) + kept


def _filled(kernels: Sequence[_Kernel]) -> list[Code]:
    groups: dict[_Way, list[_Kernel]] = {}
    for kernel in kernels:
        groups.setdefault(kernel.way, []).append(kernel)
    candidates = (
        [way for way in groups if way.anywhere] or [way for way in groups if not way.transposed] or list(groups)
    )
    usual = max(candidates, key=lambda way: len(groups[way]))
    biased = any(kernel.biased for kernel in kernels)
    lines = _loop("self.modules()", kernels, usual, biased)
    lines[0] = Code(f"{lines[0].text}  # the spec's initial weights{'; biases start at zero' if biased else ''}")
    for way, own in groups.items():
        if way != usual:
            lines += _exception(way, own, kernels)
    return lines


@dataclass(frozen=True)
class _Kernel:
    """A module of the model with a kernel: where it lies, what it is (`conv`), and its class in PyTorch."""

    path: str
    kind: str
    module: str
    way: _Way
    biased: bool


def _kernels(node: Node, facts: Facts, paths: Mapping[str, str]) -> Iterator[_Kernel]:
    """Those of one node: an attention has several, each a module of its own."""
    op = node.op
    if not isinstance(op, Attending | Conv | Deconv | Linear):
        return
    tensors = {tensor.name: tensor for tensor in facts[node.name].parameters}
    for name, tensor in tensors.items():
        layer, _, role = f"{paths[node.name]}.{name}".rpartition(".")
        if role == "weight" and len(tensor.shape) > 1:
            axes = len(tensor.shape) - 2
            kind = "deconv" if isinstance(op, Deconv) else "conv" if axes else "linear"
            init, transposed = tensor.init, kind == "deconv" and tensor.init.scheme == "he"
            if init.scheme == "identity" and init.groups is None:  # it passes on as many maps as enter
                init = init.model_copy(update={"groups": tensor.shape[1]})
            biased = f"{name.removesuffix('weight')}bias" in tensors
            yield _Kernel(layer, kind, _MODULE[kind].format(axes), _Way(init, transposed), biased)


@dataclass(frozen=True)
class _Way:
    """How a weight is filled; `transposed`: as He's of a transposed convolution, by another fan than PyTorch's."""

    init: Init
    transposed: bool

    @property
    def anywhere(self) -> bool:
        """Whether it can fill the weight of any layer."""
        return not self.transposed and self.init.scheme not in ("identity", "bilinear")

    def fill(self, layer: str) -> Code:
        """The call that fills the weight of a layer."""
        init, weight = self.init, f"{layer}.weight"
        if self.transposed:
            return Code(f"he_({layer})", {"he_"})
        if init.scheme == "identity":
            std = "" if init.std is None else f", std={init.std!r}"
            return Code(f"identity_({weight}, groups={init.groups}{std})", {"identity_"})
        if init.scheme == "normal":
            return Code(f"nn.init.normal_({weight}, std={init.std!r})")
        if init.scheme == "constant":
            return Code(f"nn.init.constant_({weight}, {init.value!r})")
        if init.scheme == "bilinear":
            return Code(f"bilinear_({weight})", {"bilinear_"})
        function = {"he": "kaiming_normal_", "xavier": "xavier_uniform_", "zeros": "zeros_"}[init.scheme]
        return Code(f"nn.init.{function}({weight})")


def _loop(modules: str, kernels: Sequence[_Kernel], way: _Way, biased: bool) -> list[Code]:
    classes = {kernel.module: [*_MODULE].index(kernel.kind) for kernel in kernels}
    listed = " | ".join(sorted(classes, key=lambda name: (classes[name], name)))
    lines = [Code(f"for module in {modules}:"), Code(f"    if isinstance(module, {listed}):")]
    lines.append(_inside(2, way.fill("module")))
    if biased:
        lines += [Code("        if module.bias is not None:"), Code("            nn.init.zeros_(module.bias)")]
    return lines


def _inside(depth: int, line: Code) -> Code:
    """The line, in a block of this depth."""
    return line._replace(text=f"{'    ' * depth}{line.text}")


def _exception(way: _Way, own: Sequence[_Kernel], kernels: Sequence[_Kernel]) -> list[Code]:
    scope = _whole_scope({kernel.path for kernel in own}, {kernel.path for kernel in kernels})
    if scope is not None:
        return _loop(f"self.{scope}.modules()", own, way, False)
    kinds = [(kind, [f"self.{kernel.path}" for kernel in own if kernel.kind == kind]) for kind in _MODULE]
    return [line for kind, layers in kinds for line in _each(layers, kind, way)]


def _each(layers: list[str], name: str, way: _Way) -> list[Code]:
    """The statements for some layers of one kind; a variable has one type in all loops."""
    if len(layers) <= 1:
        return [way.fill(layer) for layer in layers]
    joined = ", ".join(layers)
    head = [f"for {name} in ({joined}):"]
    if len(joined) > 79:
        head = [f"for {name} in (", *(f"    {layer}," for layer in layers), "):"]
    return [*map(Code, head), _inside(1, way.fill(name))]


def _whole_scope(mine: set[str], every: set[str]) -> str | None:
    """The scope that holds these layers and no others, if there is one."""
    scope = min(mine).rpartition(".")[0]
    while scope:
        if {path for path in every if path.startswith(f"{scope}.")} == mine:
            return scope
        scope = scope.rpartition(".")[0]
    return None
