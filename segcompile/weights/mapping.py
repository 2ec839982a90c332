"""Which tensor of a file goes into which parameter of a network: by name or by order, whichever places more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segcompile.compiler import Compiled
from segcompile.text.errors import SegcompileError, fail
from segcompile.weights.comparing import check_groups
from segcompile.weights.folding import unfolded
from segcompile.weights.misfits import Pair, counted, likely_cause
from segcompile.weights.ordering import Layer, interchangeable, misfits, ordered
from segcompile.weights.parameters import Tensor, tensors
from segcompile.weights.placing import BOTH, EXAMPLES, Place, by_name, endings, given, shown, usable
from segcompile.weights.stored import Order, Source, Stored, damaged

NAME, ORDER = "name", "order"


@dataclass(frozen=True, slots=True)
class Assignment:
    """Every parameter's place, and by which rule. `other`: how many the other rule would have placed. `swappable`:
    groups of layers that could exchange their tensors, as `interchangeable` has it. `named`: how many --names gave.
    `misfits`: the parameters that have their tensor by the rule, but for its shape."""

    places: tuple[Place, ...]
    rule: str
    other: int | None = None  # None for a file without an order
    swappable: tuple[tuple[Layer, ...], ...] = ()
    named: int = 0
    misfits: tuple[Pair, ...] = ()

    @property
    def said(self) -> tuple[str, ...]:
        """The rule, and what of it is a guess."""
        named = f", {self.named} of them by --names" if self.named else ""
        other = (
            f"; by {ORDER if self.rule == NAME else NAME} it would be {self.other}" if self.other is not None else ""
        )
        told = f"placed by {self.rule}: {placed(self.places)} of {len(self.places)} tensors{named}{other}"
        if not self.swappable:
            return (told,)
        count = sum(len(layer) for group in self.swappable for layer in group)
        pairs = [f"  {_pair(group[0])} and {_pair(group[1])}" for group in self.swappable[:EXAMPLES]]
        guess = f"a guess: {count} tensors could be swapped, and every shape would still fit; for example those of"
        return (told, guess, *pairs, "  --names FILE says which is which")

    @property
    def data(self) -> dict[str, Any]:
        """The same for programs: every layer of every group, its parameters and what each has of the file."""
        groups = [
            [{found.tensor.name: found.stored.name for found in layer if found.stored} for layer in group]
            for group in self.swappable
        ]
        return {"placed_by": self.rule, "by_names_file": self.named, "by_other_rule": self.other, "swappable": groups}


def place(source: Source, compiled: Compiled, names: Mapping[str, Stored] | None = None) -> Assignment:
    """A place for each tensor that a network wants: from `names` (parameter -> tensor) where they say so, and the rest
    by the rule that places most of it.

    Raises SegcompileError: SC801 if no tensor of the file can be a weight, SC802 if nothing fits or less than what has
    another shape, SC803 if two tensors fit one name, SC805 for a kernel of other groups.
    """
    names = names or {}
    wanted = tuple(tensors(compiled.graph, compiled.facts))
    taken = {id(stored) for stored in names.values()}
    rest = Source(source.path, tuple(each for each in source.tensors if id(each) not in taken), source.order)
    free = [tensor for tensor in wanted if tensor.name not in names]
    found: dict[str, tuple[Layer, ...]] = {NAME: tuple((each,) for each in by_name(rest, free))}
    if source.order is not Order.NONE:
        found[ORDER] = ordered(rest, free)
    if source.order is Order.EXECUTED:  # then it is known that no norm comes later
        found = {rule: unfolded(rest, layers) for rule, layers in found.items()}
    counts = {rule: placed(each for layer in layers for each in layer) for rule, layers in found.items()}
    rule = max(counts, key=lambda rule: counts[rule])  # of two that place as much, the name
    fixed = {tensor.name: given(tensor, names[tensor.name]) for tensor in wanted if tensor.name in names}
    chosen = {each.tensor.name: each for layer in found[rule] for each in layer}
    places = tuple((chosen | fixed)[tensor.name] for tensor in wanted)
    if rule == NAME:
        _check_names(source, places)
    wrong = _misfits(rest, free, places, rule)
    check_groups(wrong)
    if placed(places) < max(1, len(wrong)):
        raise _nothing(source, compiled, places, wrong)
    named = placed(fixed.values())
    other = next((count + named for each, count in counts.items() if each != rule), None)
    guessed = interchangeable(found[rule], compiled.graph, source.order) if rule == ORDER else ()
    return Assignment(places, rule, other, guessed, named, tuple(wrong))


def _misfits(source: Source, wanted: Sequence[Tensor], places: Sequence[Place], rule: str) -> list[Pair]:
    """What has its place and another shape: at the first layer where an order ends, and behind it where file and
    network have as many layers."""
    found = [(each.tensor, each.misfit) for each in places if each.misfit is not None]
    ends = source.order is not Order.NONE and (rule == ORDER or not (found or placed(places)))
    return (misfits(source, wanted) if ends else []) or found


def placed(places: Iterable[Place]) -> int:
    """How many come from the file."""
    return sum(found.stored is not None for found in places)


def _pair(layer: Layer) -> str:
    """`skip.weight` (W_g.weight)."""
    return f"`{layer[0].tensor.name}` ({layer[0].stored.name if layer[0].stored else ''})"


def _check_names(source: Source, places: Iterable[Place]) -> None:
    for found in places:
        if found.why.endswith(BOTH):
            message = f"`{source.path}`: {found.why} `{found.tensor.name}`"
            raise fail("SC803", message, help="say which with --names FILE, a line `tensor of the file: its place`")


def _nothing(source: Source, compiled: Compiled, places: Sequence[Place], wrong: Sequence[Pair]) -> SegcompileError:
    first, model = source.tensors[0], compiled.model
    wanted = [found.tensor for found in places]
    if not any(map(usable, source.tensors)):
        why = first.unusable or "no floats"
        return damaged(source.path, f"no tensor in it can be a weight: `{first.name}`: {why}")
    if wrong:
        right = [(found.tensor, found.stored) for found in places if found.stored is not None]
        fits = f"only `{right[0][0].name}` and alike fit" if right else "nothing fits"
        message = f"of `{source.path}` {fits}: {counted(wrong, len(wanted))}"
        return fail("SC802", message, help=likely_cause(compiled, right, wrong))
    message = f"nothing in `{source.path}` fits: it starts with `{first.name}`, {shown(first.shape)}"
    if not wanted:
        return fail("SC802", message, help=f"{model} has no parameters")
    start = f"`{wanted[0].name}`, {shown(wanted[0].shape)}"
    if source.order is not Order.NONE:
        return fail("SC802", message, help=f"give the file of a network that starts as {model} does, with {start}")
    prefix = _prefix(source, wanted)
    if prefix:
        return fail("SC802", message, help=f"the network's names start with `{prefix}`: --names with `*: {prefix}*`")
    return fail("SC802", message, help=f"safetensors keeps no order: a tensor needs its parameter's name, as {start}")


def _prefix(source: Source, wanted: Sequence[Tensor]) -> str:
    """What the network's names have before those of at least half the file's tensors."""
    names = {stored.name for stored in source.tensors}
    found = Counter(
        tensor.name[: -len(name)] for tensor in wanted for name in endings(tensor.name) if name in names
    ).most_common(1)
    return found[0][0] if found and 2 * found[0][1] >= len(names) else ""
