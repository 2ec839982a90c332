"""A flat network -> the text of a spec that a person could have written: blocks, loops, defaults, short names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from segcompile.language.arguments import new_name
from segcompile.language.outline import COUNT, Block, Form, Inside, Outside, Reference, Written, lines_of
from segcompile.language.repeats import Outline, outlined, places
from segcompile.language.telling import NO_MODULES, Modules, Telling
from segcompile.language.turns import Turns, turns_of
from segcompile.language.usual import usual_of
from segcompile.language.write import in_words, inputs_text, mapping
from segcompile.network.graph import Graph

_KEPT = ("input", "above", "network", "block", "use")
_BEFORE_NUMBER = re.compile(r"_?\d*$")
WIDTH = 120  # characters of a line
_ALIGNED = 16  # characters of a name behind which others begin at one place
_FOLDED = 5  # so many layers of a block may stand in two lines
_BASE = {
    "add": "sum", "mul": "product", "concat": "cat", "linear": "fc", "deconv": "up", "resize": "up", "affine": "scale",
    "dropout": "drop",
}  # fmt: skip


def readable_spec(
    flat: Graph,
    channels: Mapping[str, int],
    head: Iterable[str] = (),
    tail: Iterable[str] = (),
    modules: Modules = NO_MODULES,
) -> str:
    """The text of a spec whose network is `flat`, which has no scopes, but for the names of its layers.

    `channels`: node or input -> how many it has. `head` and `tail` are lines of other sections. `modules`: of the
    layers, after which lines and blocks are called where they tell something.
    """
    flat = in_words(flat)
    kept = frozenset(flat.layer_of(name) for name in flat.outputs.values())
    outline = outlined(lines_of(flat, channels), [*flat.inputs], kept)
    return _Text(flat, outline, Telling(outline.lines, modules)).text(head, tail)


@dataclass(frozen=True, slots=True)
class _Named:
    """A list of lines and what each is called; `{i}` stands in the name of one that is repeated."""

    lines: Sequence[Written]
    names: Sequence[str]
    loops: Sequence[tuple[Turns, Sequence[str]]]  # and what the lines of a turn are called in them


class _Text:
    def __init__(self, flat: Graph, outline: Outline, telling: Telling) -> None:
        self.flat, self.outline, self.telling = flat, outline, telling
        self.titles = _titles(outline.blocks, telling)
        at = places(outline.lines)
        top = [
            Written(line.form, line.said, tuple(at.get(name, name) for name in line.reads)) for line in outline.lines
        ]
        self.spoken: set[tuple[Block, int]] = set()  # lines of blocks whose names are said somewhere
        self.passed: dict[Block, set[str]] = {block: set() for block in outline.blocks}
        self.inside: dict[Block, _Named] = {}
        self.top = self._named(None, top, [line.values for line in outline.lines], flat.inputs.keys())
        self._pass(self.top, frozenset())
        for block in reversed(outline.blocks):  # the blocks that call it come first
            texts = [line.texts for line in block.lines]
            self.inside[block] = self._named(block, block.lines, texts, self.passed[block])
            self._pass(self.inside[block], self.passed[block])
        every: list[tuple[Written, tuple[str, ...]]] = [(line, ()) for line in top]
        every += [(line, tuple(a.name for a in block.arguments)) for block in outline.blocks for line in block.lines]
        self.usual = usual_of([(line.form, line.texts, own) for line, own in every if isinstance(line.form, Form)])

    def _pass(self, among: _Named, around: AbstractSet[str]) -> None:
        """Note the names that lines give to blocks: inside these, no layer is called so."""
        for line in among.lines:
            if isinstance(line.form, Block):
                for read in line.reads[1:]:
                    given = {self._outermost(among, read)} if isinstance(read, Inside) else around
                    self.passed[line.form] |= given

    def _outermost(self, among: _Named, place: Inside) -> str:
        count = among.lines[place.line].texts[0]
        turn = str(place.path[0] + 1) if place.path else count if count.isdigit() else "1"
        return among.names[place.line].replace("{i}", turn)

    def _named(
        self,
        block: Block | None,
        lines: Sequence[Written],
        values: Sequence[Sequence[str | None]],
        given: AbstractSet[str],
    ) -> _Named:
        taken = {*given, *(_BEFORE_NUMBER.sub("", name) for name in given), *_KEPT}
        loops = {turns.start: turns for turns in turns_of(lines, values)}
        bases = self._bases(block, lines, loops)
        names, in_loops, index = list[str](), list[tuple[Turns, Sequence[str]]](), 0
        while index < len(lines):
            turns = loops.get(index)
            length, count = (turns.length, turns.count) if turns is not None else (1, 0)
            patterns = [
                self._pattern(base, bases.count(base), lines[index + k :: length][: max(count, 1)], count, taken)
                for k, base in enumerate(bases[index : index + length])
            ]
            for turn in range(max(count, 1)):
                names += [pattern.replace("{n}", str(turn + 1)) for pattern in patterns]
            if turns is not None:
                in_loops.append((turns, patterns))
            index += length * max(count, 1)
        return _Named(lines, names, in_loops)

    def _pattern(self, base: str, number_of: int, lines: Sequence[Written], count: int, taken: set[str]) -> str:
        """A name that is not taken, with `{n}` for the turn of a loop and `{i}` for that of a `repeat`."""
        number = 0
        while True:
            number += 1
            single = number == 1 and number_of in (1, count) and base not in taken
            plain = base if single else f"{base}{_apart(base)}{number}"
            pattern = f"{plain}{'_' if plain != base else _apart(base)}{{n}}" if count else plain
            counts = [line.texts[0] for line in lines]
            if {*counts} != {"1"}:
                pattern += "{i}" if pattern == base and not _apart(base) and counts[0].isdigit() else "_{i}"
            each = [pattern.replace("{n}", str(turn + 1)) for turn in range(len(lines))]
            often = [int(count) if count.isdigit() else 1 for count in counts]
            whole = {name.replace("{i}", str(i + 1)) for name, n in zip(each, often, strict=True) for i in range(n)}
            if (whole | {plain}).isdisjoint(taken):
                taken |= whole | {plain}
                return pattern

    def _bases(self, block: Block | None, lines: Sequence[Written], loops: Mapping[int, Turns]) -> list[str]:
        """What each line is called before it gets a number: after its module, with the one around it where several
        would have one name, or after what it does."""
        groups = [range(index, index + 1) for index in range(len(lines))]
        for turns in loops.values():
            for first in range(turns.start, turns.start + turns.length):
                groups[first : turns.end : turns.length] = [range(first, turns.end, turns.length)] * turns.count
        told = {group: self.telling.name(block, group) for group in groups}
        longer = {group: self.telling.name(block, group, words=2) for group in told}
        often, rarely = Counter(told.values()), Counter(longer.values())
        clash = {group for group, name in told.items() if name and often[name] > 1 and rarely[longer[group]] == 1}
        names = [longer[group] if group in clash else told[group] for group in groups]
        return [name or self._base(line) for name, line in zip(names, lines, strict=True)]

    def _base(self, line: Written) -> str:
        if isinstance(line.form, Block):
            return self.titles[line.form]
        return _BASE.get(line.form.op.spelling, line.form.op.spelling)

    # --- references --------------------------------------------------------------------------------------------------

    def _name(self, reference: Reference, among: _Named, block: Block | None) -> str:
        if isinstance(reference, str):
            return reference if block is None else f"network.{reference}"
        if isinstance(reference, Outside):
            return "input" if reference.index == 0 else _given(reference.index)
        if block is not None:
            self.spoken.add((block, reference.line))
        return self._inner(among, reference)

    def _inner(self, among: _Named, place: Inside) -> str:
        name, line = among.names[place.line], among.lines[place.line]
        if not place.path:
            return name.replace("{i}", line.texts[0] if line.texts[0].isdigit() else f"{{{line.texts[0]}}}")
        turn, *rest = place.path
        name = name.replace("{i}", str(turn + 1))
        if not rest:
            return name
        assert isinstance(line.form, Block)
        self.spoken.add((line.form, rest[0]))
        return f"{name}.{self._inner(self.inside[line.form], Inside(rest[0], tuple(rest[1:])))}"

    # --- lines -------------------------------------------------------------------------------------------------------

    def _said(self, index: int, among: _Named, block: Block | None) -> str:
        line = among.lines[index]
        before: Reference = Outside(0) if block is not None else next(iter(self.flat.inputs))
        says_from = line.reads[0] != (Inside(index - 1) if index else before)
        joins = isinstance(line.form, Form) and line.form.op.joins
        said = [says_from or joins, *(True for _ in line.reads[1:])]
        names = [
            _in_quotes(self._name(read, among, block)) if is_said else "above"
            for read, is_said in zip(line.reads, said, strict=True)
        ]
        return self._body(line.form, line.texts, names, says_from)

    def _body(self, form: Form | Block, texts: Sequence[str], names: Sequence[str], says_from: bool) -> str:
        """What stands under a line's name. `names`: of what it reads."""
        if isinstance(form, Block):
            said = {"block": self.titles[form]}
            said |= {a.name: text for a, text in zip(form.arguments, texts[1:], strict=True) if text}
            said |= {_given(k): name for k, name in enumerate(names) if k}
        else:
            said = self.usual.said(form, _filled(form, texts, names))
        if says_from and (isinstance(form, Block) or not form.op.joins):
            said["from"] = names[0]
        if texts[0] != "1":
            said[COUNT] = texts[0]
        return mapping(said)

    def _list(self, among: _Named, block: Block | None, indent: str) -> list[str]:
        loops = {turns.start: (turns, patterns) for turns, patterns in among.loops}
        heads = [f"{_in_quotes(name)}:" for name in among.names]
        width = max((len(head) for head in heads if len(head) <= _ALIGNED), default=0)
        lines, index = list[str](), 0
        while index < len(heads):
            if index in loops:
                lines += [f"{indent}{line}" for line in self._loop(*loops[index], among, block)]
                index = loops[index][0].end
            else:
                lines.append(f"{indent}- {heads[index]:<{width}} {self._said(index, among, block)}")
                index += 1
        return lines

    def _loop(self, turns: Turns, patterns: Sequence[str], among: _Named, block: Block | None) -> list[str]:
        variables = {"n": _ranged([str(turn + 1) for turn in range(turns.count)])}
        known: dict[tuple[str, ...], str] = {tuple(str(turn + 1) for turn in range(turns.count)): "n"}
        taken = {"n", "i", *(argument.name for argument in (block.arguments if block is not None else ()))}

        def text(kind: str, cells: Sequence[str]) -> str:
            if len({*cells}) == 1:
                return cells[0]
            column = tuple(cells)
            if column not in known:
                known[column] = new_name(kind, taken)
                variables[known[column]] = _ranged(cells)
            return known[column]

        first = among.lines[turns.start : turns.start + turns.length]
        said = [
            tuple(text(kind, cells) for kind, cells in zip(line.form.varies, each, strict=True))
            for line, each in zip(first, turns.texts, strict=True)
        ]
        own_lines = [replace(line, texts=texts) for line, texts in zip(first, said, strict=True)]
        inner = _Named([*among.lines[: turns.start], *own_lines], [*among.names[: turns.start], *patterns], ())
        bodies = []
        for j, line in enumerate(own_lines):
            names = []
            for read, cells in zip(line.reads, turns.reads[j], strict=True):
                if cells is not None:
                    names.append(text("of", [self._name(each, among, block) for each in cells]))
                elif isinstance(read, Inside) and read.line >= turns.start:
                    names.append(_in_quotes(self._inner(inner, read)))
                else:
                    names.append("above")
            own = turns.reads[j][0] is None and (names[0] == "above" or line.reads[0] == Inside(turns.start + j - 1))
            bodies.append(f"{_in_quotes(patterns[j])}: {self._body(line.form, line.texts, names, not own)}")
        head = f"- for: {mapping(variables)}"
        whole = f"  layers: [{', '.join(bodies)}]"
        return [head, whole] if len(whole) < WIDTH - 8 else [head, "  layers:", *(f"    - {body}" for body in bodies)]

    def _block(self, block: Block) -> list[str]:
        among = self.inside[block]
        args = [f"{a.name}: {a.default}" if a.default else a.name for a in block.arguments]
        args += [_given(k) for k in range(1, block.layers + 1)]
        inner = self._list(among, block, "")
        said = f"args: [{', '.join(args)}], " if args else ""
        short = [" ".join(line.removeprefix("- ").split()) for line in inner]
        if not among.loops:  # a join that is not spoken of needs no name
            joins = [isinstance(line.form, Form) and line.form.op.joins for line in block.lines]
            unnamed = [joined and (block, index) not in self.spoken for index, joined in enumerate(joins)]
            short = [line.partition(": ")[2] if drop else line for line, drop in zip(short, unnamed, strict=True)]
        start = f"  {self.titles[block]}: {{{said}layers: ["
        flat = _folded(start, short)
        if len(flat) == 1 or (len(flat) == 2 and len(short) <= _FOLDED):
            return flat
        lines = [f"  {self.titles[block]}:", *([f"    args: [{', '.join(args)}]"] if args else []), "    layers:"]
        return [*lines, *(f"      {line}" for line in inner)]

    def text(self, head: Iterable[str], tail: Iterable[str]) -> str:
        top = ["segcompile: 1", f"model: {self.flat.model.lower()[:64]}", *head]
        lines = [f"input: {inputs_text(self.flat.inputs)}"]
        if self.usual.by_op:
            lines.append(f"defaults: {mapping({op: mapping(said) for op, said in self.usual.by_op.items()})}")
        layers, at = self._list(self.top, None, "  "), places(self.outline.lines)
        heads = {head: self.flat.layer_of(name) for head, name in self.flat.outputs.items()}
        last = self.outline.lines[-1].result
        if heads != {"output": last}:
            named = {head: self._inner(self.top, at[name]) if name in at else name for head, name in heads.items()}
            layers.append(f"outputs: {mapping(named)}")
        blocks = [self._block(block) for block in reversed(self.outline.blocks)]  # those that speak of others first
        written = ["blocks:", *(line for block in reversed(blocks) for line in block)] if blocks else []
        ours = [part for line in (*lines, *written, "layers:", *layers) for part in _broken(line)]
        return "\n".join([*top, *ours, *tail]) + "\n"


def _apart(name: str) -> str:
    """What stands between a name and its number."""
    return "_" if name[-1].isdigit() else ""


def _given(index: int) -> str:
    """What a layer is called that a block is given besides the one that enters it."""
    return "skip" if index == 1 else f"skip{index}"


def _folded(start: str, items: Sequence[str]) -> list[str]:
    """The items of a block in as few lines as they need."""
    lines = [start]
    for index, item in enumerate(items):
        text = f"{item}{', ' if index + 1 < len(items) else ']}'}"
        if len(lines[-1]) + len(text.rstrip()) > WIDTH and lines[-1].strip():
            lines.append(" " * len(start))
        lines[-1] += text
    return [line.rstrip() for line in lines]


def _broken(line: str) -> list[str]:
    """A line in parts that are not too long, broken behind commas."""
    indent = " " * (len(line) - len(line.lstrip(" -")) + 4)
    parts = []
    while len(line) > WIDTH and (at := line.rfind(", ", len(indent), WIDTH)) > 0:
        parts.append(line[: at + 1])
        line = f"{indent}{line[at + 2 :]}"
    return [*parts, line]


def _ranged(values: Sequence[str]) -> str:
    """A list of values, as a range where it is one."""
    whole = [int(value) for value in values if value.isdigit()]
    step = whole[1] - whole[0] if len(whole) > 1 else 0
    if len(whole) == len(values) > 2 and step and whole == [*range(whole[0], whole[-1] + step, step)]:
        return f"{whole[0]}..{whole[-1]}" + (f" by {step}" if step != 1 else "")
    return f"[{', '.join(values)}]"


def _in_quotes(name: str) -> str:
    return f'"{name}"' if "{" in name else name


def _filled(form: Form, texts: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    values = iter(texts[1:])
    said = {}
    for name, template in form.entries:
        text = template.replace("$", next(values)) if "$" in template else template
        for index in reversed(range(len(names))):
            text = text.replace(f"@{index}", names[index])
        said[name] = text
    return said


def _titles(blocks: Sequence[Block], telling: Telling) -> dict[Block, str]:
    """Block -> its name, after its class or its last line, and a number where another one has that."""
    found: dict[Block, str] = {}
    for block in blocks:
        base = telling.title(block) or _title(block)
        number, name = 1, base
        while name in found.values():
            number += 1
            name = f"{base}{_apart(base)}{number}"
        found[block] = name
    return found


def _title(block: Block) -> str:
    words = [line.form.op.spelling if isinstance(line.form, Form) else "block" for line in block.lines]
    last, crosses = words[-1], any(Outside(0) in line.reads for line in block.lines[1:])
    if last == "add" and crosses:
        return "residual"
    if last == "mul" and crosses:
        return "gated"
    if last == "concat" and crosses:
        return "dense"
    return "stage" if "block" in words else "unit"
