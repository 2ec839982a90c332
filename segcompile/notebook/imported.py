"""A network that was imported, and what is true of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcompile.compiler import analyse_graph
from segcompile.facts.facts import Facts
from segcompile.facts.sizes import Sizes
from segcompile.language.telling import Modules
from segcompile.network.graph import Graph
from segcompile.notebook.layer import LayerField
from segcompile.notebook.network import ReceptiveField, field_view
from segcompile.text.errors import Findings

if TYPE_CHECKING:
    from segcompile.restate import Restated
    from segcompile.weights.stored import Array


@dataclass(frozen=True, eq=False, repr=False)
class ImportedNetwork:
    """A network of another tool as a graph of ours.

    `tensors`: (node, parameter) -> array in PyTorch's layout; `scopes`: layer -> the path of its module; `classes`:
    path of a module -> its class; `sizes`: of the image that it takes, along each axis, None where that is a number;
    `said`: how it was read, each a line.
    """

    graph: Graph
    tensors: Mapping[tuple[str, str], Array]
    scopes: Mapping[str, str]
    classes: Mapping[str, str]
    facts: Facts
    sizes: Sizes
    said: tuple[str, ...]
    receptive_field: ReceptiveField

    def __getitem__(self, name: str) -> LayerField:
        """The layer, or the output head, of that name. Raises SegcompileError (SC102)."""
        return self.receptive_field[name]

    def write(self, out: str | Path, weights: str | Path | None = None) -> None:
        """The network as a readable spec, in a file that is not there yet, and its weights as a file of safetensors,
        which the spec's models load.

        Raises SegcompileError (SC013) for a file that cannot be written, and writes neither then.
        """
        from segcompile.restate import restate, restated_weights  # a network that is only looked at is not restated
        from segcompile.weights.writing import check_target, write_weights

        target = Path(weights) if weights is not None else None
        if target is not None:
            check_target(target)

        def bring(stated: Restated) -> None:
            if target is not None:
                values = restated_weights(stated, self.graph, self.tensors)
                write_weights(target, stated.compiled.model, values, (), {})

        modules = Modules(self.scopes, self.classes)
        restate(self.graph, self.facts, Path(out), modules=modules, before=bring)

    def __repr__(self) -> str:
        said = "".join(f"\n  {line}" for line in self.said)
        return f"{self.receptive_field!r}{said}"

    def _repr_html_(self) -> str:
        return self.receptive_field._repr_html_()


def from_torch(module: Any, inputs: Any) -> ImportedNetwork:
    """The network of a torch.nn.Module, in evaluation, for any size of the image that it takes.

    `inputs`: an example tensor, or a shape as (1, 3, 224, 224), of a size that the module takes; or several in a list,
    or in a dict by the names of forward's arguments. The module is exported (torch.export) at four sizes, is not run,
    and is left as it was. Raises SegcompileError with all that cannot be held (SC902, SC910 to SC912).
    """
    from segcompile.importers.torch_module import import_module  # numpy: a spec does not need it

    found = import_module(module, inputs)
    findings = Findings()
    subject = analyse_graph(found.graph, findings)
    field = field_view(found.graph.model, subject.graph, subject.facts, findings)
    return ImportedNetwork(
        subject.graph, found.tensors, found.scopes, found.classes, subject.facts, subject.sizes, found.said, field
    )
