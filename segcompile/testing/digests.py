"""`python -m segcompile.testing.digests BACKEND CASE`: what a process emits of a whole network, as digests in JSON."""

from __future__ import annotations

import json
import sys

from segcompile.backend import load_backend, run_backend
from segcompile.testing import cases
from segcompile.testing.checks.files import digests


def main(backend: str, name: str) -> None:
    """Print path -> digest."""
    (case,) = (case for case in (*cases.specs(name), *cases.trained()) if case.name == name)
    print(json.dumps(digests(run_backend(load_backend(backend), case.request).files)))


if __name__ == "__main__":
    main(*sys.argv[1:])
