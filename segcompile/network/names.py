"""Names that generated code can bear: no keyword, nothing the framework owns, nothing twice."""

from __future__ import annotations

from collections.abc import Iterable
from keyword import iskeyword


class Names:
    """The names of one scope of code, each given out once."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._reserved = frozenset(reserved)
        self._times: dict[str, int] = {}

    def new(self, wanted: str) -> str:
        """The name, with `_` behind a reserved one and a number behind one that is taken; it is taken from now on.

        A `_` in front is left out: Python mangles `__name` in a class, and frameworks keep `_name` for themselves.
        """
        name = wanted.lstrip("_") or "layer"
        if iskeyword(name) or name in self._reserved:
            name += "_"
        while True:
            times = self._times[name] = self._times.get(name, 0) + 1
            found = name if times == 1 else f"{name}_{times}"
            if times == 1 or found not in self._times:
                self._times.setdefault(found, 1)
                return found
