"""Which networks' weights a spec can take over: its own, those of its bases, and those of the specs that it uses.

One rule: a layer keeps its name, and with it its weights; where the shape changed it starts fresh; a linear layer made
a convolution is reshaped, and a convolution of an image with more channels starts on the new ones as the mean of the
others (as FCN's release starts conv1_1 for colour and depth).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segcompile.compiler import Compiled, compile_spec
from segcompile.facts.module_names import places, scope_path
from segcompile.network.scope_tree import ScopeTree
from segcompile.text.errors import Findings
from segcompile.weights.parameters import Tensor, reads_image, tensors


@dataclass(frozen=True, slots=True)
class Origin:
    """A network whose weights have their places in a spec: in the whole of it, or in the scope `into` of a `use`."""

    model: str
    into: str
    prefix: str  # of the names that its parameters have in the spec
    shapes: Mapping[str, tuple[int, ...]]  # of its parameters
    kernels: frozenset[str]  # the parameters that read all channels of an image
    shared: Mapping[str, str]  # where the parameters of a layer that shares them would lie -> where they lie

    def named(self, tensor: Tensor) -> str | None:
        """The origin's own name for a parameter of the spec, if it lies in the scope and the origin has it."""
        layer, _, own = tensor.name.removeprefix(self.prefix).rpartition(".")
        name = f"{self.shared.get(layer, layer)}.{own}"
        return name if self.covers(tensor) and name in self.shapes else None

    def covers(self, tensor: Tensor) -> bool:
        return tensor.name.startswith(self.prefix)

    @property
    def title(self) -> str:
        return f"{self.model} in `{self.into}`" if self.into else self.model


def origins(compiled: Compiled) -> tuple[Origin, ...]:
    """The spec itself, then its bases, the nearest first, then the specs it uses, each with its bases."""
    found = [_origin(compiled), *map(_origin, _bases(compiled))]
    tree = ScopeTree(compiled.graph, with_switches=False)
    for use in compiled.spec.uses:
        document = use.call.document
        values = {name: value for name, value in use.call.values.items() if isinstance(value, int)}
        alone = _compile(document.path, document.variant, values)
        prefix = f"{scope_path(tree, use.name)}." if use.name in tree.scopes else f"{use.name}."
        found += [_origin(network, use.name, prefix) for network in (alone, *_bases(alone))]
    return tuple(found)


def parents(compiled: Compiled, every: Sequence[Origin]) -> list[Origin]:
    """Those whose weights the spec starts from: the nearest base, otherwise the specs that it uses itself."""
    found: list[Origin] = []
    for origin in every[1:]:
        if not any(f"{origin.into}.".startswith(f"{other.into}.") for other in found):
            found.append(origin)
    whole = [origin for origin in found if not origin.into]
    return whole or found


def _origin(compiled: Compiled, into: str = "", prefix: str = "") -> Origin:
    every = list(tensors(compiled.graph, compiled.facts))
    kernels = frozenset(tensor.name for tensor in every if reads_image(tensor, compiled.graph))
    found = places(ScopeTree(compiled.graph, with_switches=False))
    shared = {found[node.name]: found[node.owner] for node in compiled.graph.nodes if node.weights is not None}
    return Origin(compiled.model, into, prefix, {tensor.name: tensor.shape for tensor in every}, kernels, shared)


def _bases(compiled: Compiled) -> Iterator[Compiled]:
    while compiled.document.base is not None:
        path, variant = compiled.document.base
        compiled = _compile(path, variant, {})
        yield compiled


def _compile(path: Path, variant: str | None, values: Mapping[str, int]) -> Compiled:
    """A spec that another one rests on, with the parameters it was given. What is wrong with it was said there."""
    return compile_spec(path, Findings(), variant=variant, overrides=values)
