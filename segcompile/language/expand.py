"""Document -> flat layers: blocks, repeat, for, use and inline branches written out, every name made absolute.

Expansion always ends: blocks and specs cannot contain themselves, and the number of layers is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field, replace
from pathlib import Path

from segcompile.errors import Diagnostic, Findings, Label, SegcompileError, SourceText, Span, did_you_mean, fail
from segcompile.graph import Origin, Scope, find_cycle
from segcompile.language.attributes import CALLS, COMMON, Defaults, check_defaults, op_key, read_carried, read_op
from segcompile.language.derive import Document, Locate, read_document
from segcompile.language.table import read_table
from segcompile.language.values import Values, format_name, read_integer, read_name, read_positive
from segcompile.ops import SPELLINGS, Op, Shape
from segcompile.ops.size import AnySize
from segcompile.source import Mapping, Node, Scalar, Sequence, describe

MAX_LAYERS = 50_000
MAX_STEPS = 200_000  # iterations of repeat and for, with or without layers in them
_JOINS = ("add", "mul", "concat")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer with absolute names: its op, what it reads, and what it carries (`norm`, `act`, `drop`)."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    carried: tuple[tuple[str, Op], ...]
    origin: Origin
    carried_origins: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing the paper says: of a layer (None: of the network), what, and the cell that says it."""

    layer: str | None
    what: str
    node: Node
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A spec used as a layer: it is compiled alone as well, so that its own claims are checked."""

    document: Document
    values: Values
    call: Span


@dataclass(frozen=True, slots=True)
class Expansion:
    """A whole network, flat."""

    document: Document
    values: Values  # the parameters
    inputs: MappingOf[str, Shape]
    layers: tuple[Layer, ...]
    scopes: tuple[Scope, ...]
    outputs: MappingOf[str, str]  # head -> layer
    claims: tuple[Claim, ...]
    uses: tuple[Use, ...]
    results: MappingOf[str, str]  # every name a user can say -> the layer whose result it means


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Where in the spec we are: what names and values mean here."""

    document: Document
    values: Values
    defaults: Defaults
    title: str = ""  # of the scope: what a class made of it is called
    prefix: str = ""  # of the names made here
    floor: str = ""  # the prefix of the spec in use: names outside it cannot be seen
    input: str = ""  # what enters this scope
    calls: tuple[Label, ...] = ()
    blocks: tuple[str, ...] = ()  # being expanded, to find recursion
    specs: tuple[Path, ...] = ()


@dataclass(slots=True)
class _Expander:
    locate: Locate
    findings: Findings
    layers: list[Layer] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    results: dict[str, str] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    open: list[tuple[str, str, Span, tuple[str, ...]]] = field(default_factory=list)  # references not found when read
    steps: int = 0

    # --- lists of layers -------------------------------------------------------------------------------------------

    def expand_list(self, items: Sequence, place: _Place, above: str) -> str:
        """Write out a list of layers; returns the name of the last one's result."""
        for item in items.items:
            try:
                above = self.expand_item(item, place, above)
            except SegcompileError as error:  # go on: one run should show every mistake
                self.findings.diagnostics += [_with_calls(found, place.calls) for found in error.diagnostics]
                above = self._mark_broken(item, place, above)
        return above

    def expand_item(self, item: Node, place: _Place, above: str) -> str:
        """One entry of a list of layers; returns the name of its result."""
        if not isinstance(item, Mapping) or not item.entries:
            raise fail("SC004", f"a layer is a mapping, not {describe(item)}", item.span, help="`- name: {conv: 64, kernel: 3}`")
        if "for" in item.entries:
            for values in self._loop(item, place):
                above = self.expand_list(_list(item, "layers"), replace(place, values=values), above)
            return above
        name, body = _split(item)
        if isinstance(body, Sequence):
            assert name is not None
            return self._chain(name, body, place, above)
        return self._repeated(name, body, place, above)

    def _loop(self, item: Mapping, place: _Place) -> Iterator[Values]:
        """The scopes of `for: {d: [0, 1, 2]}`; several variables run side by side."""
        _only(item, ("for", "layers"))
        loop = item.get("for")
        if not isinstance(loop, Mapping) or not loop.entries:
            raise fail("SC004", "`for` names a variable and its values", item.key("for").span, help="`for: {d: [0, 1, 2]}`")
        columns: dict[str, list[int]] = {}
        for key, values in loop.entries.values():
            if not isinstance(values, Sequence):
                raise fail("SC004", f"`{key.text}` runs over a list, not {describe(values)}", values.span)
            columns[key.text] = [read_integer(value, place.values) for value in values.items]
        lengths = {len(column) for column in columns.values()}
        if len(lengths) > 1:
            raise fail("SC007", f"the lists of a `for` have {_listed(lengths)} values", loop.span, help="one value each a turn")
        for index in range(lengths.pop()):
            self._step(item.span)
            yield {**place.values, **{name: column[index] for name, column in columns.items()}}

    def _step(self, span: Span) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS or len(self.layers) > MAX_LAYERS:
            raise fail("SC111", f"the spec expands to more than {MAX_LAYERS} layers", span, help="is a `repeat` too large?")

    def _repeated(self, name: Scalar | None, body: Mapping, place: _Place, above: str) -> str:
        repeat = body.get("repeat")
        if repeat is None:
            return self._layer(name, body, place, above)
        times = read_positive(repeat, place.values)
        if times > MAX_LAYERS:
            raise fail("SC111", f"{times} repetitions are more than {MAX_LAYERS} layers", repeat.span)
        if times > 1 and name is not None and "{" not in name.text:
            help = f"`{name.text}{{i}}`; i counts from 1"
            raise fail("SC103", f"`{name.text}` would be made {times} times", name.span, help=help)
        for i in range(1, times + 1):
            self._step(repeat.span)
            above = self._layer(name, body, replace(place, values={**place.values, "i": i}), above)
        return above

    # --- one layer -------------------------------------------------------------------------------------------------

    def _layer(self, name: Scalar | None, body: Mapping, place: _Place, above: str) -> str:
        key = op_key(body)
        if key is None:
            first = next(iter(body.entries.values()))[0] if body.entries else name
            assert first is not None
            help = did_you_mean(first.text, SPELLINGS) or f"ops: {', '.join(sorted(SPELLINGS))}"
            raise fail("SC109", f"there is no op `{first.text}`", first.span, help=help)
        start = body.get("from")
        if start is not None and key in _JOINS:
            raise fail("SC003", f"`{key}` names its inputs itself", body.key("from").span)
        above = self._reference(start, place) if start is not None else above
        if key in CALLS:
            return self._call(key, name, body, place, above)
        written = read_name(name, place.values) if name is not None else self._free(key, place)
        span = name.span if name is not None else body.key(key).span
        absolute = self._declare(written, place, span)
        inputs, factor = self._inputs(key, body.entries[key][1], absolute, place, above)
        op = read_op(key, body, place.defaults, place.values, factor)
        carried = read_carried(key, body, place.defaults, place.values)
        self._check_arity(key, op.op, inputs, body)
        spans = {**op.spans, **{part: read.spans.get("kind", span) for part, read in carried}}
        self.layers.append(
            Layer(
                absolute,
                op.op,
                inputs,
                tuple((part, read.op) for part, read in carried),
                Origin(span, spans, place.calls),
                tuple(Origin(read.spans.get("kind", span), read.spans, place.calls) for _, read in carried),
            )
        )
        self._step(span)
        return absolute

    def _check_arity(self, key: str, op: Op, inputs: tuple[str, ...], body: Mapping) -> None:
        if len(inputs) < op.least_inputs:
            message = f"{key} joins at least {op.least_inputs} layers, not {len(inputs)}"
            raise fail("SC204", message, body.entries[key][1].span)

    def _free(self, key: str, place: _Place) -> str:
        """A name for a layer without one: its op's, with a number where that is taken."""
        count, name = 1, key
        while place.prefix + name in self.results:
            count, name = count + 1, f"{key}{count + 1}"
        return name

    def _declare(self, written: str, place: _Place, span: Span) -> str:
        """The absolute name; refuses one that exists (SC103) or that no framework can hold (SC004)."""
        if not written.isidentifier() or not written.isascii():
            raise fail("SC004", f"`{written}` is not a layer's name: letters, digits and _", span)
        absolute = place.prefix + written
        if written == "input" or absolute in self.results:
            labels = [Label(self.spans[absolute], "first made here")] if absolute in self.spans else []
            raise fail("SC103", f"there is already a layer `{absolute}`", span, labels=labels, help="give it another name")
        self.results[absolute] = absolute
        self.spans[absolute] = span
        return absolute

    def _mark_broken(self, item: Node, place: _Place, above: str) -> str:
        """Make the name of a layer that could not be read known, so that those who refer to it are not blamed."""
        name, _ = _split(item) if isinstance(item, Mapping) and item.entries and "for" not in item.entries else (None, None)
        if name is None:
            return above
        try:
            absolute = place.prefix + read_name(name, place.values)
        except SegcompileError:
            return above
        self.results.setdefault(absolute, absolute)
        self.spans.setdefault(absolute, name.span)
        return absolute

    # --- inputs ----------------------------------------------------------------------------------------------------

    def _inputs(self, key: str, main: Node, name: str, place: _Place, above: str) -> tuple[tuple[str, ...], bool]:
        """What the layer reads; True if a resize's main argument is a factor."""
        if key in _JOINS:
            return self._branches(key, main, name, place, above), False
        if key == "crop":
            return (above, self._reference(main, place)), False
        if key == "resize":
            if isinstance(main, Scalar) and self._known(main, place):
                return (above, self._reference(main, place)), False
            try:
                read_integer(main, place.values) if isinstance(main, Scalar) else None
            except SegcompileError as error:
                if isinstance(main, Scalar) and error.diagnostics[0].code.code == "SC101":
                    return (above, self._reference(main, place)), False
                raise
            return (above,), True
        return (above,), False

    def _branches(self, key: str, main: Node, name: str, place: _Place, above: str) -> tuple[str, ...]:
        """The inputs of a join: names, or layers written out in place, each branch starting from `above`."""
        if not isinstance(main, Sequence):
            raise fail("SC004", f"`{key}` takes a list of layers, not {describe(main)}", main.span, help=f"`{key}: [a, b]`")
        if all(isinstance(item, Scalar) for item in main.items):
            return tuple(self._reference(item, place) for item in main.items)
        title = f"{place.title}.{name.removeprefix(place.prefix)}".removeprefix(".")
        self.scopes.append(Scope(name, title))
        inside = replace(place, prefix=f"{name}.", input=above, title=title)
        found: list[str] = []
        for item in main.items:
            if isinstance(item, Scalar):
                found.append(self._reference(item, inside))
            elif isinstance(item, Sequence):
                found.append(self.expand_list(item, inside, above))
            elif "for" in item.entries:
                turns = self._loop(item, inside)
                found += [self.expand_list(_list(item, "layers"), replace(inside, values=values), above) for values in turns]
            else:
                found.append(self.expand_list(Sequence((item,), item.span), inside, above))
        return tuple(found)

    def _chain(self, name: Scalar, body: Sequence, place: _Place, above: str) -> str:
        """`image: [{pool: global_avg}, {conv: W}]`: layers one behind the other, under one name."""
        absolute = self._declare(read_name(name, place.values), place, name.span)
        title = f"{place.title}.{absolute.removeprefix(place.prefix)}".removeprefix(".")
        self.scopes.append(Scope(absolute, title))
        result = self.expand_list(body, replace(place, prefix=f"{absolute}.", input=above, title=title), above)
        self.results[absolute] = result
        return result

    def _known(self, scalar: Scalar, place: _Place) -> bool:
        return self._look_up(self._spelled(scalar, place), place) is not None

    def _spelled(self, scalar: Scalar, place: _Place) -> str:
        """The name that a reference means: an argument stands for the name given for it."""
        argument = place.values.get(scalar.text)
        return argument if isinstance(argument, str) else format_name(scalar, place.values)

    def _look_up(self, name: str, place: _Place) -> str | None:
        """The layer that `name` means here: looked up in this scope first, then outwards to the spec's own."""
        if name == "input" and place.input:
            return place.input
        prefix = place.prefix
        while True:
            found = self.results.get(prefix + name)
            if found is not None:
                return found
            if prefix == place.floor:
                return None
            prefix = prefix[:-1].rpartition(".")[0]
            prefix = f"{prefix}." if prefix else ""

    def _reference(self, node: Node, place: _Place) -> str:
        if not isinstance(node, Scalar):
            raise fail("SC004", f"a layer's name is due here, not {describe(node)}", node.span)
        name = self._spelled(node, place)
        found = self._look_up(name, place)
        if found is not None:
            return found
        last = self.layers[-1].name if self.layers else ""
        self.open.append((place.prefix, name, node.span, (last,)))
        return f"?{len(self.open) - 1}"  # settled by `settle`, when every name is known

    def settle(self) -> None:
        """Report the references that were not found where they stood: SC201, SC205 or SC102."""
        edges: list[tuple[str, str]] = []
        for layer in self.layers:
            for source in layer.inputs:
                if source.startswith("?"):
                    prefix, name, _, _ = self.open[int(source[1:])]
                    edges.append((layer.name, self.results.get(prefix + name) or self.results.get(name) or source))
                else:
                    edges.append((layer.name, source))
        cycle = find_cycle(edges) if self.open else None
        for prefix, name, span, _ in self.open:
            later = self.results.get(prefix + name) or self.results.get(name)
            if later is None:
                known = [*self.results, "input"]
                self.findings.add("SC102", f"there is no layer `{name}`", span, help=did_you_mean(name, known))
            elif cycle is not None and later in cycle:
                around = " -> ".join((*cycle, cycle[0]))
                self.findings.add("SC201", f"`{name}` depends on itself: {around}", span, help="break the cycle")
            else:
                labels = [Label(self.spans[later], "made here")] if later in self.spans else []
                message = f"`{name}` is made later than it is used"
                self.findings.add("SC205", message, span, labels=labels, help="move it up: layers stand in the order of the data")

    # --- blocks and used specs -------------------------------------------------------------------------------------

    def _call(self, key: str, name: Scalar | None, body: Mapping, place: _Place, above: str) -> str:
        target = body.entries[key][1]
        if not isinstance(target, Scalar):
            raise fail("SC004", f"`{key}` takes a name, not {describe(target)}", target.span)
        for part in ("norm", "act", "drop"):
            if part in body.entries:
                raise fail("SC003", f"a {key} carries no `{part}`", body.key(part).span, help="give it to a layer inside")
        if key == "use":
            return self._use(target, name, body, place, above)
        return self._block(target, name, body, place, above)

    def _named(
        self, name: Scalar | None, title: str, arguments: Values, place: _Place
    ) -> tuple[str | None, _Place]:
        """The scope of a call: its own if it has a name, the caller's if not."""
        if name is None:
            return None, place
        absolute = self._declare(read_name(name, place.values), place, name.span)
        self.scopes.append(Scope(absolute, title, {key: n for key, n in arguments.items() if isinstance(n, int)}))
        return absolute, replace(place, prefix=f"{absolute}.", title=title)

    def _block(self, target: Scalar, name: Scalar | None, body: Mapping, place: _Place, above: str) -> str:
        blocks = place.document.section("blocks")
        found = blocks.get(target.text) if blocks else None
        if not isinstance(found, Mapping):
            help = did_you_mean(target.text, blocks.entries if blocks else ())
            raise fail("SC102", f"there is no block `{target.text}`", target.span, help=help)
        if target.text in place.blocks:
            chain = " -> ".join((*place.blocks, target.text))
            raise fail("SC108", f"block `{target.text}` contains itself: {chain}", target.span)
        arguments = _arguments(target, found, body, place)
        absolute, inside = self._named(name, target.text, arguments, place)
        inside = replace(
            inside,
            values={**_parameters_only(place), **arguments},
            input=above,
            calls=(*place.calls, Label(target.span, f"in block `{target.text}`, called here")),
            blocks=(*place.blocks, target.text),
        )
        result = self.expand_list(_list(found, "layers"), inside, above)
        if absolute is not None:
            self.results[absolute] = result
        return result

    def _use(self, target: Scalar, name: Scalar | None, body: Mapping, place: _Place, above: str) -> str:
        path = self.locate(target.text, place.document.path.parent)
        if path is None:
            raise fail("SC501", f"there is no spec `{target.text}` to use", target.span, help="beside this file, or a bundled spec")
        if path.resolve() in place.specs:
            raise fail("SC108", f"`{target.text}` uses itself", target.span)
        variant = body.get("variant")
        chosen = variant.text if isinstance(variant, Scalar) else None
        try:
            document = read_document(path, chosen, self.locate, Findings())
            given = {k: (w, v) for k, (w, v) in body.entries.items() if k not in ("use", "variant", *COMMON)}
            overrides = {k: read_integer(v, place.values) for k, (_, v) in given.items()}
            _known_parameters(document, {k: w.span for k, (w, _) in given.items()})
            values = parameters(document, overrides)
        except SegcompileError as error:
            call = Label(target.span, "used here")
            raise SegcompileError(_with_calls(found, (call,)) for found in error.diagnostics) from None
        self.uses.append(Use(document, values, target.span))
        if name is None:
            raise fail("SC004", "a used spec needs a name", target.span, help=f"`- name: {{use: {target.text}}}`")
        absolute, inside = self._named(name, document.model, values, place)
        assert absolute is not None
        inside = _Place(
            document, values, _defaults(document), document.model, inside.prefix, inside.prefix, above,
            (*place.calls, Label(target.span, f"in `{target.text}`, used here")), (), (*place.specs, path.resolve()),
        )  # fmt: skip
        result = self.expand_list(network(document, self.findings).layers, inside, above)
        heads = _outputs(document, self, inside, result)
        if len(heads) > 1:
            raise fail("SC204", f"`{target.text}` has {len(heads)} outputs; a layer has one result", target.span)
        self.results[absolute] = next(iter(heads.values()))
        return self.results[absolute]


# --- the document's sections ---------------------------------------------------------------------------------------


def expand(document: Document, overrides: MappingOf[str, int], locate: Locate, findings: Findings) -> Expansion:
    """The flat network of a document, its parameters overridden by `overrides` (--set, `use`).

    Every mistake in it goes to `findings` (SC1xx, SC2xx); raises SegcompileError once all are found.
    """
    _known_parameters(document, {name: _override_span(name, value) for name, value in overrides.items()})
    values = parameters(document, overrides)
    inputs = _inputs_of(document, values)
    check_defaults(document.section("defaults"))
    expander = _Expander(locate, findings)
    expander.results.update({name: name for name in inputs})
    first = next(iter(inputs))
    place = _Place(document, values, _defaults(document), input=first if len(inputs) == 1 else "", specs=(document.path.resolve(),))
    table = network(document, findings)
    findings.stop_on_errors()
    last = expander.expand_list(table.layers, place, first)
    outputs = _outputs(document, expander, place, last) if expander.layers else {}
    expander.settle()
    if not outputs and not findings.has_errors:
        findings.add("SC203", "the network has no layers", table.layers.span, help="`layers:` needs at least one")
    claims = _claims(document, table.claims, expander, findings)
    findings.stop_on_errors()
    return Expansion(
        document, values, inputs, tuple(expander.layers), tuple(expander.scopes), outputs, claims,
        tuple(expander.uses), expander.results,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Network:
    layers: Sequence
    claims: tuple[tuple[str, str, Node], ...]


def network(document: Document, findings: Findings) -> _Network:
    """The document's layers, a table turned into layers."""
    table = document.section("table")
    if table is not None:
        read = read_table(table, findings)
        return _Network(read.layers, read.claims)
    return _Network(_list(document.root, "layers"), ())


def parameters(document: Document, overrides: MappingOf[str, int]) -> dict[str, int | str]:
    """The value of every parameter; one may read those above it."""
    values: dict[str, int | str] = {}
    section = document.section("params")
    for key, node in section.entries.values() if section else ():
        values[key.text] = overrides[key.text] if key.text in overrides else read_integer(node, values)
    return values


def _known_parameters(document: Document, given: MappingOf[str, Span]) -> None:
    section = document.section("params")
    known = section.entries if section else {}
    for name, span in given.items():
        if name not in known:
            help = did_you_mean(name, known) or (f"it has {', '.join(known)}" if known else "it has none")
            raise fail("SC101", f"`{document.model}` has no parameter `{name}`", span, help=help)


def _override_span(name: str, value: int) -> Span:
    text = f"{name}={value}"
    return Span(SourceText("--set", (text,)), 1, 1, len(name))


def _inputs_of(document: Document, values: Values) -> dict[str, Shape]:
    section = document.section("input")
    assert section is not None  # held by the schema
    if "channels" in section.entries or "size" in section.entries:
        return {"input": _input(section, values)}
    found = {}
    for key, node in section.entries.values():
        if not isinstance(node, Mapping):
            raise fail("SC004", f"an input is {{channels, size}}, not {describe(node)}", node.span)
        found[key.text] = _input(node, values)
    if not found:
        raise fail("SC004", "an input is {channels, size}", section.span)
    return found


def _input(section: Mapping, values: Values) -> Shape:
    _only(section, ("channels", "size"))
    channels, size = section.get("channels"), section.get("size")
    if channels is None or size is None:
        missing = "channels" if channels is None else "size"
        raise fail("SC004", f"the input needs `{missing}`", section.span, help="for example {channels: 3, size: any}")
    count = read_positive(channels, values)
    pair = size.items if isinstance(size, Sequence) else (size, size)
    if len(pair) != 2:
        raise fail("SC004", "a size is one number, [height, width], or any", size.span)
    return Shape(count, (_size(pair[0], "H", values), _size(pair[1], "W", values)))


def _size(node: Node, symbol: str, values: Values) -> int | AnySize:
    return AnySize(symbol) if isinstance(node, Scalar) and node.text == "any" else read_positive(node, values)


def _defaults(document: Document) -> Defaults:
    section = document.section("defaults")
    by_op = {key.text: node for key, node in section.entries.values() if isinstance(node, Mapping)} if section else {}
    return Defaults(by_op, document.root.get("init"))


def _outputs(document: Document, expander: _Expander, place: _Place, last: str) -> dict[str, str]:
    section = document.section("outputs")
    if section is None or not section.entries:
        return {"output": last}
    found = {}
    for key, node in section.entries.values():
        name = expander._look_up(read_name(node, place.values), place)
        if name is None:
            help = did_you_mean(read_name(node, place.values), expander.results)
            raise fail("SC102", f"there is no layer for output `{key.text}`", node.span, help=help)
        found[key.text] = name
    return found


_NETWORK_CLAIMS = ("parameters", "weights", "count")


def _claims(
    document: Document, cells: tuple[tuple[str, str, Node], ...], expander: _Expander, findings: Findings
) -> tuple[Claim, ...]:
    """The table's claims and those under `claims`, with the layers they speak of."""
    found = [Claim(layer, what, node, node.span) for layer, what, node in cells if layer in expander.results]
    section = document.section("claims")
    for key, node in section.entries.values() if section else ():
        if key.text in _NETWORK_CLAIMS and key.text not in expander.results:
            found.append(Claim(None, key.text, node, node.span))
        elif key.text not in expander.results and key.text != "output":
            known = [*expander.results, "output", *_NETWORK_CLAIMS]
            findings.add("SC102", f"there is no layer `{key.text}` to claim this of", key.span, help=did_you_mean(key.text, known))
        elif not isinstance(node, Mapping):
            findings.add("SC004", f"a claim is {{what: value}}, not {describe(node)}", node.span, help="{size: 66}")
        else:
            layer = expander.results.get(key.text) or "output"
            layer = key.text if key.text == "output" else layer
            found += [Claim(layer, what.text, value, what.span) for what, value in node.entries.values()]
    return tuple(found)


# --- small things --------------------------------------------------------------------------------------------------


def _split(item: Mapping) -> tuple[Scalar | None, Mapping | Sequence]:
    """A list entry as (name, body): `name: {...}`, `name: [...]`, or a body without a name."""
    if len(item.entries) > 1:
        return None, item
    ((key, value),) = item.entries.values()
    if isinstance(value, Mapping) and (key.text not in SPELLINGS or op_key(value) is not None):
        if key.text in CALLS:
            return None, item
        return key, value
    if isinstance(value, Sequence) and key.text not in SPELLINGS:
        return key, value
    if key.text not in SPELLINGS and key.text not in CALLS and key.text != "drop":
        message = f"layer `{key.text}` is {describe(value)}; it must say an op"
        help = did_you_mean(key.text, SPELLINGS) or f"`{key.text}: {{conv: 64, kernel: 3}}`"
        raise fail("SC109", message, key.span, help=help)
    return None, item


def _arguments(target: Scalar, block: Mapping, body: Mapping, place: _Place) -> dict[str, int | str]:
    """The values of a block's arguments: integers where they can be evaluated, otherwise names."""
    declared = block.get("args")
    wanted = [item.text for item in declared.items if isinstance(item, Scalar)] if isinstance(declared, Sequence) else []
    given = {key: node for key, (_, node) in body.entries.items() if key not in ("block", "repeat", "from")}
    missing = [name for name in wanted if name not in given]
    if missing:
        message = f"block `{target.text}` needs {_listed(f'`{name}`' for name in missing)}"
        raise fail("SC107", message, target.span, labels=[Label(block.span, "declared here")])
    for name in given:
        if name not in wanted:
            help = did_you_mean(name, wanted) or (f"it has {', '.join(wanted)}" if wanted else "it has none")
            raise fail("SC107", f"block `{target.text}` has no argument `{name}`", body.key(name).span, help=help)
    return {name: _argument(given[name], place.values) for name in wanted}


def _argument(node: Node, values: Values) -> int | str:
    if not isinstance(node, Scalar):
        raise fail("SC107", f"an argument is an integer or a name, not {describe(node)}", node.span)
    passed = values.get(node.text)
    if isinstance(passed, str):
        return passed
    try:
        return read_integer(node, values)
    except SegcompileError:
        name = format_name(node, values)
        if all(part.isidentifier() for part in name.split(".")):
            return name
        raise


def _parameters_only(place: _Place) -> dict[str, int | str]:
    """What a block sees besides its arguments: the parameters of its spec."""
    section = place.document.section("params")
    names = section.entries if section else {}
    return {name: value for name, value in place.values.items() if name in names}


def _list(mapping: Mapping, key: str) -> Sequence:
    found = mapping.get(key)
    if not isinstance(found, Sequence):
        span = found.span if found is not None else mapping.span
        raise fail("SC004", f"`{key}` is a list of layers", span, help="`- name: {conv: 64, kernel: 3}`")
    return found


def _only(mapping: Mapping, keys: tuple[str, ...]) -> None:
    for key, _ in mapping.entries.values():
        if key.text not in keys:
            raise fail("SC003", f"there is no key `{key.text}` here", key.span, help=did_you_mean(key.text, keys))


def _with_calls(diagnostic: Diagnostic, calls: tuple[Label, ...]) -> Diagnostic:
    known = {label.span for label in diagnostic.labels}
    return replace(diagnostic, labels=(*diagnostic.labels, *(call for call in calls if call.span not in known)))


def _listed(items: object) -> str:
    return ", ".join(str(item) for item in sorted(items))  # type: ignore[call-overload]

