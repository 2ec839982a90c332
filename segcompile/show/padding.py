"""Which outputs see padding: `segcompile rf --layer`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segcompile.notebook.layer import LayerField
from segcompile.notebook.padding import SeenPadding, Side
from segcompile.ops import ENDS, LINES, MEDIUM, Size
from segcompile.show.numbers import area
from segcompile.text.listing import listed


def padding_text(layer: LayerField) -> str:
    """The outputs that see padding: `the first 217 and the last 243 of 500 rows and columns`."""
    found = layer.padding
    if found is None:
        medium = MEDIUM[layer.rank]
        why = f": an op mixes the whole {medium}" if layer.whole_image else ""
        return f"every output depends on the {medium}'s borders{why}"
    tried = f", at the {MEDIUM[layer.rank]} sizes tried"
    where = "" if found.clean is not None else ", at any size" if found.proven else tried
    if not found.anywhere:
        return f"sees no padding{where}"
    sides = ends(found.sides, layer.shape.size)
    return f"sees padding{where}: {'at most ' if found.bound else ''}{sides}{_clean(found)}"


def ends(sides: Sequence[tuple[Side, Side]], size: Sequence[Size]) -> str:
    """`the first 3 and the last 2 of 40 rows and columns`, `no rows, the first 1 of 40 columns`: both ends of each
    axis."""
    told = [_ends(*both, extent) for both, extent in zip(sides, size, strict=True)]
    lines = LINES[len(told)]
    if len(set(told)) == 1:
        return f"{told[0]} {listed(lines)}"
    return ", ".join(f"{each} {line}" for each, line in zip(told, lines, strict=True))


def _ends(first: Side, last: Side, size: Size) -> str:
    """`the first 3 and the last 2 to 4`, `of 40` if that is known; `no`."""
    ends = [f"the {word} {_values(side)}" for word, side in (("first", first), ("last", last)) if any(side)]
    of = f" of {size}" if isinstance(size, int) else ""
    return " and ".join(ends) + of if ends else "no"


def _values(side: Side) -> str:
    return f"{side[0]} to {side[-1]}" if len(side) > 2 else " or ".join(map(str, side))


def _clean(found: SeenPadding) -> str:
    if found.clean is None:
        return ""
    clean = [len(side) for side in found.clean]
    if found.bound:
        return f"; at least {area(clean)} outputs see none" if all(clean) else ""
    return f"; {area(clean)} outputs see none" if all(clean) else "; every output sees some"


def padding_json(layer: LayerField) -> dict[str, Any]:
    """`everywhere`: every output depends on all borders of the image. Else how many outputs see padding at each end
    of each axis, every number that occurs over the sizes of the image, and the [first, last] along each axis that see
    none (null: there are none, or that depends on the size)."""
    found = layer.padding
    if found is None:
        return {"everywhere": True}
    named = zip(ENDS[layer.rank], found.sides, strict=True)
    clean = [(side.start, side.stop - 1) for side in found.clean or () if side]
    return {
        "everywhere": False,
        **{name: side for names, sides in named for name, side in zip(names, sides, strict=True)},
        "clean": clean if len(clean) == layer.rank else None,
        "bound": found.bound,
        "proven": found.proven,
    }
