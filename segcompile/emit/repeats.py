"""Members of one class that are counted and called one after the other, as a loop: the same names, and the same values.

`self.unit2 = Basic(64)`, `x = self.unit2(x)` and so on become `setattr(self, f"unit{i}", Basic(64))` and
`x = getattr(self, f"unit{i}")(x)`: what a list of modules cannot give, the names that the weights of a network have.
Where each turn has a result of its own, en2, en3, ..., these are places in a row: `en[i] = getattr(...)(en[i - 1])`.
Layers are a loop only in a block whose uses have more or fewer of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from segcompile.emit.body import COUNTER, Body, Member, Statement
from segcompile.emit.calls import Argument, Call
from segcompile.emit.counted import Counted, Loops, stem_of
from segcompile.emit.rows import from_turn, in_row, rows

_CALLED = re.compile(r"self\.(\w+)")
_STRAIGHT = ("x", "y")  # variables of which nothing behind the next line reads the value


@dataclass(frozen=True, slots=True)
class _Turn:
    """A line of forward that calls a counted scope, or the modules of a counted layer: `x = self.<stem><number>(x)`."""

    statement: Statement
    members: tuple[Member, ...]
    stem: str
    number: int

    @property
    def code(self) -> str:
        """Its code with the counter in the place of its number."""
        name = rf"self\.{self.stem}{self.number}((?:_\w+)?)\("
        return from_turn(
            re.sub(name, rf'getattr(self, f"{self.stem}{{{COUNTER}}}\1")(', self.statement.code), self.number
        )

    @property
    def counted(self) -> Counted:
        return self.stem, bool(self.members[0].scopes)

    @property
    def target(self) -> str:
        return from_turn(self.statement.target, self.number)

    def attribute(self, member: Member) -> str:
        """What one of its members is called in all turns."""
        return f"{self.stem}{{{COUNTER}}}{member.attribute.removeprefix(f'{self.stem}{self.number}')}"


def with_loops(body: Body, loops: Loops) -> None:
    """Write members of a body that repeat, and the statements that call them, as loops."""
    members, statements = body.members, _carried(body, loops)
    body.members, body.statements = _looped(members, statements, loops)
    for stem in rows(body, statements):
        placed = in_row(statements, stem)
        found, lines = _looped(members, placed, loops)
        if any(line.inside and line.target.startswith(f"{stem}[") for line in lines):
            statements = placed
            body.members, body.statements = found, lines


def _carried(body: Body, loops: Loops) -> list[Statement]:
    """The statements, in which what enters the first of some turns is called as what it hands to the next one:
    `out2 = self.new(out1)` before `out1, out2 = self.unit1(out1, out2)`."""
    called = {member.attribute: member for member in body.members if loops.may_hold(member)}
    found = list(body.statements)
    for index in range(len(found) - 2):
        before, first, second = found[index : index + 3]
        following = _turn(second, called)
        if following is None or before.declares or before.target not in _STRAIGHT:
            continue
        for name in {*first.target.split(", ")} - {"_", *re.findall(r"\w+", first.code)}:
            renamed = replace(first, code=re.sub(rf"(?<![\w.]){before.target}(?!\w)", name, first.code))
            turn = _turn(renamed, called)
            if turn is not None and _follows(following, [turn]):
                found[index : index + 2] = replace(before, target=name), renamed
    return found


def _looped(
    members: Sequence[Member], statements: Sequence[Statement], loops: Loops
) -> tuple[list[Member], list[Statement]]:
    called = {member.attribute: member for member in members if loops.may_hold(member)}
    turns = [_turn(statement, called) for statement in statements]
    lines, replaced, index = list[Statement](), dict[str, list[Member]](), 0
    while index < len(turns):
        run = _run(turns[index:])
        if not run or not loops.are(run[0].counted, len(run)):
            lines.append(statements[index])
            index += 1
            continue
        lines += _looped_lines(run)
        replaced |= {member.attribute: [] for turn in run for member in turn.members}
        replaced |= {run[0].members[0].attribute: _looped_members(run)}
        index += len(run)
    return [new for member in members for new in replaced.get(member.attribute, [member])], lines


def _turn(statement: Statement, called: Mapping[str, Member]) -> _Turn | None:
    names = _CALLED.findall(statement.code)
    stem, number = stem_of(names[-1]) if names and not statement.optional else ("", 0)
    alike = stem and all(re.fullmatch(rf"{stem}{number}(_\w+)?", name) and name in called for name in names)
    return _Turn(statement, tuple(called[name] for name in called if name in names), stem, number) if alike else None


def _run(turns: Sequence[_Turn | None]) -> list[_Turn]:
    """The first turns that one loop can stand for; the last one's result may have a name of its own."""
    run = list[_Turn]()
    for turn in turns:
        if turn is None or not _follows(turn, run):
            break
        run.append(turn)
        if turn.target != run[0].target:
            break
    return run


def _follows(turn: _Turn, run: Sequence[_Turn]) -> bool:
    """Whether a turn is what the loop of those before would do next."""
    if not run:
        return True
    first, last = run[0], run[-1]
    if (turn.stem, turn.code) != (first.stem, first.code) or turn.number - last.number != _step_of([*run, turn]):
        return False
    if turn.statement.stage or (turn.statement.declares and turn.target == first.target):
        return False
    if not _drops(turn.target, first.target) and (first.target not in _STRAIGHT or not turn.target.isidentifier()):
        return False
    steps = _steps([*run, turn])
    return steps is not None and (turn.number > first.number or not any(map(any, steps)))


def _drops(target: str, usual: str) -> bool:
    """Whether a target is the usual one, or one that drops some of the results."""
    parts, others = target.split(", "), usual.split(", ")
    return len(parts) == len(others) and all(a in ("_", b) for a, b in zip(parts, others, strict=True))


def _step_of(run: Sequence[_Turn]) -> int:
    """Whether turns are counted up or down."""
    return -1 if run[-1].number < run[0].number else 1


def _steps(run: Sequence[_Turn]) -> list[tuple[int, ...]] | None:
    """By how much each argument of each member grows from turn to turn; None where it does so in another way."""
    steps = [
        _growth([member.call for member in members]) for members in zip(*(turn.members for turn in run), strict=True)
    ]
    found = [step for step in steps if step is not None]
    return found if len(found) == len(steps) else None


def _growth(calls: Sequence[Call]) -> tuple[int, ...] | None:
    if len({(call.function, call.roles) for call in calls}) > 1:
        return None
    steps = [_step(column) for column in zip(*(call.slots for call in calls), strict=True)]
    found = [step for step in steps if step is not None]
    return tuple(found) if len(found) == len(steps) else None


def _step(column: Sequence[Argument]) -> int | None:
    if all(value == column[0] for value in column):
        return 0
    numbers = [value for value in column if type(value) is int]
    steps = {after - before for before, after in pairwise(numbers)}
    return steps.pop() if len(numbers) == len(column) and len(steps) == 1 and min(steps) > 0 else None


def _looped_members(run: Sequence[_Turn]) -> list[Member]:
    first, step = run[0], _step_of(run)
    numbers = (first.number, run[-1].number + step) if step > 0 else (first.number, run[-1].number + step, step)
    count = Call("range", numbers, names=("start", "stop", "step")[: len(numbers)])
    found = [Member(f"{first.stem}{{{COUNTER}}}", count, opens=True)]
    for index, (member, steps) in enumerate(zip(first.members, _steps(run) or (), strict=True)):
        every = [turn.members[index] for turn in run]
        nodes = tuple(node for each in every for node in each.nodes)
        scopes = tuple(scope for each in every for scope in each.scopes)
        found.append(Member(first.attribute(member), member.call, nodes, scopes, steps, inside=True))
    return found


def _looped_lines(run: Sequence[_Turn]) -> list[Statement]:
    """The loop, whose comment says what its last turn makes."""
    first, last, step = run[0], run[-1], _step_of(run)
    comment = next((turn.statement.comment for turn in reversed(run) if turn.statement.comment), ())
    numbers = f"{first.number}, {last.number + step}{'' if step > 0 else f', {step}'}"
    count = Statement(COUNTER, f"range({numbers})", stage=first.statement.stage, opens=True)
    inside = replace(first.statement, target=first.target, code=first.code, comment=comment, stage="", inside=True)
    if _drops(last.target, first.target):
        return [count, inside]
    return [count, inside, replace(last.statement, code=first.target, comment=())]
