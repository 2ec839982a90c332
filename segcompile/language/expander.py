"""Lists of layers written out: names made absolute, blocks, loops, used specs and inline branches unfolded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from segcompile.language.attributes import CALLS, JOINS, Read, layers_read, read_carried, read_op
from segcompile.language.calls import Library, SpecCall, find_block, read_block, read_target
from segcompile.language.channels import WORD, Channels, reads_channels
from segcompile.language.expressions import filled_in, format_name
from segcompile.language.items import body_op, list_under, refuse_loose, split
from segcompile.language.ledger import MAX_BRANCHES, MAX_LAYERS, Ledger
from segcompile.language.loops import Loops, is_loop
from segcompile.language.names import LONGEST, Names
from segcompile.language.passing import passed_into
from segcompile.language.place import Place
from segcompile.language.sharing import Owners
from segcompile.language.values import is_name, read_natural
from segcompile.network.graph import Graph, Origin, Role, Scope, layer_of
from segcompile.network.graph import Node as GraphNode
from segcompile.network.splice import Fragment, embedded
from segcompile.ops import Op
from segcompile.text.errors import Diagnostic, SegcompileError, Span, fail, stop_on
from segcompile.text.source import Mapping, Node, Scalar, Sequence, brief, describe


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A spec used as a layer: it is compiled alone as well, so that its own claims are checked."""

    name: str  # of its scope
    call: SpecCall
    target: Span
    made: Span  # where the scope got its name


@dataclass(frozen=True, slots=True, eq=False)
class Used:
    """The whole network of a used spec, edited, and the specs that it uses itself."""

    graph: Graph
    uses: tuple[Use, ...]


@dataclass(slots=True)
class Expander:
    """Fills `nodes`, `scopes` and `uses`, in the order of the data. All results are nodes or inputs, by name."""

    library: Library
    ledger: Ledger
    loops: Loops
    used: Callable[[SpecCall], Used]  # the whole network of another spec
    channels: Channels
    owners: Owners
    nodes: list[GraphNode] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)

    @property
    def names(self) -> Names:
        return self.owners.names

    def expand_list(self, items: Sequence, place: Place, above: str) -> str:
        """Write out a list of layers, the first one reading `above`; returns the last one's result.

        Goes on behind a mistake, so that one run shows them all. Raises Stop.
        """
        for item in items.items:
            self.ledger.step(item.span)
            try:
                above = self._item(item, place, above)
            except SegcompileError as error:
                self.ledger.report(error.diagnostics, place)
                above = self._give_up(item, place, above)
        return above

    def _item(self, item: Node, place: Place, above: str) -> str:
        if is_loop(item):
            for inside in self.loops.turns(item, place, "layers"):
                above = self.expand_list(list_under(item, "layers"), inside, above)
            return above
        name, body = split(item)
        if isinstance(body, Mapping):
            calls = not body.entries.keys().isdisjoint(CALLS)  # which take arguments as they are
            return self._repeated(name, body if calls else passed_into(body, place.passed), place, above)
        assert name is not None  # `split` gives a list a name
        return self._chain(name, body, place, above)

    def _repeated(self, name: Scalar | None, body: Mapping, place: Place, above: str) -> str:
        """One layer, a stack of them, or none: that stands for what it would have read. `from` is where a stack starts,
        unless it says `{i}`."""
        blocks = place.document.section("blocks")
        key = body_op(name, body, blocks.entries if blocks is not None else ())
        if key in JOINS:
            refuse_loose(key, body)
        start = body.get("from")
        if start is not None and key in JOINS:
            raise fail("SC011", f"`{key}` names its inputs itself", body.key("from").span, help=f"`{key}: [a, b]`")
        repeat = body.get("repeat")
        own = isinstance(start, Scalar) and "i" in filled_in(start.text)
        first = above
        if repeat is not None and start is not None and not own:
            reader = place.prefix + (name.text if name is not None else key)
            first = self.names.read(start, place, reader, place.above or above)
        times = self._times(repeat, place, "" if own or key in JOINS else first)
        if times > 1 and name is not None and "{" not in name.text:
            help = f'`"{name.text}{{i}}"`; i counts from 1'
            raise fail("SC103", f"`{name.text}` would be made {times} times", name.span, help=help)
        if times == 0:
            return first
        for i in range(1, times + 1):
            inside = place.where(body.span, i=i) if repeat is not None else place
            self.ledger.step((repeat or body).span)
            above = self._layer(key, name, body, inside, above, start if i == 1 or own else None)
        return above

    def _times(self, repeat: Node | None, place: Place, first: str) -> int:
        """How often a layer is made. `first`: the node that the first one reads; "" where that is not known yet, and
        `channels` means nothing."""
        if repeat is None:
            return 1
        times = read_natural(repeat, (self._with_channels(place, first, repeat) if first else place).values)
        if times > MAX_LAYERS:
            self.ledger.too_large(f"more than {MAX_LAYERS:,} layers", repeat.span)
        return times

    # --- one layer -------------------------------------------------------------------------------------------------

    def _layer(self, key: str, name: Scalar | None, body: Mapping, place: Place, above: str, start: Node | None) -> str:
        written = format_name(name, place.values) if name is not None else ""
        reader = place.prefix + (written or key)
        meant = place.above or above  # by `above`, also where the layer reads another
        above = self.names.read(start, place, reader, meant) if start is not None else above
        if key == "block":
            return self._block(name, body, place, above, meant)
        if key == "use":
            return self._use(name, body, self._with_channels(place, above, body), above)
        span = name.span if name is not None else body.key(key).span
        absolute = self.names.declare(written or self.names.free(key, place), place, span)
        if not written:
            self.names.unnamed.add(absolute)
        inputs, factor = self._inputs(key, body, absolute, place, above)
        if len(inputs) == 1 and key in JOINS and len(body.entries) == 1 and _in_loops(body.entries[key][1]):
            self.names.results[absolute] = inputs[0]  # a join of one is that one
            return inputs[0]
        place = self._with_channels(place, inputs[0] if inputs else above, body, place.defaults.by_op.get(key))
        read = read_op(key, body, place.defaults, place.values, place.rank, factor)
        carried = read_carried(key, body, place.defaults, place.values)
        _check_arity(key, read.op, inputs, body.entries[key][1])
        named = {word: body.entries[word][1].span for word in layers_read(key) if word in body.entries}
        origin = Origin(place.at(span), place.each_at({**read.spans, **named}), bool(written))
        main = GraphNode(absolute, read.op, inputs, absolute, origin)
        return self._append(self.owners.share(main, body, place, meant, self.nodes), carried, place)

    def _with_channels(self, place: Place, source: str, *written: Node | None) -> Place:
        """The place in which `channels` is the number of those of a node, if the word stands in what is written."""
        if not reads_channels(*written):
            return place
        count = self.channels.of(source, self.nodes)
        defaults = replace(place.defaults, values={**place.defaults.values, WORD: count})
        return replace(place, values={**place.values, WORD: count}, defaults=defaults)

    def _append(self, main: GraphNode, carried: list[tuple[Role, Read]], place: Place) -> str:
        """The layer's own op, then what it carries, each reading the one before; returns the last one."""
        origin = main.origin
        assert origin.span is not None
        parts = [(role, own.op, place.each_at(own.spans)) for role, own in carried]
        said = {str(role): spans.get("kind", origin.span) for role, _, spans in parts}
        self.nodes.append(replace(main, origin=replace(origin, attributes={**origin.attributes, **said})))
        for role, op, spans in parts:
            source = replace(origin, span=said[role], attributes=spans)
            self.nodes.append(carried_node(self.nodes[-1], role, op, source))
        self.names.results[main.name] = self.nodes[-1].name
        self.ledger.add_layer(origin.span)
        return self.nodes[-1].name

    # --- inputs ----------------------------------------------------------------------------------------------------

    def _inputs(self, key: str, body: Mapping, name: str, place: Place, above: str) -> tuple[tuple[str, ...], bool]:
        """What the layer reads; True if a resize's main argument is a factor."""
        main = body.entries[key][1]
        if key in JOINS:
            return self._branches(key, main, name, place, above), False
        if key in ("crop", "unpool"):
            return (above, self.names.read(main, place, name, place.above or above)), False
        if key == "resize":
            if isinstance(main, Scalar) and self._is_reference(main, place):
                return (above, self.names.read(main, place, name, place.above or above)), False
            return (above,), True
        return (above, *self._further(key, body, name, place, above)), False

    def _further(self, key: str, body: Mapping, name: str, place: Place, above: str) -> Iterator[str]:
        """The layers that an op's attributes name, in the order of its inputs. Raises SegcompileError (SC012) for one
        without the one before it."""
        words = layers_read(key)
        for before, word in zip(("", *words), words, strict=False):
            if word in body.entries:
                if before and before not in body.entries:
                    raise fail("SC012", f"`{word}` needs `{before}`", body.key(word).span, help=f"`{before}: layer`")
                yield self.names.read(body.entries[word][1], place, name, place.above or above)

    def _is_reference(self, main: Scalar, place: Place) -> bool:
        """Whether `resize: word` names a layer; otherwise the word is a factor."""
        name = place.spelled(main)
        if self.names.find(name, self.names.home(main, place)) is not None:
            return True
        return is_name(name) and not isinstance(place.values.get(name), int)

    def _branches(self, key: str, main: Node, name: str, place: Place, above: str) -> tuple[str, ...]:
        """The inputs of a join: names, or layers written out in place, each branch starting from `above`.

        Branches that are written out stand in a scope of the join's own name.
        """
        if not isinstance(main, Sequence):
            message = f"`{key}` takes a list of layers, not {describe(main)}"
            raise fail("SC004", message, main.span, help=f"`{key}: [a, b]`")
        if all(isinstance(item, Scalar) or _names(item) for item in main.items):
            return tuple(self._each_name(main, name, place, above))
        title = place.nested_title(name)
        self.scopes.append(Scope(name, title, above or None))
        return tuple(self._each_branch(main, name, place.written_out(name, title, above), above))

    def _each_name(self, named: Node, name: str, place: Place, above: str) -> Iterator[str]:
        wrong: list[Diagnostic] = []
        for item, inside in self.loops.entries(named, place, "name", wrong):
            yield self.names.read(item, inside, name, above)
        stop_on(wrong)

    def _each_branch(self, main: Sequence, name: str, inside: Place, above: str) -> Iterator[str]:
        for item in main.items:
            self.ledger.step(item.span)
            if isinstance(item, Scalar) or _names(item):
                yield from self._each_name(item, name, inside, above)
            elif is_loop(item):
                for turn in self.loops.turns(item, inside, "layers"):
                    yield self.expand_list(list_under(item, "layers"), turn, above)
            else:
                branch = item if isinstance(item, Sequence) else Sequence((item,), item.span)
                yield self.expand_list(branch, inside, above)

    def _chain(self, name: Scalar, body: Sequence, place: Place, above: str) -> str:
        """`image: [{pool: global_avg}, {conv: W}]`: layers one behind the other, under one name."""
        absolute = self.names.declare(format_name(name, place.values), place, name.span)
        title = place.nested_title(absolute)
        scope = self._open(Scope(absolute, title, above or None, span=name.span))
        return self._close(scope, self.expand_list(body, place.written_out(absolute, title, above), above))

    # --- calls -----------------------------------------------------------------------------------------------------

    def _block(self, name: Scalar | None, body: Mapping, place: Place, above: str, meant: str) -> str:
        """A block's layers: in a scope of their own if the call has a name, in the caller's if not. `meant`: what the
        word `above` means in the call."""
        target = read_target("block", body, place)
        block = find_block(target, place)
        words = {"above": meant} | ({"input": place.input} if place.input else {})
        counted = self._with_channels(place, above, body, block[1].get("args"))
        meant_here = {word: self.names.written(node) for word, node in words.items()}
        call = read_block(target, block, body, counted, meant_here, self.names.written(above))
        if name is None:
            if "share" in body.entries:
                help = f"`- name: {{block: {target.text}, share: ...}}`"
                raise fail("SC012", "a block that shares weights needs a name", body.key("share").span, help=help)
            return self.expand_list(call.layers, call.inside.entered(above), above)
        absolute = self.names.declare(format_name(name, place.values), place, name.span)
        integers = {key: value for key, value in call.values.items() if isinstance(value, int)}
        inside = call.inside.scope(absolute, target.text, above)
        scope = Scope(
            absolute, target.text, above or None, kind="block", span=name.span, arguments=integers,
            defaults=call.defaults, layers=self._layers_passed(inside),
        )  # fmt: skip
        index = self._open(scope)
        start, result = len(self.nodes), self.expand_list(call.layers, inside, above)
        self.nodes[start:] = self.owners.share_all(scope, body, place, meant, self.nodes, start)
        return self._close(index, result)

    def _layers_passed(self, inside: Place) -> dict[str, str]:
        """The arguments of a block that name layers or inputs -> these; those of a list have its name and a number."""
        found: dict[str, str] = {}
        for argument, given in inside.passed.items():
            listed = isinstance(given, Sequence)
            for count, item in enumerate(given.items if isinstance(given, Sequence) else (given,), 1):
                node = self.names.find(item.text, self.names.home(item, inside)) if isinstance(item, Scalar) else None
                if node is not None:
                    found[f"{argument}{count}" if listed else argument] = layer_of(node)
        return found

    def _use(self, name: Scalar | None, body: Mapping, place: Place, above: str) -> str:
        """A whole spec as one layer; what is inside sees nothing outside it."""
        target = read_target("use", body, place)
        if "share" in body.entries:
            message = "a used spec has its own weights, and shares none"
            raise fail("SC011", message, body.key("share").span, help="a block in the place of the used spec")
        if name is None:
            raise fail("SC012", "a used spec needs a name", target.span, help=f"`- name: {{use: {target.text}}}`")
        call = self.library.read(target, body, place)
        absolute = self.names.declare(format_name(name, place.values), place, name.span)
        self.uses.append(Use(absolute, call, target.span, name.span))
        found = self.used(call)
        if len(found.graph.outputs) > 1:
            count = len(found.graph.outputs)
            raise fail("SC204", f"`{target.text}` has {count} outputs; a layer has one result", target.span)
        self.uses += [replace(use, name=f"{absolute}.{use.name}") for use in found.uses]
        integers = {key: value for key, value in call.values.items() if isinstance(value, int)}
        title, about = call.document.model, call.document.about
        scope = Scope(
            absolute, title, above, kind="spec", span=name.span, arguments=integers, about=about,
            takes=call.takes.channels, used=target.span,
        )  # fmt: skip
        return self._adopt(embedded(found.graph, scope), target.span)

    def _adopt(self, fragment: Fragment, span: Span) -> str:
        longest = max((node.layer for node in fragment.nodes), key=len, default="")
        if len(longest) > LONGEST:
            raise fail("SC111", f"the name `{brief(longest)}` has more than {LONGEST} characters", span)
        self.nodes += fragment.nodes
        self.scopes += fragment.scopes
        self.owners.specs |= {scope.name for scope in fragment.scopes if scope.kind == "spec"}
        self.names.adopt(fragment)
        return fragment.result

    def _open(self, scope: Scope) -> int:
        """Where a scope stands, whose result is not known yet."""
        self.scopes.append(scope)
        return len(self.scopes) - 1

    def _close(self, index: int, result: str) -> str:
        """What a scope gives; one in which nothing stands is none, and its name means what entered it."""
        inside = self.scopes[index].name + "."
        if not self.nodes or not self.nodes[-1].layer.startswith(inside):
            self.names.results[self.scopes.pop(index).name] = result
            return result
        self.scopes[index] = replace(self.scopes[index], result=result)
        self.names.results[self.scopes[index].name] = result
        return result

    def _give_up(self, item: Node, place: Place, above: str) -> str:
        """What stands for an entry that could not be read, so that those who refer to it are not blamed."""
        try:
            name, body = split(item)
            absolute = place.prefix + format_name(name, place.values) if name is not None else None
        except SegcompileError:
            absolute = body = None
        if absolute is None or (isinstance(body, Mapping) and "repeat" in body.entries):
            self.names.hidden = True  # which names it would have made is not known
        if absolute is None:
            return above
        self.names.give_up(absolute, item.span)
        return absolute


def carried_node(before: GraphNode, role: Role, op: Op, origin: Origin) -> GraphNode:
    """What a layer carries behind one of its nodes."""
    return GraphNode(f"{before.layer}:{role}", op, (before.name,), before.layer, origin, role)


def _in_loops(main: Node) -> bool:
    """Whether a join names all it reads, some of it in loops."""
    items = main.items if isinstance(main, Sequence) else ()
    return any(map(_names, items)) and all(isinstance(item, Scalar) or _names(item) for item in items)


def _names(item: Node) -> bool:
    """Whether an entry of a join names layers in a loop."""
    return is_loop(item) and "name" in item.entries


def _check_arity(key: str, op: Op, inputs: tuple[str, ...], main: Node) -> None:
    if len(inputs) > MAX_BRANCHES:
        message = f"{key} joins {len(inputs):,} layers; {MAX_BRANCHES:,} is the most"
        raise fail("SC111", message, main.span, help="join a part of them at a time")
    if key in JOINS and len(inputs) < op.least_inputs:
        message = f"{key} joins at least {op.least_inputs} layers, not {len(inputs)}"
        items = main.items if isinstance(main, Sequence) else ()
        empty = "a loop without turns names none: `a..b` is empty where b < a"
        help = empty if any(map(is_loop, items)) else f"`{key}: [a, b]`"
        raise fail("SC204", message, main.span, help=help)
    if key in JOINS and op.most_inputs is not None and len(inputs) > op.most_inputs:
        message = f"{key} takes {op.most_inputs} layers, not {len(inputs)}"
        raise fail("SC204", message, main.span, help=f"`{key}: [a, b]`")
