"""Which names a network has, what they mean, and the references that are still open.

A name is declared where its layer begins and finished when the result is known; only finished names can be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from keyword import iskeyword

from segcompile.language.place import Place
from segcompile.language.words import called, like_a_name
from segcompile.network.graph import Gone, Graph, find_cycles, layer_of
from segcompile.network.splice import Fragment
from segcompile.text.errors import (
    MAX_ERRORS,
    Diagnostic,
    Findings,
    Label,
    SegcompileError,
    Span,
    did_you_mean,
    fail,
    gathering,
)
from segcompile.text.source import Node, Scalar, brief, counted

LONGEST = 200  # characters of an absolute name
_FEW = 12  # so many names are listed where none is near
_WORDS = {"input": "what enters", "above": "the layer above", "network": "the whole network"}
_HELPED = 20  # so many unknown names get a "did you mean": looking for near ones takes time


@dataclass(frozen=True, slots=True, eq=False)
class Open:
    """A reference to a name that was not finished when `reader` asked for it."""

    reader: str
    name: str
    span: Span
    place: Place
    reads: bool = True  # False: it shares its weights, and does not depend on its values


@dataclass(slots=True)
class Names:
    """All absolute names of one network, while layers are written out."""

    declared: dict[str, Span | None] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)  # finished name -> the node whose result it means
    unnamed: set[str] = field(default_factory=set)  # layers that are called by their op, with nothing written
    removed: dict[str, Span | None] = field(default_factory=dict)  # by an edit, and where that is written
    open: list[Open] = field(default_factory=list)
    inputs: tuple[str, ...] = ()  # of the network
    hidden: bool = False  # a call or loop failed that would have made names: unknown ones are no news
    broken: set[str] = field(default_factory=set)  # layers that could not be read, and what is inside them
    helped: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: Graph) -> Names:
        """The names of a network that is there."""
        layers = {name: nodes[0].origin for name, nodes in graph.layers.items()}
        declared = {scope.name: scope.span for scope in graph.scopes}
        declared |= {name: origin.span for name, origin in layers.items()}
        unnamed = {name for name, origin in layers.items() if not origin.named}
        return cls(declared, dict(graph.names), unnamed, dict(graph.gone.names), inputs=tuple(graph.inputs))

    def adopt(self, fragment: Fragment) -> None:
        """Know the names of layers that come from elsewhere."""
        new = Names.of(Graph("", {}, fragment.nodes, {}, fragment.scopes, gone=Gone(fragment.gone)))
        self.declared |= new.declared
        self.results |= new.results
        self.unnamed |= new.unnamed
        self.removed |= new.removed

    def free(self, key: str, place: Place) -> str:
        """A name for a layer without one: its op's, with a number where that is taken, or was in a scope that is there
        still: weights go by names."""
        before = self.removed if place.prefix[:-1] not in self.removed else {}
        while True:
            count = self.counts[place.prefix + key] = self.counts.get(place.prefix + key, 0) + 1
            name = key if count == 1 else f"{key}{count}"
            if place.prefix + name not in self.declared and place.prefix + name not in before:
                return name

    def declare(self, written: str, place: Place, span: Span) -> str:
        """The absolute name; refuses one that exists (SC103) or that no framework can hold (SC114)."""
        if not written.isidentifier() or not written.isascii() or iskeyword(written):
            why = "Python keeps this word" if iskeyword(written) else "letters, digits and _, a letter first"
            message = f"`{brief(written)}` cannot be a layer's name: {why}"
            raise fail("SC114", message, span, help=like_a_name(written, "layer"))
        absolute = place.prefix + written
        if len(absolute) > LONGEST:
            raise fail("SC111", f"the name `{brief(absolute)}` has more than {LONGEST} characters", span)
        if written in _WORDS:
            message = f"`{written}` is {_WORDS[written]}; no layer can be called so"
            raise fail("SC114", message, span, help="give it another name")
        if absolute in self.declared or absolute in self.results:
            raise self._taken(absolute, span)
        self.declared[absolute] = span
        return absolute

    def _taken(self, absolute: str, span: Span) -> SegcompileError:
        first = self.declared.get(absolute)
        if first == span:
            help = "put `{i}`, a loop's variable or an argument into it, or name the call of the block"
            if "{i" in span.text:
                help = "name the call of the block; or the loop's variable another way: `repeat` has an `i` of its own"
            return fail("SC103", f"this makes a layer `{absolute}` a second time", span, help=help)
        labels = [Label(first, "first made here")] if first is not None else []
        what = "a layer" if labels else "an input"
        help = "give it another name"
        return fail("SC103", f"there is already {what} `{absolute}`", span, labels=labels, help=help)

    def give_up(self, absolute: str, span: Span | None) -> None:
        """Make the name of a layer that could not be read known, so that those who refer to it are not blamed."""
        self.declared.setdefault(absolute, span)
        self.results.setdefault(absolute, absolute)
        self.broken.add(absolute)

    def gone(self, name: str, place: Place) -> list[Label]:
        """Where the layer that `name` meant was removed."""
        found = next(
            (self.removed[prefix + name] for prefix in _outwards(place) if prefix + name in self.removed), None
        )
        return [Label(found, "removed here")] if found is not None else []

    def find(self, name: str, place: Place) -> str | None:
        """The node that `name` means: looked up in this scope first, then outwards to the spec's own. A layer that was
        given no name hides none that was."""
        if name == "input" and place.input:
            return place.input
        if name.startswith("network."):
            return self._of_network(name.removeprefix("network."))
        absolute = self._absolute(name, place)
        return self.results[absolute] if absolute is not None else None

    def _absolute(self, name: str, place: Place) -> str | None:
        found = [prefix + name for prefix in _outwards(place) if prefix + name in self.results]
        named = next((absolute for absolute in found if absolute not in self.unnamed), None)
        return named or next(iter(found), None)

    def written(self, node: str) -> str:
        """A name by which every scope can refer to the result of a node."""
        return f"network.{node}" if node in self.inputs else layer_of(node)

    def _of_network(self, name: str) -> str | None:
        """An input of the network by its name; an only one is `input` as well."""
        if name == "input" and len(self.inputs) == 1:
            return self.inputs[0]
        return name if name in self.inputs else None

    def home(self, node: Scalar, place: Place) -> Place:
        """Where the name that stands in a place is looked up: an argument's where it was given, unless it means nothing
        there. A block's own layer of that name is another one."""
        given = replace(place, prefix=node.scope) if node.scope is not None else place
        return given if self.find(place.spelled(node), given) is not None else place

    def read(self, node: Node, place: Place, reader: str, above: str) -> str:
        """The node that a reference means, `above` that which the word means here; where it is not known yet, the name,
        for `settle` to report."""
        node = _one_name(node)
        name = place.spelled(node)
        found = above if name == "above" else self.find(name, self.home(node, place))
        if found is None:
            self.open.append(Open(reader, name, node.span, place))
        return found if found is not None else name

    def whose(self, node: Node, place: Place, reader: str, above: str) -> str | None:
        """The absolute name of the layer or block whose weights a reference means: looked up as `read` does, but it may
        be the reader's own. None where it is not known, for `settle` to report, or could not be read."""
        node = _one_name(node)
        name = place.spelled(node)
        if name == "above":
            return layer_of(above)
        if name == "input" or name.startswith("network."):
            return name
        place = self.home(node, place)
        nearest = (prefix + name for prefix in _outwards(place))
        near = next((absolute for absolute in nearest if absolute == reader or absolute in self.results), None)
        found = reader if near == reader else self._absolute(name, place)
        if found is None:
            self.open.append(Open(reader, name, node.span, place, reads=False))
        return None if found in self.broken else found

    def nearest(self, name: str, place: Place) -> str | None:
        """The help for an unknown name: a near one, as it would be written in this place, or all of a few."""
        if name == "input":
            named = ", ".join(f"`{known}`" for known in self.inputs)
            start = f"; this branch starts from `{_as_written(place.above, place)}`" if place.above else ""
            return f"the network has several inputs, which have names: {named}{start}"
        if name.startswith("network."):
            return f"the network's inputs: {', '.join(f'`network.{known}`' for known in self.inputs)}"
        self.helped += 1
        if self.helped > _HELPED:
            return None
        local = [word.removeprefix(place.prefix) for word in self.results]
        inside = next((word for word in reversed(local) if word.endswith(f".{name}")), None)
        if inside is not None:
            return f"`{inside}`: what is inside a block or a chain is called by both names"
        return did_you_mean(name, [*local[-1000:], "input"]) or self._here(place)

    def _meant(self, name: str, place: Place) -> str | None:
        """The help for a reference as other frameworks have it: by a number, or by what they call the input."""
        if not name.lstrip("-").isdigit():
            return called("layer", name, ("input",) if place.input else ())
        listed = f"layer{name}"  # as a table calls its column
        return (
            f"write `{listed}`" if listed in self.results else "a layer is called by its name; `above` is the one above"
        )

    def _here(self, place: Place) -> str | None:
        """The names of a scope, where these are few."""
        own = [name.removeprefix(place.prefix) for name in self.results if name.startswith(place.prefix)]
        own = [name for name in own if "." not in name]
        return f"known here: {', '.join(own)}" if 0 < len(own) <= _FEW else None

    def refuse(self, name: str, place: Place, span: Span, message: str, help: str | None = None) -> None:
        """Raise SegcompileError (SC102) for a name that means nothing, unless what it meant could not be read. `help`:
        what is known to be meant."""
        if not self.is_lost(name, place):
            gone = self.gone(name, place)
            help = None if gone else help or self.nearest(name, place)
            raise fail("SC102", message, span, labels=gone, help=help)

    def is_lost(self, name: str, place: Place) -> bool:
        """True if `name` may well have been meant to exist: what would have made it could not be read."""
        if self.hidden:
            return True
        parts = name.split(".")
        heads = [".".join(parts[:count]) for count in range(1, len(parts))]
        return any(prefix + head in self.broken for head in heads for prefix in _outwards(place))

    def settle(self, reads: Iterable[tuple[str, str]], findings: Findings) -> None:
        """Report the open references, now that every name is known: SC102, SC201 or SC205.

        `reads`: (reader, read) of all references that were found, as layers.
        """
        if not self.open:
            return
        later = [(reference, self.find(reference.name, reference.place)) for reference in self.open]
        unknown = {(reference.reader, reference.name) for reference in self.open}  # a layer elsewhere may be called so
        reads = [read for read in reads if read not in unknown]
        known = ((reference, found) for reference, found in later if found is not None and reference.reads)
        edges = [(reference.reader, layer_of(found)) for reference, found in known]
        cycles = {name: cycle for cycle in find_cycles([*reads, *edges]) for name in cycle.members}
        told: set[object] = set()
        for reference, found in later:
            if len(told) == MAX_ERRORS:
                return
            if reference.span in told:  # the same words, in another instance of their block
                continue
            told.add(reference.span)
            layer = layer_of(found) if found is not None else ""
            cycle = cycles.get(layer)
            if found is None:
                refused: list[Diagnostic] = []
                with gathering(refused):
                    message = f"there is no layer `{brief(reference.name)}`"
                    help = self._meant(reference.name, reference.place)
                    self.refuse(reference.name, reference.place, reference.span, message, help)
                findings.diagnostics += [one.called(reference.place.calls) for one in refused]
            elif cycle is not None and reference.reads and reference.reader in cycle.members:
                if id(cycle) not in told:
                    told.add(id(cycle))
                    _add(findings, reference, _cyclic(reference, layer, cycle.path))
            else:
                _add(findings, reference, _early(reference, self.declared.get(layer)))


def _one_name(node: Node) -> Scalar:
    if not isinstance(node, Scalar):
        help = "one name, for example `input`"
        raise fail("SC004", f"a layer's name is due here, not {counted(node)}", node.span, help=help)
    return node


def _outwards(place: Place) -> Iterator[str]:
    """The prefixes under which a bare name may stand, innermost first."""
    prefix = place.prefix
    while True:
        yield prefix
        if not prefix:
            return
        outer = prefix[:-1].rpartition(".")[0]
        prefix = f"{outer}." if outer else ""


def _as_written(node: str, place: Place) -> str:
    """The name of a node's layer as it may be written in a place."""
    layer = layer_of(node)
    return next(layer[len(prefix) :] for prefix in _outwards(place) if layer.startswith(prefix))


def _add(findings: Findings, reference: Open, diagnostic: Diagnostic) -> None:
    findings.diagnostics.append(diagnostic.called(reference.place.calls))


def _cyclic(reference: Open, later: str, path: tuple[str, ...]) -> Diagnostic:
    start = path.index(later) if later in path else 0
    around = " -> ".join((*path[start:], *path[:start], path[start]))
    message = f"`{reference.name}` depends on itself: {around}"
    return fail("SC201", message, reference.span, help="one of these must read another layer").diagnostics[0]


def _early(reference: Open, made: Span | None) -> Diagnostic:
    labels = [Label(made, "made here")] if made is not None else []
    message = f"`{reference.name}` is made later than it is used"
    help = "move it up: layers stand in the order of the data"
    if not reference.reads:
        help = "a layer shares the weights of one before it: write `share` at the later one"
    return fail("SC205", message, reference.span, labels=labels, help=help).diagnostics[0]
