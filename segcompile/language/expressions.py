"""Integer expressions as papers write them: `2C`, `W*2**d`, `(n-1)//2`, `max(W, 8)`, `s != 1`. No eval; every step is
bounded.

whole   = sum [ (== | != | <) sum ]    1 where it is so, 0 where it is not
sum     = product { (+ | -) product }
product = factor { (* | // | %) factor }
factor  = - factor | implicit
implicit = power [ implicit ]          a number before a name or a parenthesis: 2C, 3(k-1)
power   = atom [ ** factor ]
atom    = integer | name | ( whole ) | (min | max) ( whole , whole )
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from operator import eq, lt, ne

from segcompile.language.schema import reserved
from segcompile.language.words import called
from segcompile.text.errors import Hint, Near, SegcompileError, fail
from segcompile.text.source import Scalar, brief

Values = Mapping[str, int | str]  # parameters, arguments and loop variables in scope

LONGEST_NAME = 200  # characters of a name that was put together
_TOKEN = re.compile(r"\s*(?:([0-9]+)|([A-Za-z_][A-Za-z0-9_]*)|(\*\*|//|==|!=|[-+*%(),<](?!=)))")
_BRACES = r"\{([^{}]*)\}"
_COMPARED: Mapping[str, Callable[[int, int], bool]] = {"==": eq, "!=": ne, "<": lt}
_OF_TWO: Mapping[str, Callable[[int, int], int]] = {"min": min, "max": max}
_LARGEST = 2**63
_LONGEST = 200  # characters
_DEEPEST = 20  # signs, powers and parentheses inside each other
_UNITS = {"k": 1000, "M": 10**6, "x": 1, "px": 1, "pixels": 1}
_WITH_UNIT = re.compile(rf"([0-9]{{1,9}}(?:\.[0-9]{{1,9}})?)\s*({'|'.join(_UNITS)})")  # 100k steps
_DECIMAL, _WORD = r"([0-9]{1,9}\.[0-9]{1,9})", r"([A-Za-z_]\w*)"
_SHARE = re.compile(rf"{_DECIMAL}\s*\*?\s*{_WORD}|{_WORD}\s*\*\s*{_DECIMAL}")  # 1.5W, W * 0.25
_FLAGS = {"yes": 1, "true": 1, "True": 1, "no": 0, "false": 0, "False": 0}
_HELP = "an integer, or an expression of integers, parameters, + - * // % **, min, max, == != < and parentheses"
_HELPS = {
    "/": "integers only: `//` divides and rounds down",
    ",": "two numbers are written `3x3` or `[3, 3]`, a decimal `0.5`",
    ">": "`a > b` is written `b < a`, and `a >= b` as `b < a + 1`",
    "<": "`a <= b` is written `a < b + 1`",
    "=": "`a == b` is 1 where they are equal, and 0 where not",
    "!": "`a != b` is 1 where they differ, and 0 where not",
    "^": "a power is written `a**b`",
    "&": "`(a)*(b)` is 1 where both are",
    "|": "`max(a, b)` is 1 where one of them is",
}
_OF_PYTHON = {
    "and": "`(a)*(b)` is 1 where both are",
    "or": "`max(a, b)` is 1 where one of them is",
    "not": "`a == 0` is 1 where `a` is 0",
    "if": "`(a == b)*x + (a != b)*y` is `x` where they are equal, and `y` where not",
    "int": "`a//b` divides and rounds down",
    "floor": "`a//b` divides and rounds down",
    "ceil": "`-(-a//b)` divides and rounds up",
    "round": "`(a + b//2)//b` divides and rounds",
    "make_divisible": "`(a + 7)//8*8` is the next multiple of 8",
}


def evaluate(scalar: Scalar, values: Values) -> int:
    """The value of what is written, with names from `values`. Raises SegcompileError: SC101 for a name that there is
    not, SC004 for one that is no integer, SC104 for what is no expression."""
    return _Parser(scalar, values).parse()


def format_name(scalar: Scalar, values: Values) -> str:
    """A name, with `{expression}` filled in from the scope: `enc{d}`, `conv{s}_{i}`.

    Raises SegcompileError: as `evaluate` does, and SC111 for a name that is too long."""

    def fill(match: re.Match[str]) -> str:
        named = values.get(match[1])
        if isinstance(named, str):
            return named
        return str(evaluate(Scalar(match[1], scalar.part(match.start(1), len(match[1]))), values))

    name = re.sub(_BRACES, fill, scalar.text)
    if len(name) > LONGEST_NAME:  # blocks that pass `{n}{n}` on double it each time
        raise fail("SC111", f"a name of {len(name):,} characters; {LONGEST_NAME} is the most", scalar.span)
    return name


def names_in(text: str) -> frozenset[str]:
    """Every name that could be a parameter in `text`."""
    return frozenset(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text))


def filled_in(text: str) -> frozenset[str]:
    """Every name that the braces of a name read: those of `x{i}.new` are `i`."""
    return frozenset(name for inside in re.findall(_BRACES, text) for name in names_in(inside))


class _Parser:
    def __init__(self, scalar: Scalar, values: Values) -> None:
        self.scalar, self.text, self.values = scalar, scalar.text, values
        if len(self.text) > _LONGEST:
            raise self._wrong(f"an expression of {len(self.text)} characters is too long", 0)
        self.tokens = self._tokens()
        self.at = 0
        self.depth = 0

    def _wrong(self, message: str, start: int = 0, length: int = 1, help: str | None = None) -> SegcompileError:
        return fail("SC104", message, self.scalar.part(start, length), help=help)

    def _comma(self, start: int) -> SegcompileError:
        return self._wrong("`,` has no place in an integer expression", start, help=_HELPS[","])

    def _tokens(self) -> list[tuple[str, int]]:
        tokens, end, text = [], 0, self.text.rstrip()
        while end < len(text):
            match = _TOKEN.match(text, end)
            if match is None:
                start = end + len(text[end:]) - len(text[end:].lstrip())
                message = f"`{text[start]}` has no place in an integer expression"
                help = self._of_a_fraction() if text[start] == "." else _HELPS.get(text[start])
                raise self._wrong(message, start, help=help or _HELP)
            end = match.end()
            token = match.group().strip()
            tokens.append((token, end - len(token)))
        return tokens

    def _of_a_fraction(self) -> str:
        """The help for a point: what a number with a unit is, or a share of a number."""
        unit, share = _WITH_UNIT.fullmatch(self.text), _SHARE.fullmatch(self.text)
        if unit is not None and unit[2] not in self.values:
            number = Fraction(unit[1]) * _UNITS[unit[2]]
            return f"all its digits: `{number}`" if number.denominator == 1 else _HELP
        if re.search(rf"{_WORD}\.{_WORD}", self.text):
            return "no name has a point here; `channels` is how many enter the layer"
        if share is None:
            return "integers only: half of `W` is written `W//2`"
        part, name = Fraction(share[1] or share[4]), share[2] or share[3]
        many = "" if part.numerator == 1 else str(part.numerator)
        return f"integers only: write `{many}{name}//{part.denominator}`, which rounds down"

    def parse(self) -> int:
        if not self.tokens:
            raise self._wrong("an integer is missing here")
        value = self._whole()
        if self.at < len(self.tokens):
            token, start = self.tokens[self.at]
            if token == ",":
                raise self._comma(start)
            raise self._wrong(f"`{token}` is not expected here", start, len(token), _OF_PYTHON.get(token, _HELP))
        return value

    def _peek(self) -> str | None:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else None

    def _take(self) -> tuple[str, int]:
        if self.at == len(self.tokens):
            raise self._wrong("the expression ends too early", len(self.text.rstrip()) - 1)
        self.at += 1
        return self.tokens[self.at - 1]

    def _bounded(self, value: int, start: int) -> int:
        if abs(value) >= _LARGEST:
            raise self._wrong("the value is larger than 2**63", start, help="a value below 2**63")
        return value

    def _whole(self) -> int:
        value = self._sum()
        compared = _COMPARED.get(self._peek() or "")
        if compared is None:
            return value
        self._take()
        return int(compared(value, self._sum()))

    def _sum(self) -> int:
        value = self._product()
        while self._peek() in ("+", "-"):
            sign, start = self._take()
            other = self._product()
            value = self._bounded(value + other if sign == "+" else value - other, start)
        return value

    def _product(self) -> int:
        value = self._factor()
        while self._peek() in ("*", "//", "%"):
            sign, start = self._take()
            other = self._factor()
            if sign != "*" and other == 0:
                raise self._wrong("division by zero", start, len(sign))
            value = self._bounded(
                value * other if sign == "*" else value // other if sign == "//" else value % other, start
            )
        return value

    def _factor(self) -> int:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self._wrong(f"an expression nested more than {_DEEPEST} deep", 0, len(self.text))
        if self._peek() == "-":
            self._take()
            value = -self._factor()
        else:
            value = self._implicit()
        self.depth -= 1
        return value

    def _implicit(self) -> int:
        number = self._peek() is not None and str(self._peek()).isdigit()
        value = self._power()
        after = self._peek()
        if number and after is not None and (after == "(" or after[0].isalpha() or after[0] == "_"):
            start = self.tokens[self.at][1]
            return self._bounded(value * self._implicit(), start)
        return value

    def _power(self) -> int:
        value = self._atom()
        if self._peek() != "**":
            return value
        _, start = self._take()
        exponent = self._factor()
        if not 0 <= exponent <= 64:
            raise self._wrong(f"an exponent of {exponent} is not between 0 and 64", start, 2)
        return self._bounded(value**exponent, start)

    def _atom(self) -> int:
        token, start = self._take()
        if token.isdigit():
            return self._bounded(int(token), start)
        if token == "(":
            return self._closed(self._whole(), start)
        if token in _OF_TWO and self._peek() == "(":
            return self._of_two(token)
        if not (token[0].isalpha() or token[0] == "_"):
            raise self._wrong(f"a number or a name is due before `{token}`", start, len(token))
        named = self.values.get(token)
        if not isinstance(named, int):
            raise self._no_integer(token, named, start)
        return named

    def _closed(self, value: int, start: int) -> int:
        """A value, behind which the parenthesis at `start` is closed."""
        if self._peek() is None:
            raise self._wrong("this parenthesis is never closed", start)
        closing, end = self._take()
        if closing == ",":
            raise self._comma(end)
        if closing != ")":
            raise self._wrong(f"`)` is due before `{closing}`", end, len(closing), _HELP)
        return value

    def _of_two(self, name: str) -> int:
        _, start = self._take()
        first = self._whole()
        if self._peek() != ",":
            raise self._wrong(f"`{name}` takes two numbers", start, help=f"`{name}(C, 8)`, in quotes within braces")
        self._take()
        second = self._whole()
        if self._peek() == ",":
            raise self._wrong(f"`{name}` takes two numbers", self._take()[1], help=f"`{name}(a, {name}(b, c))`")
        return self._closed(_OF_TWO[name](first, second), start)

    def _no_integer(self, name: str, named: str | None, start: int) -> SegcompileError:
        """What is wrong with a name: SC004 where it means another name, SC101 where it means nothing."""
        span = self.scalar.part(start, len(name))
        if named is not None:
            message = f"`{name}` is `{brief(named)}` here, not an integer"
            help = f"write `{_FLAGS[named]}`" if named in _FLAGS else "give it an integer"
            return fail("SC004", message, span, help=help)
        if name in _OF_PYTHON:
            return fail("SC104", f"`{name}` is no part of an expression", span, help=_OF_PYTHON[name])
        if name in reserved() - {"channels", "stride"}:
            return fail("SC004", f"an integer is due here, not the word `{name}`", span, help=_HELP)
        return fail("SC101", f"`{name}` is not a parameter here", span, help=self._instead(name))

    def _instead(self, name: str) -> str | Hint:
        """The help for a name that means nothing."""
        unit = _WITH_UNIT.fullmatch(self.text)
        if unit is not None:
            return f"write `{Fraction(unit[1]) * _UNITS[unit[2]]}`"
        if name == "channels":
            return "how many enter a layer is not known here; a block hands them on by `args: [before: channels]`"
        known = [word for word, value in self.values.items() if isinstance(value, int) and word.isidentifier()]
        listed = f"known here: {', '.join(sorted(known)[:20])}" if known else "add it to `params`"
        own = called("value", name, known)
        return own or Near(name, tuple(known), listed)
