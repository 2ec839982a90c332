"""How many lines the bundled networks have when they come back from a plain list of layers.

    python benchmarks/readable.py [FILE.onnx ...]

Each network is flattened, so that nothing but its layers and their numbers is left, and written by what `segcompile
import` writes; what is written is read again, and must be the same network. Beside it the lines of the spec that a
person wrote, claims and comments among them; one with a base is short, because the base has the layers.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from segcompile.compiler import compile_spec
from segcompile.importers import is_network_file
from segcompile.language.derive import variants_of
from segcompile.library import bundled, locate
from segcompile.restate import readable, restate
from segcompile.text.errors import Findings


def rows(path: Path) -> Iterator[tuple[str, int, int, str, float]]:
    """Of each variant: name, layers, lines, lines of the file, CPU seconds."""
    for variant in variants_of(path, locate) or (None,):
        found = compile_spec(path, Findings(), variant=variant)
        start = time.process_time()
        text = readable(found.graph, found.facts)
        spent = time.process_time() - start
        with TemporaryDirectory() as folder:  # raises where it is another network
            restate(found.graph, found.facts, Path(folder) / "net.yaml")
        own = "" if is_network_file(path) else str(len(path.read_text(encoding="utf-8").splitlines()))
        name = f"{path.stem}@{variant}" if variant else path.stem
        yield name, len(found.graph.layers), len(text.splitlines()), own, spent


def main(files: list[str]) -> None:
    print(f"{'network':32} {'layers':>6} {'lines':>6} {'by hand':>8} {'seconds':>8}")
    for path in map(Path, files) if files else bundled().values():
        for name, layers, lines, own, spent in rows(path):
            print(f"{name:32} {layers:6} {lines:6} {own:>8} {spent:8.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
