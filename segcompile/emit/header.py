"""What the first lines of a generated model say: where it comes from, and for which images."""

from __future__ import annotations

from typing import Any

from segcompile.backend import BuildRequest
from segcompile.network.graph import Graph
from segcompile.ops.size import times
from segcompile.text.listing import listed


def header(request: BuildRequest) -> dict[str, Any]:
    """The strings of a model's docstring; empty ones where there is nothing to say."""
    return {
        "spec": request.spec,
        "about": request.about or f"The network {request.model}.",
        "lowered": listed(request.options.lowerings),
        "bases": listed(request.bases),
        "cite": _cite(request),
        "sizes": _sizes(request.graph),
        "legal": ", ".join(str(axis.legal) for axis in request.sizes() if axis is not None),
    }


def _sizes(graph: Graph) -> str:
    """For which input the sizes in comments hold."""
    if graph.rank == 1:
        parts = [f"{shape.size[0]} samples" for shape in graph.inputs.values()]
        return f"{'an input' if len(parts) == 1 else 'inputs'} of {' and '.join(parts)}"
    parts = [times(*shape.size) for shape in graph.inputs.values()]
    article = "an" if parts[0].startswith(("8", "11 ", "18 ", "H")) else "a"  # as one reads it aloud
    return f"{article} {parts[0]} input" if len(parts) == 1 else f"inputs of {' and '.join(parts)}"


def _cite(request: BuildRequest) -> str:
    words = {"arxiv": "arXiv {}", "doi": "doi {}", "table": "table {}", "url": "{}"}
    return ", ".join(words[key].format(value) for key, value in request.cite.items() if key in words)
