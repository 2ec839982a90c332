"""Members of one class that are counted and called one after the other, as a loop: the same names, and the same values.

`self.unit2 = Basic(64)`, `x = self.unit2(x)` and so on become `setattr(self, f"unit{i}", Basic(64))` and
`x = getattr(self, f"unit{i}")(x)`: what a list of modules cannot give, the names that the weights of a network have.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from segcompile.emit.body import COUNTER, Member, Statement
from segcompile.emit.calls import Argument, Call

_LEAST = 3  # members in a loop
_COUNTED = re.compile(r"self\.(\w*?\D)(0|[1-9]\d*)\((.*)\)")
_STRAIGHT = ("x", "y")  # variables of which nothing behind the next line reads the value


@dataclass(frozen=True, slots=True)
class _Turn:
    """A line of forward that calls a counted member: `<target> = self.<stem><number>(<arguments>)`."""

    statement: Statement
    member: Member
    stem: str
    number: int
    arguments: str


def with_loops(
    members: Sequence[Member], statements: Sequence[Statement], apart: Collection[str]
) -> tuple[list[Member], list[Statement]]:
    """The members of a scope and the statements of its forward, with loops for those that repeat. Scopes that are
    `apart` are reached by their names from elsewhere, and stay members of their own."""
    called = {member.attribute: member for member in members if member.scopes and not {*member.scopes} & {*apart}}
    turns = [_turn(statement, called) for statement in statements]
    lines, replaced, index = list[Statement](), dict[str, list[Member]](), 0
    while index < len(turns):
        run = _run(turns[index:])
        if len(run) < _LEAST:
            lines.append(statements[index])
            index += 1
            continue
        lines += _looped_lines(run)
        replaced |= {turn.member.attribute: [] for turn in run} | {run[0].member.attribute: _looped_members(run)}
        index += len(run)
    return [new for member in members for new in replaced.get(member.attribute, [member])], lines


def _turn(statement: Statement, called: Mapping[str, Member]) -> _Turn | None:
    match = None if statement.optional else _COUNTED.fullmatch(statement.code)
    member = called.get(f"{match[1]}{match[2]}") if match else None
    return _Turn(statement, member, match[1], int(match[2]), match[3]) if match and member else None


def _run(turns: Sequence[_Turn | None]) -> list[_Turn]:
    """The first turns that one loop can stand for; the last one's result may have a name of its own."""
    run = list[_Turn]()
    for turn in turns:
        if turn is None or not _follows(turn, run):
            break
        run.append(turn)
        if turn.statement.target != run[0].statement.target:
            break
    return run


def _follows(turn: _Turn, run: Sequence[_Turn]) -> bool:
    """Whether a turn is what the loop of those before would do next."""
    if not run:
        return True
    first, last, target = run[0], run[-1], turn.statement.target
    if (turn.stem, turn.number, turn.arguments) != (first.stem, last.number + 1, first.arguments):
        return False
    if turn.statement.stage or (turn.statement.declares and target == first.statement.target):
        return False
    if target != first.statement.target and (first.statement.target not in _STRAIGHT or not target.isidentifier()):
        return False
    return _steps([each.member.call for each in (*run, turn)]) is not None


def _steps(calls: Sequence[Call]) -> list[int] | None:
    """By how much each argument grows from call to call; None where it does so in another way."""
    if len({(call.function, call.roles) for call in calls}) > 1:
        return None
    steps = [_step(column) for column in zip(*(call.slots for call in calls), strict=True)]
    found = [step for step in steps if step is not None]
    return found if len(found) == len(steps) else None


def _step(column: Sequence[Argument]) -> int | None:
    if all(value == column[0] for value in column):
        return 0
    numbers = [value for value in column if type(value) is int]
    steps = {after - before for before, after in pairwise(numbers)}
    return steps.pop() if len(numbers) == len(column) and len(steps) == 1 and min(steps) > 0 else None


def _looped_members(run: Sequence[_Turn]) -> list[Member]:
    first, calls = run[0], [turn.member.call for turn in run]
    name = f"{first.stem}{{{COUNTER}}}"
    count = Call("range", (first.number, run[-1].number + 1), names=("start", "stop"))
    scopes = tuple(scope for turn in run for scope in turn.member.scopes)
    steps = tuple(_steps(calls) or ())
    return [Member(name, count, opens=True), Member(name, first.member.call, None, scopes, steps, inside=True)]


def _looped_lines(run: Sequence[_Turn]) -> list[Statement]:
    """The loop, whose comment says what its last turn makes."""
    first, last = run[0], run[-1]
    comment = next((turn.statement.comment for turn in reversed(run) if turn.statement.comment), ())
    count = Statement(COUNTER, f"range({first.number}, {last.number + 1})", stage=first.statement.stage, opens=True)
    code = f'getattr(self, f"{first.stem}{{{COUNTER}}}")({first.arguments})'
    lines = [count, replace(first.statement, code=code, comment=comment, stage="", inside=True)]
    if last.statement.target != first.statement.target:
        lines.append(replace(last.statement, code=first.statement.target, comment=()))
    return lines
