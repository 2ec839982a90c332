"""`python -m segcompile.testing.digests BACKEND`: what a process emits of the bundled specs, as digests in JSON."""

from __future__ import annotations

import json
import sys

from segcompile.backend import load_backend, run_backend
from segcompile.testing import cases
from segcompile.testing.checks.files import digests


def main(name: str) -> None:
    """Print case -> path -> digest, of all cases that the backend declares."""
    backend = load_backend(name)
    declared = [case for case in (*cases.specs(), *cases.trained()) if case.is_declared(backend)]
    print(json.dumps({case.name: digests(run_backend(backend, case.request).files) for case in declared}))


if __name__ == "__main__":
    main(sys.argv[1])
