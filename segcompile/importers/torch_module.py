"""A PyTorch module -> a graph of ours with its weights: read, written as ONNX's steps, and lifted as a file's are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from segcompile.importers.aten import foreign_graph
from segcompile.importers.lift import Imported, lift
from segcompile.importers.network_file import legal_model
from segcompile.importers.torch_export import read_module
from segcompile.importers.torch_program import Extent, Program
from segcompile.ops import SYMBOLS, AnySize, Shape
from segcompile.text.errors import Diagnostic, SegcompileError
from segcompile.weights.onnx_graph import OnnxGraph

COARSE = 32  # the stride of most backbones: at multiples of it sizes that were rounded in several ways are alike


def import_module(module: Any, inputs: Any) -> Imported:
    """The network of a torch.nn.Module, in evaluation. `inputs`: as `read_module` takes them.

    A module that says a size in a way that no layer of ours can follow is looked at once more at multiples of COARSE.
    Raises SegcompileError: SC910, SC911 (`read_module`), SC912 (`foreign_graph`), SC902 (`lift`).
    """
    program = read_module(module, inputs)
    try:
        return _lifted(module, program)
    except SegcompileError as refused:
        if not any(not isinstance(n, int) for name in program.inputs for n in program.values[name].dims[2:]):
            raise
        try:
            found = _lifted(module, read_module(module, inputs, least=COARSE))
        except SegcompileError:
            raise refused from None
        return replace(found, said=(*found.said, f"at other sizes: {refused.diagnostics[0].message}"))


def _lifted(module: Any, program: Program) -> Imported:
    name = type(module).__name__
    foreign = foreign_graph(program)
    shapes = {given: _shape(program.values[given].dims) for given in program.inputs}
    try:
        found = lift(legal_model(name), foreign, shapes, name=name)
    except SegcompileError as error:
        raise SegcompileError(_placed(each, program, foreign) for each in error.diagnostics) from None
    heads = [*program.outputs]
    if len(heads) == 1 and heads[0].isidentifier():  # of a dict, its key
        (node,) = found.graph.outputs.values()
        found = replace(found, graph=replace(found.graph, outputs={heads[0]: node}))
    return found


def _shape(dims: Sequence[Extent]) -> Shape:
    """An input's: any along an axis whose extents varied."""
    sizes = dims[2:]
    found = (n if isinstance(n, int) else AnySize(SYMBOLS[len(sizes)][axis]) for axis, n in enumerate(sizes))
    return Shape(int(str(dims[1])), tuple(found))


def _placed(found: Diagnostic, program: Program, foreign: OnnxGraph) -> Diagnostic:
    """A refusal of a step, with the line of source that made it, and no help for a command line."""
    lines = {name: call.line for call in program.calls for name in call.results if call.line}
    at = found.span.line - 1 - len(program.inputs) if found.span is not None else -1
    step = foreign.steps[at] if 0 <= at < len(foreign.steps) else None
    made = [line for name, line in lines.items() if step and step.outputs[0].partition(":")[0] in (name, name + "_")]
    notes = (*found.notes, *(f"it comes from {line}" for line in made[:1]))
    hint = None if isinstance(found.hint, str) and "--upto" in found.hint else found.hint
    return replace(found, notes=notes, hint=hint)
