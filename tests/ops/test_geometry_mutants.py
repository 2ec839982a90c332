"""Every rule of the geometry one more or one less: a fast test fails, or the list below says why no input can tell."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).with_name("geometry_mutants.py")
_spec = importlib.util.spec_from_file_location("geometry_mutants", FILE)
assert _spec is not None and _spec.loader is not None
geometry_mutants = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = geometry_mutants
_spec.loader.exec_module(geometry_mutants)

_AWAY = "a slack below zero is refused, whatever it is, and its axis is told to nobody who has numbers"
_PLAIN = "it chooses between sizes that are equal, or are refused by `needs`"
_NUMBERS = "sizes that do not grow are numbers"
_ONLY = "the first of a list of one is its last"
_SHORTCUT = "it only saves time"
NO_INPUT_TELLS = {
    "joins.Join.needs: -1 -1 (#1)": _AWAY,
    "joins.Join.needs: 0 +1 (#2)": _AWAY,
    "joins.Join.needs: 0 -1 (#2)": _AWAY,
    "joins.Join.needs: 1 +1 (#3)": _AWAY,
    "joins._spread_at: 0 -1 (#2)": _ONLY,
    "joins._spread_at: 0 -1 (#3)": _ONLY,
    "joins.Join._common: 0 +1 (#1)": _PLAIN,
    "joins.Join._common: 0 -1 (#1)": _PLAIN,
    "pooling.Pool._least: 1 -1 (#0)": "each map has a pixel",
    "pooling.Pool._least: 0 +1 (#1)": "a window that begins at the first pixel holds it",
    "resampling.Resize.chains: 1 -1 (#1)": f"beside an output that lies on a pixel there is none: {_SHORTCUT}",
    "resampling.Resize.chains: 2 -1 (#3)": f"beside an output that lies on a pixel there is none: {_SHORTCUT}",
    "size.AnySize.__floordiv__: 1 -1 (#0)": f"a floor by 1 changes nothing: {_SHORTCUT}",
    "size._floored: size.step * turns +1 (#5)": "it is a multiple of the divisor, and one more is rounded away",
    "size._extreme: 1 -1 (#0)": "the first size beside itself is itself",
    "size._either: gap.step +1 (#3)": f"it is no zero here: {_NUMBERS}",
    "size._either: 0 -1 (#4)": f"it is no zero here: {_NUMBERS}",
    "size._either: 1 +1 (#5)": "only its sign is used",
    "size._either: 1 +1 (#6)": "only its sign is used",
    "size._either: gap.period + 1 +1 (#10)": "it tries the first residue twice",
    "size.primes: number + 1 +1 (#1)": "the loop ends at the largest prime factor at the latest",
    "size.primes: 1 +1 (#6)": f"no number but the last one is left over: {_SHORTCUT}",
    "size.primes: 1 -1 (#6)": f"no number but the last one is left over: {_SHORTCUT}",
}


@pytest.mark.long
@pytest.mark.parametrize("function", geometry_mutants.functions())
def test_every_mutant_of_a_function_is_killed_by_a_fast_test_or_listed(function: str) -> None:
    tried = subprocess.run([sys.executable, FILE, function], capture_output=True, text=True, check=False)
    print(tried.stdout)
    assert not tried.stderr
    alive = {line.removeprefix("ALIVE").strip() for line in tried.stdout.splitlines() if line.startswith("ALIVE")}
    listed = {name for name in NO_INPUT_TELLS if name.partition(".")[2].startswith(f"{function}: ")}
    assert alive == listed


def test_what_the_list_names_are_mutants() -> None:
    assert set(NO_INPUT_TELLS) <= set(map(str, geometry_mutants.mutants()))
    assert all(NO_INPUT_TELLS.values())


def test_a_mutant_is_the_function_with_one_number_changed() -> None:
    mutant = next(found for found in geometry_mutants.mutants() if found.function == "same_pads")
    assert str(mutant) == "base.same_pads: dilation * (kernel - 1) +1 (#0)"
    rule = type(lambda: None)(geometry_mutants.mutated(mutant), {})
    assert rule(3, 2) == (2, 3)  # of a total of 5, not 4
