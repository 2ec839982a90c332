"""`python -m segcompile.testing.digests BACKEND [CASE]`: what a process emits of whole networks, as digests in JSON."""

from __future__ import annotations

import json
import sys

from segcompile.backend import load_backend, run_backend
from segcompile.testing import cases
from segcompile.testing.bench import Bench
from segcompile.testing.checks.files import digests


def main(name: str, only: str | None = None) -> None:
    """Print case -> path -> digest, of all cases that the backend declares, or of one of them."""
    bench = Bench(load_backend(name), only)
    declared = bench.declared((*cases.specs(only), *cases.trained()))
    print(json.dumps({case.name: digests(run_backend(bench.backend, case.request).files) for case in declared}))


if __name__ == "__main__":
    main(*sys.argv[1:])
