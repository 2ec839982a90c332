"""A flat network -> the text of a spec that a person could have written: blocks, loops, defaults, short names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from segcompile.language.outline import COUNT, Block, Form, Inside, Outside, Path, Reference, Written, lines_of
from segcompile.language.repeats import Outline, outlined, places
from segcompile.language.usual import Usual, usual_of
from segcompile.language.write import in_words, inputs_text, mapping
from segcompile.network.graph import Graph, Role

_KEPT = ("input", "above", "network", "block", "use")
_BEFORE_NUMBER = re.compile(r"_?\d*$")
WIDTH = 118  # characters of a line
_BASE = {
    "add": "sum", "mul": "product", "concat": "cat", "linear": "fc", "deconv": "up", "resize": "up", "affine": "scale",
    "dropout": "drop",
}  # fmt: skip


def readable_spec(flat: Graph, channels: Mapping[str, int], head: Iterable[str] = (), tail: Iterable[str] = ()) -> str:
    """The text of a spec whose network is `flat`, which has no scopes, but for the names of its layers.

    `channels`: node or input -> how many it has. `head` and `tail` are lines of other sections.
    """
    flat = in_words(flat)
    kept = frozenset(flat.layer_of(name) for name in flat.outputs.values())
    outline = outlined(lines_of(flat, channels), [*flat.inputs], kept)
    return _Text(flat, outline).text(head, tail)


@dataclass(frozen=True, slots=True)
class _Named:
    """A list of lines and what each is called; `{i}` stands in the name of one that is repeated."""

    lines: Sequence[Written]
    names: Sequence[str]


class _Text:
    def __init__(self, flat: Graph, outline: Outline) -> None:
        self.flat, self.outline = flat, outline
        self.titles = _titles(outline.blocks)
        at = places(outline.lines)
        top = [
            Written(line.form, line.said, tuple(at.get(name, name) for name in line.reads)) for line in outline.lines
        ]
        self.passed: dict[Block, set[str]] = {block: set() for block in outline.blocks}
        self.inside: dict[Block, _Named] = {}
        self.top = self._named(top, flat.inputs.keys())
        self._pass(self.top, frozenset())
        for block in reversed(outline.blocks):  # the blocks that call it come first
            self.inside[block] = self._named(block.lines, self.passed[block])
            self._pass(self.inside[block], self.passed[block])
        every = [(line, ()) for line in top]
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

    def _named(self, lines: Sequence[Written], given: AbstractSet[str]) -> _Named:
        names = []
        taken = {*given, *(_BEFORE_NUMBER.sub("", name) for name in given), *_KEPT}
        bases = [self._base(line) for line in lines]
        for line, base in zip(lines, bases, strict=True):
            repeated = line.texts[0] != "1"
            number = 1
            while (name := f"{base}{number}" if bases.count(base) > 1 or base in taken else base) in taken:
                number += 1
            taken.add(name)
            names.append(f"{name}_{{i}}" if repeated and name[-1].isdigit() else f"{name}{{i}}" if repeated else name)
        return _Named(lines, names)

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
        return f"{name}.{self._inner(self.inside[line.form], Inside(rest[0], tuple(rest[1:])))}"

    # --- lines -------------------------------------------------------------------------------------------------------

    def _said(self, index: int, among: _Named, block: Block | None) -> str:
        line = among.lines[index]
        above: Reference = Inside(index - 1) if index else Outside(0) if block is not None else next(iter(self.flat.inputs))
        names = [_in_quotes(self._name(read, among, block)) for read in line.reads]
        if isinstance(line.form, Block):
            said = {"block": self.titles[line.form]}
            said |= {a.name: text for a, text in zip(line.form.arguments, line.texts[1:], strict=True) if text}
            said |= {_given(k): name for k, name in enumerate(names) if k}
        else:
            said = self.usual.said(line.form, _filled(line.form, line.texts, names))
        joins = not isinstance(line.form, Block) and line.form.op.joins
        if not joins and line.reads[0] != above:
            said["from"] = names[0]
        if line.texts[0] != "1":
            said[COUNT] = line.texts[0]
        return mapping(said)

    def _list(self, among: _Named, block: Block | None, indent: str) -> list[str]:
        heads = [f"{_in_quotes(name)}:" for name in among.names]
        width = max(map(len, heads))
        return [f"{indent}- {head:<{width}} {self._said(i, among, block)}" for i, head in enumerate(heads)]

    def _block(self, block: Block) -> list[str]:
        among = self.inside[block]
        args = [f"{a.name}: {a.default}" if a.default else a.name for a in block.arguments]
        args += [_given(k) for k in range(1, block.layers + 1)]
        inner = self._list(among, block, "")
        said = f"args: [{', '.join(args)}], " if args else ""
        whole = f"  {self.titles[block]}: {{{said}layers: [{', '.join(' '.join(line[2:].split()) for line in inner)}]}}"
        if len(whole) <= WIDTH:
            return [whole]
        lines = [f"  {self.titles[block]}:", *([f"    args: [{', '.join(args)}]"] if args else []), "    layers:"]
        return [*lines, *(f"      {line}" for line in inner)]

    def text(self, head: Iterable[str], tail: Iterable[str]) -> str:
        lines = ["segcompile: 1", f"model: {self.flat.model.lower()[:64]}", *head]
        lines.append(f"input: {inputs_text(self.flat.inputs)}")
        if self.usual.by_op:
            lines.append(f"defaults: {mapping({op: mapping(said) for op, said in self.usual.by_op.items()})}")
        if self.outline.blocks:
            lines += ["blocks:", *(line for block in self.outline.blocks for line in self._block(block))]
        lines += ["layers:", *self._list(self.top, None, "  ")]
        at = places(self.outline.lines)
        heads = {head: self.flat.layer_of(name) for head, name in self.flat.outputs.items()}
        last = self.outline.lines[-1].result
        if heads != {"output": last}:
            named = {head: self._inner(self.top, at[name]) if name in at else name for head, name in heads.items()}
            lines.append(f"outputs: {mapping(named)}")
        return "\n".join([*lines, *tail]) + "\n"


def _given(index: int) -> str:
    """What a layer is called that a block is given besides the one that enters it."""
    return "skip" if index == 1 else f"skip{index}"


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


def _titles(blocks: Sequence[Block]) -> dict[Block, str]:
    """Block -> its name, after its last line, and a number where another one has that."""
    found: dict[Block, str] = {}
    for block in blocks:
        base = _title(block)
        number, name = 1, base
        while name in found.values():
            number += 1
            name = f"{base}{number}"
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
