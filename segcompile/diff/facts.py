"""What two specs say of themselves as a whole: what enters, what comes out, what it sees, what is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from segcompile.compiler import Compiled
from segcompile.diff.pairing import counterparts
from segcompile.facts.facts import NodeFacts
from segcompile.facts.pairs import show
from segcompile.ops import LINES
from segcompile.show.architecture import field_text


@dataclass(frozen=True, slots=True)
class Fact:
    """One of these things, in both specs, and whether it is the same."""

    what: str
    a: str | int
    b: str | int
    same: bool


def facts_of(a: Compiled, b: Compiled) -> Iterator[Fact]:
    """In the order in which they matter."""
    one, other = a.graph, b.graph
    for word, mine, theirs in (("inputs", one.inputs, other.inputs), ("outputs", one.outputs, other.outputs)):
        if len(mine) != len(theirs):
            yield _fact(word, ", ".join(mine), ", ".join(theirs))
    for name, twin in counterparts(one.inputs, other.inputs).items():
        what = f"input {name}" if len(one.inputs) > 1 else "input"
        yield _fact(what, str(one.inputs[name]), str(other.inputs[twin]))
    if one.takes_any_size or other.takes_any_size:
        yield _fact("sizes", _sizes(a), _sizes(b))
    for head, twin in counterparts(one.outputs, other.outputs).items():
        of = f" of {head}" if len(one.outputs) > 1 else ""
        found = a.facts[one.outputs[head]], b.facts[other.outputs[twin]]
        yield _fact(f"output{of}", *(str(fact.shape) for fact in found))
        yield _field(f"receptive field{of}", (a, b), found)
        yield _fact(f"stride{of}", *("varies" if None in fact.stride else show(fact.stride) for fact in found))
    yield _fact("parameters", a.cost(one.nodes)[0], b.cost(other.nodes)[0])


def _fact(what: str, a: str | int, b: str | int) -> Fact:
    return Fact(what, a, b, a == b)


def _sizes(compiled: Compiled) -> str:
    """Those that the network takes."""
    known = [found.legal for found in compiled.sizes if found is not None]
    alike = len({legal.least for legal in known}) == 1
    return "; ".join(str(legal) for legal in (known[:1] if alike else known)) or "one"


def _field(what: str, specs: tuple[Compiled, Compiled], found: tuple[NodeFacts, NodeFacts]) -> Fact:
    """Equal if every phase sees the same pixels; where the extents are the same, others say where they start, and then
    what the first output sees that does not see the same."""
    texts = [field_text(fact, compiled) for fact, compiled in zip(found, specs, strict=True)]
    same = found[0].fields == found[1].fields
    if texts[0] == texts[1] and not same:
        starts = [_start(fact) for fact in found]
        more = [f"from {start}" for start in starts] if starts[0] != starts[1] else _first_apart(*found)
        texts = [f"{text} {end}" for text, end in zip(texts, more, strict=True)]
    return Fact(what, texts[0], texts[1], same)


def _first_apart(a: NodeFacts, b: NodeFacts) -> list[str]:
    """What the first output sees, along the first axis, that does not see the same in both."""
    for lines, *pair in zip(LINES[len(a.fields)], a.fields, b.fields, strict=True):
        line = lines.removesuffix("s")
        for index in range(2 * max(field.period for field in pair)):
            seen = [field.at(index) for field in pair]
            if seen[0] != seen[1]:
                return [f"({line} {index} sees {found or 'nothing'})" for found in seen]
    return ["", ""]


def _start(fact: NodeFacts) -> str:
    """The first pixel that output 0 sees, up and left."""
    seen = [field.at(0) if field.sets else None for field in fact.fields]
    first = tuple(None if found is None else found.low for found in seen)
    return show(first) if len(set(first)) == 1 else ",".join(map(str, first))
