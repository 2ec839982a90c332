"""A program of aten calls -> steps in ONNX's vocabulary, with the tensors and paths of the module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segcompile.importers.aten_grids import GRIDS
from segcompile.importers.aten_layers import LAYERS, Rule
from segcompile.importers.aten_shapes import SHAPES
from segcompile.importers.aten_writer import Cannot, Writer, arguments
from segcompile.importers.torch_program import Call, Program, Ref
from segcompile.text.errors import SegcompileError, fail
from segcompile.weights.onnx_graph import OnnxGraph
from segcompile.weights.onnx_values import Step

RULES: dict[str, Rule] = {**LAYERS, **SHAPES, **GRIDS}  # aten op -> how it is written; `op_`, in place, as `op`


def foreign_graph(program: Program) -> OnnxGraph:
    """The steps that a program's outputs are made of, named by the paths of their modules. Raises SegcompileError
    (SC912) with all calls that no step can say."""
    writer = Writer(program)
    calls = _live(program)
    refused = list(_clashes(program, calls))
    for call in calls:
        writer.call = call
        why = _written(writer, call)
        if why:
            refused.append((call, why))
        writer.known += [name for name in call.results if name not in writer.unwritten]
    if refused:
        raise _refusal(refused)
    for name, value in program.outputs.items():
        writer.steps.append(Step("Identity", name, (value,), (name,), {}))
    return _graph(program, writer)


def _written(writer: Writer, call: Call) -> str:
    """Write one call's steps, none of what holds no values; else why there are none."""
    if call.results and all(0 in writer.dims(result) for result in call.results):
        return ""
    name = call.op if call.op in RULES else call.op.removesuffix("_")
    if name not in RULES:
        return "no step of ONNX's is known for it"
    try:
        RULES[name](writer, arguments(call))
    except Cannot as cannot:
        return str(cannot)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError):  # an overload with other arguments
        return "it is called in a form that is not known"
    return ""


def _live(program: Program) -> list[Call]:
    """The calls that an output is made of."""
    wanted, found = {*program.outputs.values()}, []
    for call in reversed(program.calls):
        if not wanted.isdisjoint(call.results):
            wanted.update(call.refs())
            found.append(call)
    return found[::-1]


def _clashes(program: Program, live: Sequence[Call]) -> Iterator[tuple[Call, str]]:
    """The calls that change a tensor in place and cannot be taken for calls that make another one: an output or a live
    call reads the same memory later, under a name that it has from before."""
    roots: dict[str, str] = {}  # a tensor -> the one whose memory it shares
    needed = {call.name for call in live}
    reads = [(at, name) for at, call in enumerate(program.calls) if call.name in needed for name in call.refs()]
    reads += [(len(program.calls), name) for name in program.outputs.values()]
    for index, call in enumerate(program.calls):
        shared = call.arguments.get(call.changes or call.views)
        if not isinstance(shared, Ref):
            continue
        root = roots.setdefault(shared.name, shared.name)
        if call.changes:
            late = [name for at, name in reads if at > index and name != shared.name and roots.get(name) == root]
            if late:
                yield call, f"it changes memory that `{late[0]}` shares, which is read later"
        roots |= dict.fromkeys(call.results, root)


def _refusal(refused: Sequence[tuple[Call, str]]) -> SegcompileError:
    told: dict[tuple[str, str, str], list[str]] = {}
    for call, why in refused:
        told.setdefault((call.op, why, call.line), []).append(call.path)
    notes = []
    for (op, why, line), paths in told.items():
        places = f" in `{paths[0]}`" if paths[0] else ""
        more = f" and {len(paths) - 1} more times" if len(paths) > 1 else ""
        notes.append(f"{op}{places}{more}: {why}{f' ({line})' if line else ''}")
    which = "1 call" if len(refused) == 1 else f"{len(refused)} calls"
    help = "import a part of the network that does without, or write that part another way"
    return fail("SC912", f"{which} of the module cannot be imported", help=help, notes=notes)


def _graph(program: Program, writer: Writer) -> OnnxGraph:
    readers: dict[str, list[Step]] = {}
    for step in writer.steps:
        for name in dict.fromkeys(step.inputs):
            readers.setdefault(name, []).append(step)
    return OnnxGraph(
        tuple(writer.steps),
        writer.constants,
        {name: tuple(n if isinstance(n, int) else None for n in program.values[name].dims) for name in program.inputs},
        frozenset(program.outputs),
        {name: step for step in writer.steps for name in step.outputs},
        {name: tuple(found) for name, found in readers.items()},
        program.said,
        classes=program.classes,
    )
