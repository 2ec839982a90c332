"""What an op refuses, and what it asks of sizes: at least one pixel, a reference that is covered, inputs of one size.

A number either meets a need or does not. A symbolic size meets it at some sizes of the image, which
`facts/sizes.py` finds out; one that meets it at no size, or at a few only, is refused like a number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from segcompile.ops.axes import CELL
from segcompile.ops.size import AnySize, Size


class Refusal(Exception):
    """An op cannot take these inputs. `attribute` names what to point at; None points at the layer. `named`: the inputs
    whose names stand for {0}, {1}, ... in the help."""

    def __init__(
        self,
        code: str,
        message: str,
        attribute: str | None = None,
        help: str | None = None,
        notes: tuple[str, ...] = (),
        named: tuple[int, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.attribute, self.help, self.notes = code, message, attribute, help, notes
        self.named = named


def no_window(cell: str, size: Size, before: int, after: int, span: int) -> Refusal:
    """SC303, of a map of `size` cells along an axis, with padding before and after, that is shorter than a window."""
    held = (
        f"1 {cell} with padding {before} + {after} holds"
        if size == 1
        else f"{size} {cell}s with padding {before} + {after} hold"
    )
    help = f"the input needs at least {span - before - after} {cell}s here"
    return Refusal("SC303", f"{held} no window of {span}", "kernel", help)


@dataclass(frozen=True, slots=True)
class Need:
    """Along one axis: slack >= 0, or slack == 0 if `equal`; `refusal` makes the reason where that is not so."""

    axis: int
    slack: Size
    refusal: Callable[[], Refusal]
    equal: bool = False

    def check(self) -> None:
        """Raise the refusal, unless the number meets the need, or endlessly many sizes of the image do."""
        slack = self.slack
        if isinstance(slack, int):
            if slack < 0 or (slack > 0 and self.equal):
                raise self.refusal()
        elif all(least_size(slack, residue, self.equal) is None for residue in range(slack.period)):
            refusal = self.refusal()
            if not refusal.named:
                refusal.help = self._only(slack) or refusal.help
            raise refusal

    def _only(self, slack: AnySize) -> str | None:
        """The help where a few sizes meet the need all the same."""
        if slack.step == 0:
            return None
        turns = [(r, divmod(-slack.at(r), slack.step)) for r in range(slack.period)]
        found = [r + q * slack.period for r, (q, rest) in turns if q >= 0 and not (self.equal and rest)]
        found = sorted(size for size in found if size)
        if not found:
            return None
        listed = " or ".join(map(str, found[:3])) if self.equal else f"at most {found[-1]}"
        return f"it fits for {slack.symbol} = {listed} only: give the input that size"


def least_size(slack: AnySize, residue: int, equal: bool = False) -> int | None:
    """The first of the sizes of one residue modulo the period from which on slack >= 0, or slack == 0 if `equal`; None
    if there is no such size."""
    first = slack.at(residue)
    if (equal and (first or slack.step)) or slack.step < 0 or (slack.step == 0 and first < 0):
        return None
    turns = max(0, -(first // slack.step)) if slack.step else 0
    return residue + turns * slack.period or slack.period  # an image has at least one pixel


_TAKEN = {"reflect": ("reflected", 1), "circular": ("continued by its other end", 0)}  # and what no padding takes of it


def enough_to_show(
    mode: str, axis: int, sizes: Sequence[Size], pads: tuple[int, int], attribute: str
) -> Iterator[Need]:
    """As many pixels along an axis as a padding of this mode takes of them: of a reflection all but the first one, of a
    map that goes on with its other end all; an edge, and zeros, are there at any size."""
    if mode not in _TAKEN:
        return
    size, (word, kept) = sizes[axis], _TAKEN[mode]

    def refusal() -> Refusal:
        help = f"at most {size - kept} here" if isinstance(size, int) else None
        return Refusal("SC317", f"{size} {CELL[len(sizes)]}s cannot be {word} over {max(pads)}", attribute, help)

    yield Need(axis, size - kept - max(pads), refusal)
