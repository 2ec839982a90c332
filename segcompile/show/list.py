"""What `segcompile list` tells: the bundled specs, the installed backends, and the ops."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

Op = tuple[str, str, str]  # its name in a spec, its kinds, and what it is


def list_text(specs: Collection[str], backends: Mapping[str, str], ops: Sequence[Op]) -> str:
    """The three lists, one under the other."""
    lines = ["specs", *(f"  {name}" for name in specs), "", "backends"]
    lines += [f"  {name:<12}{value}" for name, value in backends.items()] or ["  none: pip install segcompile-torch"]
    lines += ["", "ops"]
    width = max(len(op) for op, _, _ in ops) + 2
    for op, kind, summary in ops:
        lines.append(f"  {op:<{width}}{summary}" + (f" ({kind})" if kind else ""))
    return "\n".join(lines)


def list_json(specs: Collection[str], backends: Mapping[str, str], ops: Sequence[Op]) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "specs": sorted(specs),
        "backends": dict(backends),
        "ops": [{"op": op, "kinds": kind, "summary": summary} for op, kind, summary in ops],
    }
