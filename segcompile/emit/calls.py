"""What a backend says about an op: how its module is constructed, how it is applied, and what that code needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from segcompile.ops import Op, Shape

WIDTH = 110  # of a line of generated code

Argument = int | float | str | bool | tuple[int, ...]
Needs = Set[str]  # names that code takes for granted: the generated file imports or defines those that any of it needs


class Code(NamedTuple):
    """A piece of the generated file, and what it needs of the rest of it."""

    text: str
    needs: Needs = frozenset()


@dataclass(frozen=True, slots=True)
class Call:
    """A constructor call whose numbers are still numbers, so that classes can be compared and shared.

    `names` are the roles of the positional arguments, for the class that makes arguments of them; `needs` those of the
    function and of its arguments; `usual` what keywords are where they are not said.
    """

    function: str
    positional: tuple[Argument, ...] = ()
    keywords: tuple[tuple[str, Argument], ...] = ()
    names: tuple[str, ...] = ()
    needs: Needs = frozenset()
    usual: Mapping[str, Argument] = field(default_factory=dict)

    @property
    def slots(self) -> tuple[Argument, ...]:
        """Every argument's value, in order."""
        return (*self.positional, *(value for _, value in self.keywords))

    @property
    def roles(self) -> tuple[str, ...]:
        """What each argument is called."""
        return (*self.names, *(key for key, _ in self.keywords))

    def arguments(self, slots: Sequence[str] | None = None) -> tuple[str, ...]:
        """The arguments as text, with `slots` printed in the place of their values."""
        printed = [str(slot) for slot in self.slots] if slots is None else list(slots)
        plain = printed[: len(self.positional)]
        named = zip((key for key, _ in self.keywords), printed[len(plain) :], strict=True)
        told = [f"{key}={slot}" for key, slot in named if key not in self.usual or slot != str(self.usual[key])]
        return (*plain, *told)


Apply = Callable[[Any, str, Sequence[str], Sequence[Shape], Shape], Code]
MakeMember = Callable[[Any, Sequence[Shape]], Call | None]


class Rule(NamedTuple):
    """How one framework writes an op.

    `apply` is its expression: (op, how its module is reached: `self.conv1`, its inputs' expressions, their shapes, its
    output's shape) -> code. `member` is the constructor of its module, if it has one, or None where the op has none of
    such inputs. `switched` is the expression of a max pool that also gives its switches, where its maxima are: code of
    two values. `by_weights` is the expression where the module is that of another layer, whose weights are shared and
    whose stride, say, is another. `turned` is the module in the place of `member` where the map that it reads has its
    channels last in memory, and leaves them so; what `turns` leaves them so, whatever it reads. `in_rows` is the
    expression of some rows, of an op `within_rows`, where that is not `apply`'s; `after_rows` what is done to them when
    they are whole: a bias is added once to what several rows add up to.
    """

    apply: Apply
    member: MakeMember | None = None
    switched: Apply | None = None
    by_weights: Apply | None = None
    turned: MakeMember | None = None
    turns: bool = False
    in_rows: Apply | None = None
    after_rows: Apply | None = None


AMBIGUOUS = frozenset({"I", "O", "l"})  # no names of variables: they look like numbers (pycodestyle E741)


@dataclass(frozen=True, slots=True)
class Rules:
    """How one framework writes every op, and the words that it keeps for itself.

    Where no rule is `switched` an unpool gets no switches, but finds the maxima anew in its last input.
    No variable may be called as one of `names` in the generated file, no class as one of `classes`.
    `tensor` is the type of what layers give, `axes` the order of a feature map's axes: B, C, and * for those of its
    size. A module is applied by its method `forward`; `handed_on` are keywords, name and type, that each constructor
    takes and gives to those inside. A call of a function whose name begins as one of `typed` gives a `tensor` to a type
    checker, too.
    """

    table: Mapping[type[Op], Rule]
    names: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    tensor: str = "Tensor"
    axes: str = "BC*"
    forward: str = "forward"
    handed_on: tuple[tuple[str, str], ...] = ()
    typed: tuple[str, ...] = ()

    @property
    def gives_switches(self) -> bool:
        return any(rule.switched is not None for rule in self.table.values())

    def member(self, op: Op, shapes: Sequence[Shape]) -> Call | None:
        """The constructor of an op's module; None for an op without one."""
        make = self.table[type(op)].member
        return make(op, shapes) if make is not None else None

    def turned(self, op: Op, shapes: Sequence[Shape]) -> Call | None:
        """The constructor of an op's module for maps whose channels are last in memory; None where it is no other."""
        make = self.table[type(op)].turned
        return make(op, shapes) if make is not None else None
