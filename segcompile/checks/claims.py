"""What the paper says, held against what is so: a verdict for each claim."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from segcompile.facts.facts import Facts, NodeFacts, shapes_in
from segcompile.facts.pairs import PerAxis
from segcompile.facts.shapes import infer_shapes
from segcompile.network.claims import Claim, Sizes
from segcompile.network.graph import Graph, Node
from segcompile.ops import Shape
from segcompile.text.errors import Findings


@dataclass(frozen=True, slots=True)
class Verdict:
    """A claim, and what is so: one number an axis, all the same for what has no axes. `computed` is None where it
    cannot be decided."""

    claim: Claim
    computed: PerAxis | None

    @property
    def layer(self) -> str | None:
        return self.claim.layer

    @property
    def what(self) -> str:
        return self.claim.what

    @property
    def claimed(self) -> PerAxis:
        return self.claim.number

    @property
    def ok(self) -> bool:
        return self.computed == self.claimed

    @property
    def worth(self) -> str:
        """What the claim is worth: `held`, `false` or `undecided`."""
        return "held" if self.ok else "undecided" if self.computed is None else "false"


def nodes_of(result: str | None, graph: Graph) -> tuple[Node, ...]:
    """The nodes of the layer that has a result; () for the network (None), and for what no output needs."""
    return graph.layers.get(graph.layer_of(result or ""), ())


def macs_of(nodes: Iterable[Node], facts: Facts) -> int | None:
    """Multiply-accumulates of some nodes together; None where a size is symbolic."""
    known = [facts[node.name].macs for node in nodes]
    return None if None in known else sum(macs for macs in known if macs is not None)


def judge(claims: Iterable[Claim], graph: Graph, facts: Facts) -> tuple[Verdict, ...]:
    """The verdict on every claim but those of layers that no output needs, and those of another network."""
    bench = _Bench(graph, facts, {})
    return tuple(
        Verdict(claim, bench.computed(claim))
        for claim in claims
        if (claim.layer is None or nodes_of(claim.result, graph)) and not bench.is_of_another(claim)
    )


@dataclass(frozen=True, slots=True)
class _Bench:
    """The network as it was found to be, also for other sizes of its inputs."""

    graph: Graph
    facts: Facts
    elsewhere: dict[Sizes, Mapping[str, Shape]]

    def is_of_another(self, claim: Claim) -> bool:
        """Whether a claim is of parameters that are not those here: of a `linear` that reads another map at the size
        that the claim was made for."""
        nodes = self.graph.nodes if claim.layer is None else nodes_of(claim.result, self.graph)
        read = [name for node in nodes if node.op.flattens for name in node.inputs] if claim.made_for else []
        if not read:
            return False
        before, now = self._shapes_at(claim.made_for), shapes_in(self.graph, self.facts)
        return any(before.get(name) != now[name] for name in read)

    def computed(self, claim: Claim) -> PerAxis | None:
        if claim.layer is None:
            total = self._total(claim)
            return None if total is None else (total,) * self.graph.rank
        nodes = nodes_of(claim.result, self.graph)
        if claim.elsewhere is None:
            return _computed(claim.kind, nodes, self.facts)
        sizes = tuple((name, claim.elsewhere) for name in self.graph.inputs)
        shape = self._shapes_at(sizes).get(nodes[-1].name)
        return (shape.size or None) if shape is not None else None

    def _total(self, claim: Claim) -> int | None:
        if claim.kind == "count":
            return sum(node.op.spelling in claim.ops and node.role == "main" for node in self.graph.nodes)
        if claim.kind == "macs":
            return macs_of(self.graph.nodes, self.facts)
        found = self.facts.values()
        return sum(fact.parameter_count if claim.kind == "parameters" else fact.weight_count for fact in found)

    def _shapes_at(self, sizes: Sizes) -> Mapping[str, Shape]:
        """The shapes that inputs of other sizes give; what an op refuses is missing."""
        if sizes not in self.elsewhere:
            other = dict(sizes)
            inputs = {
                name: Shape(shape.channels, other.get(name, shape.size)) for name, shape in self.graph.inputs.items()
            }
            self.elsewhere[sizes] = infer_shapes(self.graph, Findings(), inputs)
        return self.elsewhere[sizes]


def _computed(what: str, nodes: tuple[Node, ...], facts: Facts) -> PerAxis | None:
    """What is so of a layer: its own attributes for kernel and dilation, its result for the rest."""
    found = facts[nodes[-1].name]
    if what in ("kernel", "dilation", "offset"):
        value = getattr(nodes[0].op, what, None)
        return value if isinstance(value, tuple) else None
    if what == "parameters":
        return (sum(facts[node.name].parameter_count for node in nodes),) * len(found.fields)
    if what == "macs":
        macs = macs_of(nodes, facts)
        return None if macs is None else (macs,) * len(found.fields)
    return _OF_RESULT[what](found)


def _receptive_field(found: NodeFacts) -> tuple[int, ...] | None:
    known = tuple(extent for extent in found.receptive_field if extent is not None)
    return known if len(known) == len(found.fields) else None


def _stride(found: NodeFacts) -> tuple[Fraction, ...] | None:
    known = tuple(step for step in found.stride if step is not None)
    return known if len(known) == len(found.stride) else None


def _margin(found: NodeFacts) -> PerAxis | None:
    """(receptive field - stride) / 2: what a side of the input loses, Yu & Koltun (2016), section 5."""
    field, stride = _receptive_field(found), _stride(found)
    if field is None or stride is None:
        return None
    return tuple(Fraction(size - step) / 2 for size, step in zip(field, stride, strict=True))


def _size(found: NodeFacts) -> PerAxis | None:
    return found.shape.size or None


_OF_RESULT: Mapping[str, Callable[[NodeFacts], PerAxis | None]] = {
    "receptive_field": _receptive_field,
    "stride": _stride,
    "margin": _margin,
    "size": _size,
    "channels": lambda found: (found.shape.channels,) * len(found.fields),
}
