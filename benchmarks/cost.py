"""What the compiler costs: its cold start against that of its libraries, and how cost grows with a spec.

    python benchmarks/cost.py

CPU seconds of whole processes (user + system), the median of several runs, alternated so that a machine that drifts
does not favour one side. Figures are ratios within one run of this script. All modules are compiled to bytecode
beforehand, as pip leaves them where it installs.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = 9
BYTECODE = tempfile.TemporaryDirectory(prefix="bytecode")  # also where PYTHONDONTWRITEBYTECODE is set, or none fits
ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": BYTECODE.name}


def cpu_seconds(*arguments: str) -> float:
    """CPU time of one `python ...` process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def alternated(first: tuple[str, ...], second: tuple[str, ...], runs: int) -> tuple[float, float]:
    """The median CPU seconds of two commands, run in turn after a warm-up of each."""
    cpu_seconds(*first)
    cpu_seconds(*second)
    pairs = [(cpu_seconds(*first), cpu_seconds(*second)) for _ in range(runs)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def long_spec(layers: int) -> str:
    """A network of that many layers: residual blocks, so that names, scopes and joins count too."""
    lines = [
        "segcompile: 1", "model: long", "input: {channels: 8, size: 32768}",
        "defaults: {conv: {kernel: 3, pad: same, act: relu}}", "layers:", "  - r0: {conv: 8}",
    ]  # fmt: skip
    for index in range(1, layers // 4):
        lines += [f"  - a{index}: {{conv: 8}}", f"  - b{index}: {{conv: 8, dilation: {index % 7 + 1}}}"]
        lines += [
            f"  - c{index}: {{conv: 8, kernel: 1, act: none}}",
            f"  - r{index}: {{add: [c{index}, r{index - 1}]}}",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    print(f"{platform.machine()}, Python {platform.python_version()}; CPU seconds, medians of {RUNS} alternated runs")
    check = ("-m", "segcompile", "check", str(ROOT / "specs" / "dilated_large.yaml"))
    ours, libraries = alternated(check, ("-c", "import pydantic, click"), RUNS)
    print(
        f"check dilated_large   {ours:6.2f} s   {ours / libraries:5.1f} x `import pydantic, click` ({libraries:.2f} s)"
    )
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.yaml", Path(folder) / "large.yaml"
        small.write_text(long_spec(1_000), encoding="utf-8")
        large.write_text(long_spec(10_000), encoding="utf-8")
        for name, tail in (
            ("check", ()),
            ("rf", ()),
            ("build", ("--backend", "torch", "--dry-run", "--out", folder + "/x")),
        ):
            a, b = alternated(
                ("-m", "segcompile", name, str(small), *tail), ("-m", "segcompile", name, str(large), *tail), 3
            )
            print(f"{name:<8} 1,000 layers {a:6.2f} s   10,000 layers {b:6.2f} s   {b / a:5.1f} x")


if __name__ == "__main__":
    main()
