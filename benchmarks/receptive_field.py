"""Receptive fields against TorchLens, the best peer there is, on the same networks in the same run; and what ours cost.

    pip install -c constraints.txt -e '.[bench]'    # once: TorchLens, which neither `make setup` nor the tests need
    python benchmarks/receptive_field.py [number of random graphs]

The truth is the gradient, in float64, of the emitted model made linear (tests/conftest.py), at outputs that see no
padding: two periods of them in the middle of the image, along both axes at once. Seconds are of the CPU, one thread,
medians of runs in turn.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sys
from pathlib import Path


def main(count: int = 100) -> int:
    if importlib.util.find_spec("torchlens") is None:
        print("the peer is not installed: pip install -c constraints.txt -e '.[bench]'", file=sys.stderr)
        return 2
    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))  # the truth is measured as the tests do
    import torch
    from fields.comparison import print_drawn, print_nets, rows
    from fields.growth import print_growth

    torch.set_num_threads(1)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "torchlens"))
    print(f"{platform.machine()}, Python {platform.python_version()}, {versions}; one channel")
    print_nets(rows())
    print_drawn(count)
    print_growth()
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
