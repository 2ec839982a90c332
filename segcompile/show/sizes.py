"""Which sizes of the image a network takes, and why: `segcompile sizes`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from segcompile.facts.size_causes import AxisCauses, Cause, Rounded
from segcompile.facts.size_set import SizeSet
from segcompile.facts.sizes import AxisSizes, Sizes
from segcompile.ops import AXIS_NAMES, LINES, MEDIUM

_FEW = 6  # layers that a text names


@dataclass(frozen=True, slots=True)
class Looked:
    """One size that was asked about, and which strides round there; none are looked for where it is not taken."""

    size: tuple[int, ...]
    rounded: tuple[Rounded, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The sizes of a network along each axis, and their causes."""

    model: str
    sizes: Sizes
    causes: Sequence[AxisCauses | None]
    looked: Looked | None = None

    @property
    def rank(self) -> int:
        return len(self.sizes)

    @property
    def known(self) -> list[tuple[AxisSizes, AxisCauses]]:
        """Along the axes whose sizes may be any, the outermost first."""
        pairs = zip(self.sizes, self.causes, strict=True)
        return [(sizes, causes) for sizes, causes in pairs if sizes is not None and causes is not None]


def sizes_text(answer: Answer) -> str:
    """The sizes along each axis, once for those that are alike, each with the layers that decide them."""
    lines = [f"{answer.model} takes"]
    for sizes, causes, alike in _apart(answer):
        lines += _sizes(f"  {_named(sizes.legal, alike)}", causes.legal)
        lines += _exact(sizes, causes, alike)
    return "\n".join([*lines, *(_looked(answer, answer.looked) if answer.looked is not None else ())])


def _apart(answer: Answer) -> Iterator[tuple[AxisSizes, AxisCauses, list[str]]]:
    """Sizes and causes of the axes that differ, with the symbols of those that are like them."""
    told: dict[object, tuple[AxisSizes, AxisCauses, list[str]]] = {}
    for sizes, causes in answer.known:
        exact = sizes.exact and sizes.exact.least
        key = (sizes.legal.least, exact, _names(causes.legal), _names(causes.exact))
        if key in told:
            told[key][2].append(sizes.legal.symbol)
        else:
            told[key] = (sizes, causes, [])
    yield from told.values()


def _names(causes: Sequence[Cause]) -> tuple[str, ...]:
    return tuple(node.name for node, _ in causes)


def _named(sizes: SizeSet, alike: Sequence[str]) -> str:
    return f"{sizes}, and {' and '.join(alike)} alike" if alike else str(sizes)


def _sizes(title: str, causes: Sequence[Cause]) -> list[str]:
    width = max((len(node.layer) for node, _ in causes[:_FEW]), default=0)
    lines = [f"    {node.layer:<{width}}  {node.op.title}: {sizes}" for node, sizes in causes[:_FEW]]
    more = [f"    and {len(causes) - _FEW} more"] if len(causes) > _FEW else []
    return [title, *lines, *more]


def _exact(sizes: AxisSizes, causes: AxisCauses, alike: Sequence[str]) -> list[str]:
    """At which of the sizes no stride rounds."""
    if sizes.exact is None:
        return ["  at which of them no stride rounds cannot be written down"]
    if sizes.exact == sizes.legal:
        return ["  no stride rounds"]
    if not sizes.exact.residues:
        return _sizes("  some stride rounds at each of them", causes.exact)
    return _sizes(f"  no stride rounds at {_named(sizes.exact, alike)}", causes.exact)


def _looked(answer: Answer, looked: Looked) -> Iterator[str]:
    """Along each axis whether a size is taken, where no stride rounds near it, and what is lost at it."""
    yield ""
    yield f"{MEDIUM[answer.rank]} of {' x '.join(map(str, looked.size))}"
    for axis, (sizes, size) in enumerate(zip(answer.sizes, looked.size, strict=True)):
        if sizes is not None:
            yield f"  {_taken(sizes, size)}"
            yield from (f"    {_told(each, answer.rank)}" for each in looked.rounded if each.axis == axis)


def _taken(sizes: AxisSizes, size: int) -> str:
    symbol = sizes.legal.symbol
    if not sizes.legal.legal(size):
        return f"{symbol} = {size} is not taken; {_nearest(sizes.legal, size)}"
    if sizes.exact is None:
        return f"{symbol} = {size} is taken"
    if sizes.exact.legal(size):
        return f"{symbol} = {size} is taken, and no stride rounds"
    near = f"; none does at {_nearest(sizes.exact, size)}" if sizes.exact.residues else ""
    return f"{symbol} = {size} is taken, and strides round{near}"


def _nearest(sizes: SizeSet, size: int) -> str:
    """`372 (crop 3) or 388 (pad 13)`."""
    below, above = sizes.nearest(size)
    crop = [f"{below} (crop {size - below})"] if below is not None else []
    pad = [f"{above} (pad {above - size})"] if above is not None else []
    return " or ".join([*crop, *pad])


def _told(found: Rounded, rank: int) -> str:
    lines = LINES[rank][found.axis]
    if found.beyond:
        return f"{found.node.layer} reads {found.beyond} beyond its {found.size} {lines}"
    left = [f"{found.lost} of its {found.size} {lines}"] if found.lost else []
    left += [f"{found.padding} of the padding behind its {found.size} {lines}"] if found.padding else []
    return f"{found.node.layer} leaves out {' and '.join(left)}"


# --- the same as data -------------------------------------------------------------------------------------------------


def sizes_json(answer: Answer) -> dict[str, Any]:
    """Axis -> its sizes, and the layers that decide them; what was asked about one size."""
    axes = {}
    for axis, sizes, causes in zip(AXIS_NAMES[answer.rank], answer.sizes, answer.causes, strict=True):
        if sizes is not None and causes is not None:
            axes[axis] = {
                "legal": set_json(sizes.legal), "because": _causes_json(causes.legal),
                "exact": set_json(sizes.exact), "rounds": _causes_json(causes.exact),
            }  # fmt: skip
    looked = answer.looked
    return {"model": answer.model, "axes": axes, "at": None if looked is None else _looked_json(answer, looked)}


def set_json(sizes: SizeSet | None) -> dict[str, Any] | None:
    """`least`: the smallest size of each of the residues. None where the set cannot be written down."""
    if sizes is None:
        return None
    least = [sizes.least[residue] for residue in sizes.residues]
    return {"text": str(sizes), "modulus": sizes.modulus, "residues": list(sizes.residues), "least": least}


def _causes_json(causes: Sequence[Cause]) -> list[dict[str, Any]]:
    return [{"layer": node.layer, "op": node.op.title, "sizes": set_json(sizes)} for node, sizes in causes]


def _looked_json(answer: Answer, looked: Looked) -> dict[str, Any]:
    found = {}
    for axis, sizes, size in zip(AXIS_NAMES[answer.rank], answer.sizes, looked.size, strict=True):
        if sizes is not None:
            found[axis] = {
                "size": size, "legal": sizes.legal.legal(size), "nearest": sizes.legal.nearest(size),
                "exact": None if sizes.exact is None else sizes.exact.legal(size),
                "nearest_exact": None if sizes.exact is None else sizes.exact.nearest(size),
            }  # fmt: skip
    rounded = [
        {
            "layer": each.node.layer, "axis": AXIS_NAMES[answer.rank][each.axis], "size": each.size,
            "lost": each.lost, "padding": each.padding, "beyond": each.beyond,
        }
        for each in looked.rounded
    ]  # fmt: skip
    return {**found, "rounded": rounded}
