"""segcompile: from a paper's architecture table to checked, standalone code."""

from __future__ import annotations

TYPE_CHECKING = False  # what `typing` says as well; importing it is a twentieth of the command line's start
if TYPE_CHECKING:
    from typing import Any

    from segcompile.notebook import ImportedNetwork, ReceptiveField, from_torch, receptive_field

__version__ = "0.1.0"
__all__ = ["ImportedNetwork", "ReceptiveField", "__version__", "from_torch", "receptive_field"]


def __getattr__(name: str) -> Any:
    """The public names, imported when they are asked for: the command line starts without them."""
    if name in __all__:
        from segcompile import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
