"""The spec's initialisation as the statements of `reset_parameters`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segcompile.emit import Code
from segcompile.facts.facts import Facts
from segcompile.network.graph import Graph, Node
from segcompile.ops import Conv, Deconv, Init, Linear, Op

_MODULE: dict[type[Op], str] = {Conv: "nn.Conv{}d", Deconv: "nn.ConvTranspose{}d", Linear: "nn.Linear"}  # of a rank


def initialise(graph: Graph, facts: Facts, paths: Mapping[str, str]) -> list[Code]:
    """The lines of `reset_parameters`, indented from its body on; [] for a network without such weights.

    The commonest initialisation is a loop over all modules; the others follow, a layer or a whole scope at a time.
    """
    weighted = [node for node in graph.nodes if isinstance(node.op, Conv | Deconv | Linear) and node.weights is None]
    if not weighted:
        return []
    groups: dict[_Way, list[Node]] = {}
    for node in weighted:
        groups.setdefault(_Way(_init(node, facts), _transposed_he(node.op)), []).append(node)
    candidates = (
        [way for way in groups if way.anywhere] or [way for way in groups if not way.transposed] or list(groups)
    )
    usual = max(candidates, key=lambda way: len(groups[way]))
    biased = any(getattr(node.op, "bias", False) for node in weighted)
    lines = _loop("self.modules()", weighted, usual, biased)
    for way, nodes in groups.items():
        if way != usual:
            lines += _exception(way, nodes, weighted, paths)
    return lines + _frozen(weighted, paths)


def _transposed_he(op: Op) -> bool:
    """Whether an op's weight is He's of a transposed convolution, whose fan in PyTorch does not count."""
    return isinstance(op, Deconv) and op.init.scheme == "he"


@dataclass(frozen=True)
class _Way:
    """How a weight is filled; `transposed`: as He's of a transposed convolution."""

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


def _init(node: Node, facts: Facts) -> Init:
    """The layer's initialisation; an identity of unsaid groups passes on as many maps as enter."""
    assert isinstance(node.op, Conv | Deconv | Linear)
    init = node.op.init
    if init.scheme == "identity" and init.groups is None:
        return init.model_copy(update={"groups": facts[node.name].parameters[0].shape[1]})
    return init


def _kinds(nodes: list[Node]) -> str:
    ranks = {type(node.op): node.op.rank for node in nodes}
    return " | ".join(name.format(ranks[kind]) for kind, name in _MODULE.items() if kind in ranks)


def _loop(modules: str, nodes: list[Node], way: _Way, biased: bool) -> list[Code]:
    lines = [Code(f"for module in {modules}:"), Code(f"    if isinstance(module, {_kinds(nodes)}):")]
    lines.append(_inside(2, way.fill("module")))
    if biased:
        lines += [Code("        if module.bias is not None:"), Code("            nn.init.zeros_(module.bias)")]
    return lines


def _inside(depth: int, line: Code) -> Code:
    """The line, in a block of this depth."""
    return line._replace(text=f"{'    ' * depth}{line.text}")


def _exception(way: _Way, nodes: list[Node], weighted: list[Node], paths: Mapping[str, str]) -> list[Code]:
    scope = _whole_scope(nodes, weighted, paths)
    if scope is not None:
        return _loop(f"self.{scope}.modules()", nodes, way, False)
    kinds = [(kind, [node for node in nodes if type(node.op) is kind]) for kind in _MODULE]
    return [line for kind, some in kinds for line in _each([f"self.{paths[node.name]}" for node in some], kind, way)]


def _each(layers: list[str], kind: type[Op], way: _Way) -> list[Code]:
    """The statements for some layers of one kind; a variable has one type in all loops."""
    if len(layers) <= 1:
        return [way.fill(layer) for layer in layers]
    name, joined = kind.spelling, ", ".join(layers)
    head = [f"for {name} in ({joined}):"]
    if len(joined) > 79:
        head = [f"for {name} in (", *(f"    {layer}," for layer in layers), "):"]
    return [*map(Code, head), _inside(1, way.fill(name))]


def _whole_scope(nodes: list[Node], weighted: list[Node], paths: Mapping[str, str]) -> str | None:
    """The scope that holds these layers and no others, if there is one."""
    mine = {paths[node.name] for node in nodes}
    scope = paths[nodes[0].name].rpartition(".")[0]
    while scope:
        inside = {paths[node.name] for node in weighted if paths[node.name].startswith(f"{scope}.")}
        if inside == mine:
            return scope
        scope = scope.rpartition(".")[0]
    return None


def _frozen(weighted: list[Node], paths: Mapping[str, str]) -> list[Code]:
    frozen = [node for node in weighted if getattr(node.op, "frozen", False)]
    return [Code(f"self.{paths[node.name]}.requires_grad_(False)") for node in frozen]
