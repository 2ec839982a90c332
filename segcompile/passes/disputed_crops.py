"""SC311 for crops whose offset holds along their first paths and not along others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from segcompile.facts.alignment import Coordinates
from segcompile.facts.witness import Atlas, Path, counted
from segcompile.network.graph import Node
from segcompile.ops import AXIS_NAMES, CELL
from segcompile.text.errors import Findings


@dataclass(slots=True)
class Dispute:
    """A crop, its offset along an axis, and what another path (None: of another stride) would make of it.

    The two paths lead from where they part to the inputs of `join`, behind which they are one.
    """

    crop: Node
    axis: int | None  # None: all alike
    offset: int
    otherwise: str
    paths: tuple[Path, Path]
    join: str
    later: list[str] = field(default_factory=list)  # crops that the same join puts in doubt


def find_dispute(atlas: Atlas, crop: Node, offset: tuple[int, ...]) -> Dispute | None:
    """The first axis along which the offset does not lay the source's maps on the reference's, all on all."""
    every = (_along(atlas, crop, axis, cut) for axis, cut in enumerate(offset))
    found = [dispute for dispute in every if dispute is not None]
    if len(found) == len(offset) and all(replace(found[0], axis=other.axis) == other for other in found):
        return replace(found[0], axis=None)
    return found[0] if found else None


def _along(atlas: Atlas, crop: Node, axis: int, offset: int) -> Dispute | None:
    source, reference = (atlas.places[name][axis].every for name in crop.inputs)
    moved = tuple(Coordinates(item.scale, item.shift + offset * item.scale) for item in source)
    for name, ours, theirs, sign in ((crop.inputs[0], moved, reference, -1), (crop.inputs[1], reference, moved, 1)):
        odd = next((entry for entry, item in enumerate(ours) if item not in theirs), None)
        if odd is not None:
            left, right, join = atlas.forked(name, (0, odd), axis)
            otherwise = _otherwise(atlas.graph.rank, theirs[0], ours[odd], offset, sign)
            return Dispute(crop, axis, offset, otherwise, (left, right), join)
    return None


def _otherwise(rank: int, known: Coordinates, odd: Coordinates, offset: int, sign: int) -> str:
    """The offset that lays `odd`, the source's (sign -1) or the reference's, on the other's `known` map."""
    if known.scale != odd.scale:
        return f"by no number of {CELL[rank]}s"
    return f"by {offset + sign * (odd.shift - known.shift) / known.scale}"


def report_disputes(disputes: Sequence[Dispute], atlas: Atlas, findings: Findings) -> None:
    """SC311 for the first dispute about each join and axis, with its two paths; the others are counted there."""
    first: dict[str, Dispute] = {}
    for dispute in disputes:
        known = first.setdefault(dispute.join, dispute)
        if known is not dispute:
            known.later.append(dispute.crop.layer)
    for dispute in first.values():
        _report(dispute, atlas, findings)


def _report(dispute: Dispute, atlas: Atlas, findings: Findings) -> None:
    crop, join = dispute.crop, atlas.graph.layer_of(dispute.join)
    along = f" along the {AXIS_NAMES[atlas.graph.rank][dispute.axis]}" if dispute.axis is not None else ""
    message = f"{crop.layer} is cropped by {dispute.offset}{along}; another path would crop it {dispute.otherwise}"
    offers = (f"by {dispute.offset}", dispute.otherwise)
    words = [
        (path[-1], f"via {atlas.tell(path)} into {join}: {offer}")
        for path, offer in zip(dispute.paths, offers, strict=True)
    ]
    labels, notes = atlas.testify(words)
    if dispute.later:
        what = "in doubt for the same reason and"
        notes.append(counted(dispute.later, f"crop is {what} is", f"crops are {what} are"))
    help = f"the paths meet apart in `{join}`: mend that join, or give the crop an `offset`"
    findings.add("SC311", message, crop.origin.span, labels=labels, help=help, notes=notes)
