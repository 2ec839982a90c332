"""Steps in ONNX's vocabulary -> a graph of ours, and its tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from segcompile.importers import cuts, mixing, resizing, shapes, values, windows, written_attention
from segcompile.importers.amounts import Unknown
from segcompile.importers.bench import Bench, Rule, Value
from segcompile.importers.cuts import cut_before
from segcompile.importers.numbers import Numbers, evaluated, numbers, of_shape
from segcompile.importers.spellings import ROOTS, spelled
from segcompile.importers.tidied import tidied
from segcompile.importers.views import Unheld, View, viewed
from segcompile.importers.written_bins import written_bins
from segcompile.importers.written_norms import written_norm
from segcompile.network.graph import Graph, Origin
from segcompile.ops import Shape
from segcompile.text.errors import Diagnostic, Label, Near, SegcompileError, SourceText, Span, fail, finding
from segcompile.weights.onnx_graph import OnnxGraph
from segcompile.weights.onnx_values import Step, array_of
from segcompile.weights.stored import Array

RULES: Mapping[str, Rule] = {
    **windows.RULES,
    **cuts.RULES,
    **shapes.RULES,
    **resizing.RULES,
    **values.RULES,
    **mixing.RULES,
    **written_attention.RULES,
}
_MOST_TOLD = 20  # steps that have no form are told one by one


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """A network that came in: its graph, its tensors in PyTorch's layout by (node, parameter), the path of the module
    that each layer belongs to where the steps say it (`scope_of`), what was left out or turned, each a line, and
    the class of the module of each path, where that is known."""

    graph: Graph
    tensors: Mapping[tuple[str, str], Array]
    scopes: Mapping[str, str]
    said: tuple[str, ...] = ()
    classes: Mapping[str, str] = field(default_factory=dict)


def lift(
    model: str,
    foreign: OnnxGraph,
    inputs: Mapping[str, Shape],
    upto: Sequence[str] = (),
    name: str = "",
    named: Label | None = None,
) -> Imported:
    """The graph that does what the steps do.

    `foreign`: steps with the meaning that ONNX's operators of its `opset` have, whoever made them: of a Conv, say, x is
    (batch, channels, ...) and the weight a constant; sizes may be reckoned by Shape, Gather, Concat and the like. Its
    `inputs` are the extents as they are declared: the first is the batch, which is free here, whatever is declared.
    `inputs`: the same names -> channels and sizes (numbers, or `AnySize` of `segcompile.ops.SYMBOLS`).
    `upto`: the values to give, in this order; by default `foreign.results`, in the order of their making. `name`: what
    messages call the program, whose text there is a line for each step; `named`: where a spec names it as its base.

    Raises SegcompileError: SC902 with all steps that the language cannot hold, SC903 for a value that nothing makes.
    """
    text = SourceText(name or model, tuple(listing(foreign, inputs)), named)
    bench = Bench(foreign, _batch(foreign))
    results = _results(foreign, upto, text)
    for at, (given, shape) in enumerate(inputs.items(), 1):
        own = bench.input(given, shape)
        bench.values[given] = viewed(own, shape, is_channels_last(foreign, given))
        bench.origins[own] = Origin(Span(text, at, 1, len(text.lines[at - 1])))
    for given, constant in foreign.constants.items():
        maker = foreign.makers.get(given)
        if (maker is None or maker.op == "Constant") and (found := array_of(constant)) is not None:
            bench.values[given] = numbers(found)
    wrong: dict[Step, Unheld] = {}
    for at, step in enumerate(foreign.steps, len(inputs) + 1):
        if not set(step.outputs) <= bench.values.keys():
            bench.origin = Origin(Span(text, at, 1, len(text.lines[at - 1])))
            _take(step, bench, wrong)
    lost = _lost(foreign, bench, results)
    if lost:
        raise SegcompileError(_told(lost, wrong, bench, text, len(inputs)))
    return _imported(model, bench, results, text)


def listing(foreign: OnnxGraph, inputs: Mapping[str, Shape]) -> Iterator[str]:
    """The program as text, a line an input and a line a step: diagnostics point there."""
    for name, shape in inputs.items():
        yield f"{name}: {shape}"
    for step in foreign.steps:
        yield f"{', '.join(filter(None, step.outputs))} = {step.op}({', '.join(step.inputs)})"


def is_channels_last(foreign: OnnxGraph, name: str) -> bool:
    """Whether an input has its channels last: all that reads it turns it to (batch, channels, ...)."""
    rank = len(foreign.inputs[name])
    turned = (0, rank - 1, *range(1, rank - 1))
    readers = [step for step in foreign.readers.get(name, ()) if step.op != "Shape"]
    return (
        rank > 2
        and bool(readers)
        and all(step.op == "Transpose" and step.integers("perm") == turned for step in readers)
    )


def _batch(foreign: OnnxGraph) -> int | None:
    """The number that the batch is in the file, if it is one."""
    found = {extents[0] for extents in foreign.inputs.values() if extents}
    return found.pop() if len(found) == 1 else None


def _results(foreign: OnnxGraph, upto: Sequence[str], text: SourceText) -> list[str]:
    """The values to give. Raises SegcompileError (SC903)."""
    for wanted in upto:
        if wanted not in foreign.makers:
            help = Near(wanted, tuple(foreign.makers), "the name of a value in the file")
            raise fail("SC903", f"nothing in {text.name} makes `{wanted}`", help=help)
    return list(upto) or [name for name in foreign.makers if name in foreign.results]


def _take(step: Step, bench: Bench, wrong: dict[Step, Unheld]) -> None:
    """What a step makes; None where it could not be lifted, and why in `wrong`, unless that follows from others."""
    found: list[Value] = [None] * len(step.outputs)
    if any(name and bench.values.get(name) is None for name in step.inputs):
        found = [_looked_back(step, bench)]
    else:
        try:
            found = _made(step, bench)
        except Unheld as why:
            wrong[step] = why
        except Unknown:
            wrong[step] = Unheld("it reckons with sizes in a way that is not followed")
        except (ArithmeticError, IndexError, ValueError, TypeError, KeyError) as error:  # settings that do not fit
            wrong[step] = Unheld(f"its settings do not fit ({str(error)[:80] or type(error).__name__})")
    bench.values.update({name: found[at] if at < len(found) else None for at, name in enumerate(step.outputs) if name})


def _looked_back(step: Step, bench: Bench) -> Value:
    """What a step makes with some before it, of which one alone has no form."""
    if step.op in ROOTS:
        return written_norm(step, bench) or spelled(step, bench)
    if step.op == "MatMul":
        return written_attention.written_attention(step, bench)
    if step.op == "Shape":
        return written_attention.shape_of_scores(step, bench)
    if step.op == "Concat":
        return written_bins(step, bench)
    try:
        return cut_before(step, bench) if step.op == "Slice" else None
    except (Unheld, Unknown, AssertionError, KeyError):
        return None


def _made(step: Step, bench: Bench) -> list[Value]:
    given = [bench.values.get(name) if name else None for name in step.inputs]
    first = given[0] if given else None
    if step.op in ("Shape", "Size") and isinstance(first, View):
        return [of_shape(step, bench.view(step).extents)]
    reckoned = [each for each in given if isinstance(each, Numbers) or each is None]
    if len(reckoned) == len(given):
        found = evaluated(step, reckoned)
        if found is None:
            raise Unheld("it makes numbers that are not reckoned here")
        return [*found]
    odd = next(
        (name for name, value in step.settings.items() if isinstance(value, float) and not isfinite(value)), None
    )
    if odd is not None and step.op != "Clip":
        raise Unheld(f"its `{odd}` is {step.settings[odd]}")
    rule = RULES.get(step.op)
    if rule is None:
        raise Unheld("the language has no such op")
    made = rule(step, bench)
    return made if isinstance(made, list) else [made]


# --- what has no form ------------------------------------------------------------------------------------------------


def _lost(foreign: OnnxGraph, bench: Bench, results: Sequence[str]) -> list[Step]:
    """The steps without which there is no result, in order."""
    todo, seen, found = list(results), set[str](), set[Step]()
    while todo:
        name = todo.pop()
        if name in seen or isinstance(bench.values.get(name), View):
            continue
        seen.add(name)
        maker = foreign.makers.get(name)
        if maker is not None and bench.values.get(name) is None:
            found.add(maker)
            todo += maker.inputs
    return [step for step in foreign.steps if step in found]


def _told(
    lost: Sequence[Step], wrong: Mapping[Step, Unheld], bench: Bench, text: SourceText, above: int
) -> Iterator[Diagnostic]:
    """SC902 for each step that has no form, and in a note how many follow from these."""
    lines = {step: at for at, step in enumerate(bench.foreign.steps, above + 1)}
    missing = {name for step in lost for name in step.outputs}
    own = [step for step in lost if step in wrong or missing.isdisjoint(step.inputs)]
    for at, step in enumerate(own[:_MOST_TOLD]):
        why = wrong.get(step, Unheld("only its first output is made here"))
        notes = [note for note in (_before(step, bench),) if note]
        if at == 0 and len(own) > _MOST_TOLD:
            notes.append(f"{_steps(len(own) - _MOST_TOLD, 'more')} no form here")
        if at == 0 and len(lost) > len(own):
            notes.append(f"{_steps(len(lost) - len(own), 'later')} not been looked at: a step before has no form")
        span = Span(text, lines[step], 1, len(text.lines[lines[step] - 1]))
        help = why.help or _help(step, bench)
        yield finding("SC902", f"{step.op} `{step.name}` cannot be held: {why.why}", span, help=help, notes=notes)


def _steps(count: int, which: str) -> str:
    return f"1 {which} step has" if count == 1 else f"{count} {which} steps have"


def _before(step: Step, bench: Bench) -> str:
    """What a step reads, as far as it could be lifted."""
    found = [name for name in step.inputs if isinstance(bench.values.get(name), View)]
    shapes = (f"`{name}` ({bench.shape(bench.seen(name).node)})" for name in dict.fromkeys(found))
    return f"it reads {', '.join(shapes)}" if found else ""


def _help(step: Step, bench: Bench) -> str | None:
    found = next((name for name in step.inputs if isinstance(bench.values.get(name), View)), None)
    if found not in bench.foreign.makers:
        return None
    return f"`segcompile import --upto {found}` takes the network up to there"


# --- the network -----------------------------------------------------------------------------------------------------


def _imported(model: str, bench: Bench, results: Sequence[str], text: SourceText) -> Imported:
    ends, said = {}, list(bench.foreign.said)
    for name in results:
        value = bench.values[name]
        if not isinstance(value, View):
            raise fail("SC903", f"`{name}` is a constant: no network gives it", help="`--upto` names another value")
        try:
            value = bench.settle(value, bench.foreign.makers[name])
        except Unheld:
            said.append(f"`{name}` is ({_axes(value)}) in {text.name}, and {bench.shape(value.node)} here")
        if value.node in bench.inputs:
            raise fail("SC903", f"`{name}` is an input, and no layer makes it", help="`--upto` names another value")
        ends[name] = value.node
    network, now = tidied(bench.made, ends.values())
    heads = bench.heads(list(ends)) if len(ends) > 1 else ["output"]
    inputs = {name: bench.inputs[name] for name in bench.inputs}
    outputs = {head: now[node] for head, node in zip(heads, ends.values(), strict=True)}
    nodes = tuple(made.node for made in network.values())
    graph = Graph(model, inputs, nodes, outputs, end=nodes[-1].name, input_origins=bench.origins).verify()
    tensors = {(made.node.name, name): array for made in network.values() for name, array in made.tensors.items()}
    scopes = {made.node.layer: made.scope for made in reversed([*network.values()]) if made.scope}  # of the main op
    return Imported(graph, tensors, scopes, tuple(said), bench.foreign.classes)


def _axes(view: View) -> str:
    return ", ".join(
        "B" if axis and axis == view.whole(0) else str(extent)
        for axis, extent in zip(view.axes, view.extents, strict=True)
    )
