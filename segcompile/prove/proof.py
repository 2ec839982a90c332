"""`prove(A, B)`: are two networks equal for all weights and all images, in exact arithmetic? Where both are files with
their numbers, for these and all images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from segcompile.facts.fit import fit
from segcompile.facts.shapes import of_any_size
from segcompile.facts.sizes import Sizes
from segcompile.network.graph import Graph
from segcompile.ops import AnySize, Shape, Undecidable
from segcompile.passes import normalise
from segcompile.passes.lowerings import lower
from segcompile.prove.causes import Parting, find_parting
from segcompile.prove.pairing import Known, Tensors, lowered, pair
from segcompile.prove.sizes import ImageSize, Taken, fingerprint_size
from segcompile.prove.sweep import Swept, sweep
from segcompile.prove.terms import Side, Terms, add_side
from segcompile.prove.weights import Weights
from segcompile.prove.witness import Witness, find_witness
from segcompile.text.errors import Findings, SegcompileError, fail


class Answer(StrEnum):
    PROVED = "proved"
    REFUTED = "refuted"
    UNDECIDED = "not decided"


@dataclass(frozen=True, slots=True)
class Proof:
    """An answer, and what it rests on.

    `sizes`: those of the image that it holds for; None: all that both networks take, `taken`. `bound`: of the chance
    that something that was found equal is not, over the seeds; `runs` were made. `merged`: of how many layers of the
    second network the first one has an equal. `alone`: weights of each network that the other has not. `numbers`: the
    weights are not any, but those that both hold. `unbounded`: the networks are alike at `parts_at`, and
    the chance that this is wrong cannot be bounded.
    """

    answer: Answer
    taken: Taken
    unlike: tuple[str, ...]  # what one of them takes only
    sizes: tuple[ImageSize, ...] | None
    bound: float
    seeds: int
    runs: int
    layers: tuple[int, int]  # layers of the second network that the first has an equal of, and all of them
    alone: tuple[tuple[str, ...], tuple[str, ...]]
    numbers: bool
    witness: Witness | None = None
    parting: Parting | None = None
    parts_at: ImageSize | None = None
    unbounded: bool = False


def prove(
    first: Graph,
    second: Graph,
    names: Path | None = None,
    lowerings: Sequence[str] = (),
    say: Callable[[str], None] = lambda text: None,
    known: Known | None = None,
    size: ImageSize | None = None,
    tensors: tuple[Tensors | None, Tensors | None] = (None, None),
) -> Proof:
    """Compare two networks as they are written, the second one after `lowerings`. Weights are paired by their names in
    the state dict, or by the file `names`; or as it is `known`. `size`: of the only image that is asked about.
    `tensors`: what a network that is a file holds; where both are, and no `names` are given, weights are these numbers.

    Raises SegcompileError: SC920 for networks that cannot be compared, SC807 for what is wrong with the names.
    """
    inputs, heads = _paired_inputs(first, second), _paired_heads(first, second)
    graphs, shapes, taken, unlike = _of_both_sizes(first, second, inputs)
    taken = taken if size is None else Taken(size)
    paired = pair(graphs, shapes, names, known, tensors)
    sides = (Side(graphs[0], shapes[0], paired.first), _lowered(graphs[1], shapes[1], paired.second, lowerings))
    swept = sweep(
        sides,
        inputs,
        {name: (sides[0].graph.outputs[a], sides[1].graph.outputs[b]) for name, (a, b) in heads.items()},
        taken,
        say,
    )
    found = Proof(
        Answer.PROVED if not swept.parted else Answer.UNDECIDED,
        taken,
        unlike,
        _sizes(swept, taken),
        swept.judge.bound,
        swept.judge.seeds,
        swept.judge.runs,
        _merged(swept, sides[1]),
        paired.alone,
        paired.numbers,
    )
    return _refuted(found, sides, inputs, swept, heads) if swept.parted else found


def _refuted(
    found: Proof,
    sides: tuple[Side, Side],
    inputs: tuple[Sequence[str], Sequence[str]],
    swept: Swept,
    heads: Mapping[str, tuple[str, str]],
) -> Proof:
    """The proof with a witness, if there is one; and with the layers that part in any case."""
    plain = Terms()
    places = [add_side(plain, side, names) for side, names in zip(sides, inputs, strict=True)]
    nodes = {
        name: (sides[0].graph.outputs[heads[name][0]], sides[1].graph.outputs[heads[name][1]]) for name in swept.parted
    }
    pairs = {name: (places[0][a], places[1][b]) for name, (a, b) in nodes.items()}
    parted = [*swept.parted.values()]
    parts_at = [verdict.parts_at for verdict in parted if verdict.parts_at is not None]
    cone = plain.cone(index for pair in pairs.values() for index in pair)
    few = fingerprint_size(plain, cone, found.taken)
    witness = find_witness(plain, pairs, [*parts_at, found.taken.least, few])
    name = witness.output if witness is not None else next(iter(nodes))
    parting = find_parting(sides, swept.places, nodes[name])
    answer = Answer.REFUTED if witness is not None else Answer.UNDECIDED
    return replace(
        found,
        answer=answer,
        witness=witness,
        parting=parting,
        parts_at=parts_at[0],
        unbounded=parted[0].unbounded,
        sizes=None,
    )


def _merged(swept: Swept, side: Side) -> tuple[int, int]:
    there = {*swept.places[0].values()}
    return sum(swept.places[1][node.name] in there for node in side.graph.nodes), len(side.graph.nodes)


def _sizes(swept: Swept, taken: Taken) -> tuple[ImageSize, ...] | None:
    """The sizes at which all hold that do not hold at every size."""
    few = [verdict.sizes for verdict in swept.verdicts if not verdict.whole]
    if not few:
        return None if taken.fixed is None else (taken.fixed,)
    return tuple(size for size in few[0] if all(size in other for other in few[1:]))


# --- what is compared ------------------------------------------------------------------------------------------------


def _paired_inputs(first: Graph, second: Graph) -> tuple[list[str], list[str]]:
    """The inputs of both, by name or, where these differ, by place. Raises SegcompileError (SC920)."""
    one, other = list(first.inputs), list(second.inputs)
    if len(one) != len(other):
        message = f"`{first.model}` has {len(one)} inputs, and `{second.model}` has {len(other)}"
        raise fail("SC920", message, help="compare networks of the same inputs")
    if {*one} == {*other}:
        other = one
    for a, b in zip(one, other, strict=True):
        shapes = first.inputs[a], second.inputs[b]
        if shapes[0].channels != shapes[1].channels or len(shapes[0].size) != len(shapes[1].size):
            message = f"`{a}` of `{first.model}` is {shapes[0]}, and `{b}` of `{second.model}` is {shapes[1]}"
            raise fail("SC920", message, help="compare networks of the same inputs")
    return one, other


def _paired_heads(first: Graph, second: Graph) -> dict[str, tuple[str, str]]:
    """Output -> what it is called in both networks. Raises SegcompileError (SC920)."""
    one, other = list(first.outputs), list(second.outputs)
    if {*one} == {*other}:
        return {name: (name, name) for name in one}
    if len(one) == len(other) == 1:
        return {one[0]: (one[0], other[0])}
    listed = (", ".join(f"`{name}`" for name in names) for names in (one, other))
    message = f"the outputs of `{first.model}` are {next(listed)}, and those of `{second.model}` are {next(listed)}"
    raise fail("SC920", message, help="name the same `outputs` in both")


_Shapes = dict[str, Shape]


def _of_both_sizes(
    first: Graph, second: Graph, inputs: tuple[Sequence[str], Sequence[str]]
) -> tuple[tuple[Graph, Graph], tuple[_Shapes, _Shapes], Taken, tuple[str, ...]]:
    """Both networks at every size that both take; where one takes only its own, at that."""
    free = [_fitted(of_any_size(graph)) for graph in (first, second)]
    known = [each for each in free if each is not None and all(axis is not None for axis in each[2])]
    if len(known) == 2 and first.rank:
        (a, shapes_a, sizes_a), (b, shapes_b, sizes_b) = known
        alike = all(shapes_a[x] == shapes_b[y] for x, y in zip(*inputs, strict=True))
        if alike and (taken := _common(sizes_a, sizes_b)) is not None:
            return (a, b), (shapes_a, shapes_b), taken, tuple(_unlike(first, second, sizes_a, sizes_b))
    given = next((graph for graph in (first, second) if not graph.takes_any_size), None)
    if given is None:
        message = f"no size is taken by both `{first.model}` and `{second.model}`"
        raise fail("SC920", message, help="`segcompile sizes` lists those that each takes")
    shapes = [given.inputs[name] for name in inputs[(first, second).index(given)]]
    graphs, known_shapes = [], []
    for graph, names in zip((first, second), inputs, strict=True):
        findings = Findings()
        at_size = normalise(replace(graph, inputs=dict(zip(names, shapes, strict=True))), findings)
        graphs.append(at_size)
        known_shapes.append(fit(at_size, findings)[0])
    fixed = tuple(size for size in shapes[0].size if not isinstance(size, AnySize))
    return (graphs[0], graphs[1]), (known_shapes[0], known_shapes[1]), Taken(fixed), ()


def _fitted(graph: Graph) -> tuple[Graph, _Shapes, Sizes] | None:
    """A graph of any size after NORMAL, its shapes and sizes; None where they cannot be written down."""
    findings = Findings()
    try:
        graph = normalise(graph, findings)
        return graph, *fit(graph, findings)
    except SegcompileError:
        return None


def _common(first: Sizes, second: Sizes) -> Taken | None:
    legal = []
    for one, other in zip(first, second, strict=True):
        assert one is not None and other is not None
        try:
            legal.append(one.legal & other.legal)
        except Undecidable:
            return None
    return Taken(None, tuple(legal)) if all(axis.residues for axis in legal) else None


def _unlike(first: Graph, second: Graph, one: Sizes, other: Sizes) -> Iterator[str]:
    for a, b in zip(one, other, strict=True):
        if a is not None and b is not None and a.legal != b.legal:
            yield f"`{first.model}` takes {a.legal}, and `{second.model}` takes {b.legal}"


def _lowered(graph: Graph, shapes: _Shapes, weights: Mapping[str, Weights], lowerings: Sequence[str]) -> Side:
    if not lowerings:
        return Side(graph, shapes, weights)
    edited = lower(graph, lowerings)
    return Side(edited.graph, fit(edited.graph, Findings())[0], lowered(edited, graph, weights))
