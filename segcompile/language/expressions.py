"""Integer expressions as papers write them: `2C`, `W*2**d`, `(n-1)//2`. No eval; every step is bounded.

sum     = product { (+ | -) product }
product = factor { (* | // | %) factor }
factor  = - factor | implicit
implicit = power [ implicit ]          a number before a name or a parenthesis: 2C, 3(k-1)
power   = atom [ ** factor ]
atom    = integer | name | ( sum )
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_TOKEN = re.compile(r"\s*(?:([0-9]+)|([A-Za-z_][A-Za-z0-9_]*)|(\*\*|//|[-+*%()]))")
_LARGEST = 2**63
_LONGEST = 200  # characters
_DEEPEST = 20  # signs, powers and parentheses inside each other


class BadExpression(Exception):
    """What is wrong, with which code, and where in the text; `name` is the unknown parameter of SC101."""

    def __init__(self, code: str, message: str, start: int = 0, length: int = 1, name: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.start, self.length, self.name = code, message, start, length, name


def evaluate(text: str, values: Mapping[str, object]) -> int:
    """The value of `text`, with names from `values` (only integers count). Raises BadExpression (SC101, SC104)."""
    if len(text) > _LONGEST:
        raise BadExpression("SC104", f"an expression of {len(text)} characters is too long", 0, 1)
    return _Parser(text, values).parse()


def names_in(text: str) -> frozenset[str]:
    """Every name that could be a parameter in `text`."""
    return frozenset(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text))


class _Parser:
    def __init__(self, text: str, values: Mapping[str, object]) -> None:
        self.text, self.values = text, values
        self.tokens = self._tokens()
        self.at = 0
        self.depth = 0

    def _tokens(self) -> list[tuple[str, int]]:
        tokens, end, text = [], 0, self.text.rstrip()
        while end < len(text):
            match = _TOKEN.match(text, end)
            if match is None:
                start = end + len(text[end:]) - len(text[end:].lstrip())
                raise BadExpression("SC104", f"`{text[start]}` has no place in an integer expression", start)
            end = match.end()
            token = match.group().strip()
            tokens.append((token, end - len(token)))
        return tokens

    def parse(self) -> int:
        if not self.tokens:
            raise BadExpression("SC104", "an integer is missing here")
        value = self._sum()
        if self.at < len(self.tokens):
            token, start = self.tokens[self.at]
            raise BadExpression("SC104", f"`{token}` is not expected here", start, len(token))
        return value

    def _peek(self) -> str | None:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else None

    def _take(self) -> tuple[str, int]:
        if self.at == len(self.tokens):
            raise BadExpression("SC104", "the expression ends too early", len(self.text.rstrip()) - 1)
        self.at += 1
        return self.tokens[self.at - 1]

    def _bounded(self, value: int, start: int) -> int:
        if abs(value) >= _LARGEST:
            raise BadExpression("SC104", "the value is larger than 2**63", start)
        return value

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
                raise BadExpression("SC104", "division by zero", start, len(sign))
            value = self._bounded(
                value * other if sign == "*" else value // other if sign == "//" else value % other, start
            )
        return value

    def _factor(self) -> int:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise BadExpression("SC104", f"an expression nested more than {_DEEPEST} deep", 0, len(self.text))
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
            raise BadExpression("SC104", f"an exponent of {exponent} is not between 0 and 64", start, 2)
        return self._bounded(value**exponent, start)

    def _atom(self) -> int:
        token, start = self._take()
        if token.isdigit():
            return self._bounded(int(token), start)
        if token == "(":
            value = self._sum()
            if self._peek() is None:
                raise BadExpression("SC104", "this parenthesis is never closed", start)
            closing, end = self._take()
            if closing != ")":
                raise BadExpression("SC104", f"`)` is due before `{closing}`", end, len(closing))
            return value
        if not (token[0].isalpha() or token[0] == "_"):
            raise BadExpression("SC104", f"a number or a name is due before `{token}`", start, len(token))
        value_of = self.values.get(token)
        if not isinstance(value_of, int):
            raise BadExpression("SC101", f"`{token}` is not a parameter here", start, len(token), token)
        return value_of
