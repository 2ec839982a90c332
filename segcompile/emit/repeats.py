"""Members of one class that are counted and called one after the other, as a loop: the same names, and the same values.

`self.unit2 = Basic(64)`, `x = self.unit2(x)` and so on become `setattr(self, f"unit{i}", Basic(64))` and
`x = getattr(self, f"unit{i}")(x)`: what a list of modules cannot give, the names that the weights of a network have.
Where each turn has a result of its own, en2, en3, ..., these are places in a row: `en[i] = getattr(...)(en[i - 1])`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from segcompile.emit.body import COUNTER, Body, Member, Statement
from segcompile.emit.calls import Argument, Call

LEAST = 3  # members in a loop
_COUNTED = re.compile(r"self\.(\w*?\D)(0|[1-9]\d*)\((.*)\)")
_NUMBERED = re.compile(r"([A-Za-z]\w*?[A-Za-z]|[A-Za-z])([1-9]\d*)")
_AT = re.compile(r"(\w+)\[(\d+)\]")  # in a row
_STRAIGHT = ("x", "y")  # variables of which nothing behind the next line reads the value


@dataclass(frozen=True, slots=True)
class _Turn:
    """A line of forward that calls a counted member: `<target> = self.<stem><number>(<arguments>)`."""

    statement: Statement
    member: Member
    stem: str
    number: int
    arguments: str

    def counted(self, text: str) -> str:
        """A text in which places in rows are counted from this turn's number: `en[i - 1]`."""
        return _AT.sub(lambda match: f"{match[1]}[{_behind(int(match[2]) - self.number)}]", text)


def _behind(more: int) -> str:
    return f"{COUNTER} {'-' if more < 0 else '+'} {abs(more)}" if more else COUNTER


def with_loops(body: Body, apart: Collection[str], least: int) -> None:
    """Write members of a body that repeat, and the statements that call them, as loops of `least` turns or more. Scopes
    that are `apart` are reached by their names from elsewhere, and stay members of their own."""
    members, statements = body.members, body.statements
    body.members, body.statements = _looped(members, statements, apart, least)
    for stem in _rows(body, statements):
        in_row = _in_row(statements, stem)
        found, lines = _looped(members, in_row, apart, least)
        if any(line.inside and line.target.startswith(f"{stem}[") for line in lines):
            statements = in_row
            body.members, body.statements = found, lines


def _rows(body: Body, statements: Sequence[Statement]) -> Iterator[str]:
    """What numbered variables have in common, `en` of en1, en2, ..., where these could be places in one row."""
    found: dict[str, list[int]] = {}
    for statement in statements:
        match = _NUMBERED.fullmatch(statement.target)
        if match is not None:
            found.setdefault(match[1], []).append(int(match[2]))
    said = {*body.argument_names, *body.result_names}
    words = {word for each in statements for word in re.findall(r"(?<![\w.])\w+", f"{each.target} {each.code}")} | said
    for stem, numbers in found.items():
        free = stem not in words and not said & {f"{stem}{number}" for number in numbers}
        if free and numbers == [*range(numbers[0], numbers[0] + len(numbers))]:
            yield stem


def _in_row(statements: Sequence[Statement], stem: str) -> list[Statement]:
    """The statements with `en[2]` for en2; the first of them makes the row."""
    lines, made = list[Statement](), False
    for statement in statements:
        target, code = (
            re.sub(rf"(?<![\w.]){stem}([1-9]\d*)\b", rf"{stem}[\1]", text)
            for text in (statement.target, statement.code)
        )
        match = None if made else _AT.fullmatch(target)
        if match is not None and match[1] == stem:
            made, target, code = True, stem, f"{{{match[2]}: {code}}}"
        lines.append(replace(statement, target=target, code=code))
    return lines


def _looped(
    members: Sequence[Member], statements: Sequence[Statement], apart: Collection[str], least: int
) -> tuple[list[Member], list[Statement]]:
    called = {member.attribute: member for member in members if member.scopes and not {*member.scopes} & {*apart}}
    turns = [_turn(statement, called) for statement in statements]
    lines, replaced, index = list[Statement](), dict[str, list[Member]](), 0
    while index < len(turns):
        run = _run(turns[index:])
        if len(run) < least:
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
        if turn.counted(turn.statement.target) != run[0].counted(run[0].statement.target):
            break
    return run


def _follows(turn: _Turn, run: Sequence[_Turn]) -> bool:
    """Whether a turn is what the loop of those before would do next."""
    if not run:
        return True
    first, last = run[0], run[-1]
    alike = (turn.stem, turn.counted(turn.arguments)) == (first.stem, first.counted(first.arguments))
    if not alike or turn.number - last.number != _step_of([*run, turn]):
        return False
    target, usual = turn.counted(turn.statement.target), first.counted(first.statement.target)
    if turn.statement.stage or (turn.statement.declares and target == usual):
        return False
    if not _drops(target, usual) and (usual not in _STRAIGHT or not target.isidentifier()):
        return False
    steps = _steps([each.member.call for each in (*run, turn)])
    return steps is not None and (turn.number > first.number or not any(steps))


def _drops(target: str, usual: str) -> bool:
    """Whether a target is the usual one, or one that drops some of the results."""
    parts, others = target.split(", "), usual.split(", ")
    return len(parts) == len(others) and all(a in ("_", b) for a, b in zip(parts, others, strict=True))


def _step_of(run: Sequence[_Turn]) -> int:
    """Whether turns are counted up or down."""
    return 1 if run[1].number > run[0].number else -1


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
    first, step = run[0], _step_of(run)
    name = f"{first.stem}{{{COUNTER}}}"
    numbers = (first.number, run[-1].number + step) if step > 0 else (first.number, run[-1].number + step, step)
    count = Call("range", numbers, names=("start", "stop", "step")[: len(numbers)])
    scopes = tuple(scope for turn in run for scope in turn.member.scopes)
    steps = tuple(_steps([turn.member.call for turn in run]) or ())
    return [Member(name, count, opens=True), Member(name, first.member.call, None, scopes, steps, inside=True)]


def _looped_lines(run: Sequence[_Turn]) -> list[Statement]:
    """The loop, whose comment says what its last turn makes."""
    first, last, step = run[0], run[-1], _step_of(run)
    comment = next((turn.statement.comment for turn in reversed(run) if turn.statement.comment), ())
    numbers = f"{first.number}, {last.number + step}{'' if step > 0 else f', {step}'}"
    count = Statement(COUNTER, f"range({numbers})", stage=first.statement.stage, opens=True)
    target, arguments = first.counted(first.statement.target), first.counted(first.arguments)
    code = f'getattr(self, f"{first.stem}{{{COUNTER}}}")({arguments})'
    lines = [count, replace(first.statement, target=target, code=code, comment=comment, stage="", inside=True)]
    if not _drops(last.counted(last.statement.target), target):
        lines.append(replace(last.statement, code=target, comment=()))
    return lines
