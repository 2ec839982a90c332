"""One page of what is proved of a network: `segcompile certify`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segcompile import __version__
from segcompile.checks.gridding import check_dilations
from segcompile.checks.misaligned import check_joins
from segcompile.checks.subject import Subject
from segcompile.facts.border import Border, trace_borders
from segcompile.facts.facts import NodeFacts
from segcompile.facts.pairs import show
from segcompile.facts.receptive_field import Field
from segcompile.facts.shapes import of_any_size
from segcompile.facts.size_causes import rounded, size_causes
from segcompile.network.graph import Graph, Node
from segcompile.ops import AXIS_NAMES, CELL, LINES, MEDIUM
from segcompile.show.numbers import number, short
from segcompile.show.phases import summary
from segcompile.show.sizes import Answer, Looked, sizes_json, sizes_text
from segcompile.show.tiling import Tiles, tiles_of, tiling_json, tiling_text
from segcompile.text.errors import Diagnostic
from segcompile.text.listing import counted, first_few
from segcompile.text.report import as_json


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: lines, of which those that begin with two blanks belong to the one before."""

    title: str
    lines: Sequence[str]


@dataclass(frozen=True, eq=False)
class Certificate:
    """What is proved of a network. `subject`: at one size of the image, the spec's own or a usual one."""

    model: str
    about: str
    subject: Subject
    sizes: Answer | str  # or why the network takes this size alone
    tiles: Tiles
    holes: Sequence[Diagnostic]
    joins: Sequence[Diagnostic]

    @property
    def graph(self) -> Graph:
        return self.subject.graph

    @property
    def heads(self) -> Iterator[tuple[str, str, NodeFacts]]:
        """Output, node, and what is true of it."""
        return ((head, name, self.subject.facts[name]) for head, name in self.graph.outputs.items())

    @property
    def image(self) -> str:
        """`3 x 500 x 500`, of each input."""
        return " and ".join(str(shape) for shape in self.graph.inputs.values())


def certificate_of(model: str, about: str, subject: Subject, tile: int | None = None) -> Certificate:
    """The certificate of a network whose sizes are numbers."""
    tiles = tiles_of(subject.graph, tile)
    return Certificate(
        model,
        about,
        subject,
        _sizes(model, subject.graph, tiles),
        tiles,
        tuple(check_dilations(subject)),
        tuple(check_joins(subject)),
    )


def _sizes(model: str, graph: Graph, tiles: Tiles) -> Answer | str:
    if not tiles.along:
        return tiles.why
    free, sizes = of_any_size(graph), tuple(each.sizes for each in tiles.along)
    size = next(shape.size for shape in graph.inputs.values() if shape.size)
    numbers = tuple(each for each in size if isinstance(each, int))
    return Answer(model, sizes, size_causes(free, sizes), Looked(numbers, tuple(rounded(free, numbers))))


# --- the page ---------------------------------------------------------------------------------------------------------


def certificate_text(found: Certificate) -> str:
    """The page for a terminal."""
    parts = [f"certificate of {found.model}, for {found.image}", *([found.about] if found.about else [])]
    for section in sections(found):
        parts += ["", section.title, *(f"  {line}" for line in section.lines)]
    return "\n".join(parts)


def certificate_markdown(found: Certificate) -> str:
    """The same as a model card: headings and lists."""
    parts = [f"# {found.model}", *(["", found.about] if found.about else [])]
    parts += ["", f"Certified by segcompile {__version__} for {MEDIUM[found.graph.rank]}s of {found.image}."]
    for section in sections(found):
        parts += ["", f"## {section.title.capitalize()}", ""]
        parts += [f"{line[: len(line) - len(line.lstrip())]}- {line.lstrip()}" for line in section.lines]
    return "\n".join(parts)


def sections(found: Certificate) -> list[Section]:
    """The parts of the page, in order."""
    return [
        Section("network", list(_network(found))),
        Section("sizes", _size_lines(found)),
        Section("outputs", [line for head in found.heads for line in _output(found, *head)]),
        Section("borders", list(_borders(found))),
        Section("exact tiles", _tile_lines(found)),
        Section("holes", [*_told(found.holes), *_unseen(found)]),
        Section("joins", _told(found.joins) or _joined(found)),
        Section("what this means", _meaning(found)),
    ]


def _network(found: Certificate) -> Iterator[str]:
    facts = found.subject.facts.values()
    parameters, macs = sum(fact.parameter_count for fact in facts), sum(fact.macs or 0 for fact in facts)
    yield f"{counted(len(found.graph.layers), 'layer')}, {counted(parameters, 'parameter')}"
    said = f" ({short(macs)})" if macs else ""
    yield f"{counted(macs, 'multiply-accumulate')}{said} for this {MEDIUM[found.graph.rank]}"
    for title, layers in (
        (f"mixing the whole {MEDIUM[found.graph.rank]}", _layers(found.graph, _mixes)),
        ("treating each position otherwise", _layers(found.graph, lambda node: node.op.positional)),
        ("reading what the values choose", _layers(found.graph, lambda node: node.op.data_dependent)),
    ):
        if layers:
            yield f"{counted(len(layers), 'layer')} {title}: {first_few(layers)}"


def _mixes(node: Node) -> bool:
    return node.op.whole_image


def _layers(graph: Graph, has: Callable[[Node], bool]) -> list[str]:
    """The layers some node of which has a property."""
    return list(dict.fromkeys(node.layer for node in graph.nodes if has(node)))


def _size_lines(found: Certificate) -> list[str]:
    if isinstance(found.sizes, str):
        return [f"this one alone: {found.sizes}"]
    taken, _, looked = sizes_text(found.sizes).partition("\n\n")
    return [*(line.removeprefix("  ") for line in taken.split("\n")[1:]), *looked.split("\n")]


def _output(found: Certificate, head: str, name: str, fact: NodeFacts) -> Iterator[str]:
    yield f"{head}: {fact.shape}, of `{found.graph.layer_of(name)}`"
    names = AXIS_NAMES[found.graph.rank]
    if fact.shape.size:
        yield f"  {_step(found, fact)}"
        yield from _alike(names, [_place(maps.every) for maps in fact.maps], "output p is centred on input")
    yield from _alike(names, [_field(found, each) for each in fact.fields], "field")
    if fact.bound:
        yield "  these fields are bounds: the values choose what of them is read"


def _step(found: Certificate, fact: NodeFacts) -> str:
    if None in fact.stride:
        return "outputs do not lie in even steps"
    return f"stride {show(fact.stride)}, in input {_cells(found)}"


def _cells(found: Certificate) -> str:
    return f"{CELL[found.graph.rank]}s"


def _alike(names: Sequence[str], told: Sequence[str], title: str) -> list[str]:
    """A line for all axes, or one for each."""
    if len(set(told)) == 1:
        return [f"  {title} {told[0]}"]
    return [f"  {title} along the {name} {text}" for name, text in zip(names, told, strict=True)]


def _place(maps: Sequence[object]) -> str:
    if not maps:
        return "nowhere that is known"
    return str(maps[0]) + (f", and by other paths on {first_few([str(each) for each in maps[1:]])}" if maps[1:] else "")


def _field(found: Certificate, field: Field) -> str:
    medium = MEDIUM[found.graph.rank]
    if not field.sets:
        return f"the whole {medium}" if field.whole else "not known: too wide, or of too many phases"
    seen = field.sets[field.widest]
    word = "phase" if field.step is not None else "output"
    start = f"; {word} {field.widest} sees {seen}" if seen is not None else ""
    more = f", and the whole {medium} by other paths" if field.whole else ""
    return f"{summary(field)}{start}{more}"


def _borders(found: Certificate) -> Iterator[str]:
    borders = trace_borders(found.graph, found.subject.shapes)
    for head, name, fact in found.heads:
        lines = LINES[found.graph.rank]
        told = [_border(each) for each in borders[name]] if fact.shape.size else []
        if not told:
            yield f"{head}: one value for the whole {MEDIUM[found.graph.rank]}"
        elif len(set(told)) == 1:
            yield f"{head}: {told[0].format(lines=f'{_cells(found)} along each axis' if len(told) > 1 else lines[0])}"
        else:
            yield from (f"{head}: {text.format(lines=line)}" for text, line in zip(told, lines, strict=True))


def _border(border: Border | None) -> str:
    if border is None:
        return "every output depends on what lies around the map, or on where it ends"
    if not border.before and not border.after:
        return "padding is seen by none of the {lines}"
    if not border.clean:
        return f"all {border.size} {{lines}} see padding"
    return f"padding is seen by the first {border.before} and the last {border.after} of {border.size} {{lines}}"


def _tile_lines(found: Certificate) -> list[str]:
    text = tiling_text(found.model, found.tiles)
    return [line.removeprefix("  ") for line in text.split("\n")[1:]] or [f"none: {found.tiles.why}"]


def _told(diagnostics: Sequence[Diagnostic]) -> list[str]:
    lines = []
    for each in diagnostics:
        lines.append(f"{each.code.code}: {each.message}")
        lines += [f"  {label.text}" for label in each.labels] + [f"  {note}" for note in each.notes]
        lines += [f"  to mend it: {each.help}"] if each.help else []
    return lines


def _joined(found: Certificate) -> list[str]:
    """What is said where no join lies apart."""
    if found.graph.causal:
        return ["not judged along an axis that is causal: there fields end at their outputs, by design"]
    return ["none lies apart: of any two inputs of a join that have a place, some path lays one over the other"]


def _unseen(found: Certificate) -> Iterator[str]:
    """Of each output, whether the fields have holes that other paths, or no stage of their own, make."""
    for head, _, fact in found.heads:
        fields = {each.widest: each for each in fact.fields if each.sets}.values()
        if not fields:
            yield f"{head}: {'none' if all(each.whole for each in fact.fields) else 'not known'}"
        for field in fields:
            seen = field.sets[field.widest]
            if seen is not None and seen.holes:
                whole = f"; the rest is seen through what mixes the {MEDIUM[found.graph.rank]}" if field.whole else ""
                yield f"{head}: along an axis {seen.count} of the {seen.width} {_cells(found)} spanned are seen{whole}"
            elif not found.holes:
                spanned = counted(field.local_size or 0, CELL[found.graph.rank])
                yield f"{head}: none, it sees all of the {spanned} that it spans along an axis"


def _meaning(found: Certificate) -> list[str]:
    medium = MEDIUM[found.graph.rank]
    return [
        f"derived from the graph in whole numbers and ratios: it holds for all weights and every {medium}",
        "fields are of evaluation mode; that an input is seen says that its weight can be other than zero",
        f"sizes and tiles hold for every {medium} of the sizes named; MACs, borders and fields in numbers for this one",
        "tiles are equal in exact arithmetic; in floating point as far as a library's kernels give one result for each "
        "shape",
    ]


# --- the same as data -------------------------------------------------------------------------------------------------


def certificate_json(found: Certificate) -> dict[str, Any]:
    """All that the page says, and the field of every phase of every output."""
    facts, names = found.subject.facts, AXIS_NAMES[found.graph.rank]
    borders = trace_borders(found.graph, found.subject.shapes)
    return {
        "model": found.model,
        "about": found.about,
        "version": __version__,
        "inputs": {name: {"channels": each.channels, "size": each.size} for name, each in found.graph.inputs.items()},
        "layers": len(found.graph.layers),
        "parameters": sum(fact.parameter_count for fact in facts.values()),
        "macs": sum(fact.macs or 0 for fact in facts.values()),
        "sizes": {"alone": found.sizes} if isinstance(found.sizes, str) else sizes_json(found.sizes),
        "outputs": {
            head: {
                "layer": found.graph.layer_of(name),
                "shape": [fact.shape.channels, *fact.shape.size],
                "stride": [number(stride) for stride in fact.stride],
                "bound": fact.bound,
                "axes": _axes_json(names, fact, borders[name]),
            }
            for head, name, fact in found.heads
        },
        "tiles": tiling_json(found.tiles),
        "holes": [as_json(each) for each in found.holes],
        "joins": [as_json(each) for each in found.joins],
        "whole": _layers(found.graph, _mixes),
    }


def _axes_json(names: Sequence[str], fact: NodeFacts, borders: Sequence[Border | None]) -> Mapping[str, Any]:
    along = zip(names, fact.fields, fact.maps, borders or [None] * len(names), strict=True)
    return {
        name: {
            "receptive_field": field.size,
            "whole_image": field.whole,
            "period": field.period,
            "step": field.step,
            "phases": [seen and [seen.low, seen.high, seen.count] for seen in field.sets],
            "maps": [{"scale": str(each.scale), "shift": str(each.shift)} for each in maps.every],
            "border": border and {"before": border.before, "after": border.after, "size": border.size},
        }
        for name, field, maps, border in along
    }
