"""From a scalar's text to a value, by what the place where it stands asks for. Each reader raises SegcompileError."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeVar

from segcompile.language.expressions import Values, evaluate, format_name
from segcompile.language.words import Meant, called
from segcompile.ops import AXIS_NAMES, SYMBOLS, Init, Reads
from segcompile.ops.size import AnySize, Size
from segcompile.text.errors import fail
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node, Scalar, Sequence, brief, counted, describe

_T = TypeVar("_T")

_AMBIGUOUS = re.compile(r"0[0-9]+|0[xob]\w*|[0-9]+(:[0-9]+)+|[0-9]+(_[0-9]+)+")
_FLOAT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(nan|NaN|NAN|inf|Inf|INF)")  # floats of YAML
_PERCENT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*%")
_DECIMAL = re.compile(r"[-+]?([0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})")  # no exponent: it is held exactly
_RATIO = re.compile(r"(.*[^/\s])\s*/\s*([^/\s].*)")  # not `//`
_TIMES = re.compile(r"\s*[xX×]\s*")
_EXTENTS = re.compile(rf"[-+]?[0-9]+({_TIMES.pattern}[-+]?[0-9]+)+")  # 512x512, 1x3x3
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_SIDES = ("stride.0", "stride.1", "stride.2")  # the own stride of a layer, an axis each; no expression can name them
_YES, _NO = ("yes", "Yes", "true", "True"), ("no", "No", "false", "False")
_ON, _OFF = ("1", "on", "TRUE", "YES", "y"), ("0", "off", "FALSE", "NO", "n", "none", "null", "~")  # meant as these
_NO_VALUE = ("~", "null", "Null", "NULL")
_INTEGER, _NUMBER = "write a plain decimal integer", "write a plain decimal number"


def read_integer(node: Node, values: Values, due: str = "an integer", least: int | None = None) -> int:
    """An integer expression, of at least `least`. `due`: what its place takes, for messages."""
    scalar = _expression(node, due, lambda: _write_integer(node, least))
    value = evaluate(scalar, values)
    if least is not None and value < least:
        raise fail("SC105", f"{due} is due here, not {_shown(node, value)}", node.span, help=f"the least is `{least}`")
    return value


def read_positive(node: Node, values: Values, due: str = Reads.POSITIVE.value) -> int:
    """A positive integer."""
    return read_integer(node, values, due, 1)


def read_natural(node: Node, values: Values, due: str = Reads.NATURAL.value) -> int:
    """A non-negative integer."""
    return read_integer(node, values, due, 0)


def _expression(node: Node, due: str, help: Callable[[], str]) -> Scalar:
    """The text of an integer expression. Refuses what cannot be one, with the `help`."""
    scalar = node if isinstance(node, Scalar) else _scalar(node, due, help())
    if not scalar.quoted and not scalar.text:
        raise fail("SC012", "a value is missing here", scalar.span, help=help())
    if not scalar.quoted and _AMBIGUOUS.fullmatch(scalar.text):
        message = f"{describe(scalar)} can be read in more than one way"
        raise fail("SC005", message, scalar.span, help=_INTEGER)
    fraction = _FLOAT.fullmatch(scalar.text) and not scalar.text.lstrip("+-").isdigit()
    words = (*_YES, *_NO, *_NO_VALUE)
    if fraction or scalar.text in words or _NO_NUMBER.fullmatch(scalar.text) or _EXTENTS.fullmatch(scalar.text):
        raise fail("SC004", f"{due} is due here, not {describe(scalar)}", scalar.span, help=help())
    return scalar


def _meant(node: Node) -> float | None:
    """The only number that stands there: 3 of `3.0`, `[3]` and `3x3`, 1000 of `1e3`. None if there is not one."""
    items = node.items if isinstance(node, Sequence) else (node,)
    texts = {text for item in items for text in (_TIMES.split(item.text) if isinstance(item, Scalar) else ("",))}
    number = float(texts.pop()) if len(texts) == 1 and _FLOAT.fullmatch(min(texts)) else math.inf
    return number if abs(number) < 2**53 else None


def _write_integer(node: Node, least: int | None = None) -> str:
    """The help where an integer is due: which, if the value can mean only one."""
    value = _meant(node)
    if value is None or value != int(value) or (least is not None and value < least):
        return _INTEGER
    return f"write `{int(value)}`"


def is_name(text: str) -> bool:
    """Whether `text` could name a layer: words joined by dots."""
    return _NAME.fullmatch(text) is not None


def is_written_whole(scalar: Scalar) -> bool:
    """Whether a scalar is a number or extents, `0.1` or `3x3`: an argument passes it as it is, and reckons nothing."""
    number = _FLOAT.fullmatch(scalar.text) and not scalar.text.lstrip("+-").isdigit()
    return bool(number or _EXTENTS.fullmatch(scalar.text))


def read_integer_or_name(node: Node, values: Values) -> int | str:
    """What a loop variable may be: an integer where it can be evaluated, a number, which is passed whole, or a name."""
    due, example = "an integer or a name", "one value: `2` or `enc2`"
    scalar = _scalar(node, due, example)
    if _FLOAT.fullmatch(scalar.text) and not scalar.text.lstrip("+-").isdigit():
        return scalar.text
    known = values.get(scalar.text)
    if isinstance(known, str):
        return known
    if known is None and is_name(scalar.text):
        return scalar.text
    if "{" not in scalar.text:
        return read_integer(scalar, values)
    name = format_name(scalar, values)
    if not is_name(name):
        raise fail("SC004", f"{due} is due here, not {describe(scalar)}", scalar.span, help=example)
    return name


def read_ratio(node: Node, values: Values, due: str = Reads.NUMBER.value) -> Fraction:
    """An exact ratio: `3/2`, where both may be expressions, `1.5`, or an integer expression."""
    scalar = _scalar(node, due, _write_number(node))
    if _DECIMAL.fullmatch(scalar.text):
        return Fraction(scalar.text)
    match = _RATIO.fullmatch(scalar.text)
    if match is None:
        return Fraction(read_integer(scalar, values, due))
    above, below = (Scalar(match[part], scalar.part(match.start(part), len(match[part]))) for part in (1, 2))
    divisor = read_integer(below, values)
    if divisor == 0:
        raise fail("SC104", "division by zero", below.span)
    return Fraction(read_integer(above, values), divisor)


def due_along(one: str, example: str, rank: int) -> str:
    """What a place takes that has one entry an axis: `a positive integer, `3x3` or [height, width]`."""
    each = f"[{', '.join(AXIS_NAMES[rank])}]"
    return f"{one}, `{'x'.join((example * rank)[:rank])}` or {each}" if rank > 1 else f"{one} or {each}"


def read_each(node: Node, values: Values, rank: int) -> tuple[int, ...]:
    """`3`, `3x3`, `1x7` (height by width) or [height, width]: positive integers, one an axis."""
    return read_axes(node, values, read_positive, due_along(Reads.POSITIVE.value, "3", rank), rank)


def read_ratios(node: Node, values: Values, rank: int) -> tuple[Fraction, ...]:
    """`2`, `1/2` or `1.5`, exactly; positive ratios, one an axis."""
    return read_axes(node, values, _read_positive_ratio, due_along("a positive ratio", "2", rank), rank)


def _read_positive_ratio(node: Node, values: Values, due: str = "a positive ratio") -> Fraction:
    ratio = read_ratio(node, values, due)
    if ratio <= 0:
        raise fail("SC105", f"{due} is due here, not `{ratio}`", node.span, help="for example `2` or `1/2`")
    return ratio


def read_naturals(node: Node, values: Values, rank: int) -> tuple[int, ...]:
    return read_axes(node, values, read_natural, due_along(Reads.NATURAL.value, "12", rank), rank)


_One = Callable[..., _T]  # a reader of one value: (node, values), and what is due if its place takes more than that


def read_axes(node: Node, values: Values, one: _One[_T], due: str, rank: int) -> tuple[_T, ...]:
    """One entry an axis as `read_each` reads them, of values that `one` reads; one alone serves all axes. `due`: what
    its place takes."""
    sides = [_own(values, key) for key in _SIDES[:rank]]
    if isinstance(node, Scalar):
        if _EXTENTS.fullmatch(node.text) and not node.quoted and _AMBIGUOUS.fullmatch(node.text):
            help = f"{_INTEGER}, or two as `[{', '.join(_TIMES.split(node.text))}]`"
            raise fail("SC005", f"{describe(node)} can be read in more than one way", node.span, help=help)
        if _EXTENTS.fullmatch(node.text) and len(parts := _TIMES.split(node.text)) == rank:
            return tuple(one(Scalar(text, node.span), values) for text in parts)
        if _SIDES[0] in values:
            return tuple(one(node, own, due) for own in sides)
        return (one(node, values, due),) * rank
    if isinstance(node, Sequence) and len(node.items) == rank:
        return tuple(map(one, node.items, sides))
    raise fail("SC004", f"{due} is due here, not {counted(node)}", node.span, help=_write_integer(node, 1))


def sized(node: Node, values: Values) -> tuple[Size, ...]:
    """The size of what enters: `500`, `500x300`, [height, width] or `any` of an image, [length] of a signal, [depth,
    height, width] or `64x64x64` of a volume."""
    rank = 2
    if isinstance(node, Sequence) and len(node.items) in AXIS_NAMES:
        rank = len(node.items)
    elif isinstance(node, Scalar) and _EXTENTS.fullmatch(node.text) and len(_TIMES.split(node.text)) == 3:
        rank = 3
    found = read_axes(node, values, _extent, "a positive integer, `300x500`, [height, width] or `any`", rank)
    return tuple(AnySize(symbol) if size is None else size for symbol, size in zip(SYMBOLS[rank], found, strict=True))


def _extent(node: Node, values: Values, due: str = "a positive integer or `any`") -> int | None:
    if isinstance(node, Scalar) and node.text in (*_NO_VALUE, "None", "-1", "?", "dynamic", "variable"):
        raise fail("SC004", f"{due} is due here, not {describe(node)}", node.span, help="any size is written `any`")
    return None if isinstance(node, Scalar) and node.text == "any" else read_positive(node, values, due)


def with_stride(values: Values, stride: tuple[int, ...]) -> Values:
    """The scope of a layer's expressions: `stride` is its own; a pair reads the one along its axis."""
    return {**values, "stride": stride[0], **dict(zip(_SIDES, stride, strict=False))}


def _own(values: Values, key: str) -> Values:
    """The scope in which `stride` is the layer's own, along one axis."""
    return {**values, "stride": values[key]} if key in values else values


_PAD_WORDS = ("same", "causal")


def read_padding(node: Node, values: Values, rank: int) -> tuple[str | tuple[int, int], ...]:
    """`same`, `causal`, a number, one of these an axis, [before, after] an axis, or of an image [top, bottom, left,
    right]."""
    if isinstance(node, Scalar) and node.text in _PAD_WORDS:
        return (node.text,) * rank
    if isinstance(node, Sequence) and len(node.items) == rank and any(map(_is_pad_word, node.items)):
        return tuple(read_padding(item, values, 1)[0] for item in node.items)
    if isinstance(node, Sequence) and len(node.items) == 4 and rank == 2:
        top, bottom, left, right = (read_natural(item, values) for item in node.items)
        return (top, bottom), (left, right)
    if isinstance(node, Sequence) and any(isinstance(item, Sequence) for item in node.items):
        return _read_sides(node, values, rank)
    help = (
        called("pad", node.text, (*_PAD_WORDS, "0")) if isinstance(node, Scalar) and node.text not in values else None
    )
    if help is not None:
        raise fail("SC115", f"there is no padding {describe(node)}", node.span, help=help)
    return tuple((pixels, pixels) for pixels in read_axes(node, values, read_natural, _due_around(rank), rank))


def _is_pad_word(node: Node) -> bool:
    return isinstance(node, Scalar) and node.text in _PAD_WORDS


def _read_sides(node: Sequence, values: Values, rank: int) -> tuple[tuple[int, int], ...]:
    """[[before, after], ...], one pair an axis."""
    pairs = [item.items for item in node.items if isinstance(item, Sequence) and len(item.items) == 2]
    if len(pairs) != rank or len(node.items) != rank:
        each = ", ".join(["[before, after]"] * rank)
        raise fail("SC004", f"{_due_around(rank)} is due here, not {counted(node)}", node.span, help=f"`[{each}]`")
    return tuple((read_natural(before, values), read_natural(after, values)) for before, after in pairs)


def _due_around(rank: int) -> str:
    """What a place takes that is padding."""
    names = ", ".join(AXIS_NAMES[rank])
    sides = "[top, bottom, left, right]" if rank == 2 else "[[before, after], ...]"
    return f"`same`, `causal`, {Reads.NATURAL.value}, [{names}] or {sides}"


def read_flag(node: Node, values: Values) -> bool:
    """yes or no (true, false)."""
    text = node.text if isinstance(node, Scalar) else None
    if text in _YES:
        return True
    if text in _NO:
        return False
    help = "write `yes`" if text in _ON else "write `no`" if text in _OFF else "write `yes` or `no`"
    raise fail("SC004", f"yes or no is due here, not {describe(node)}", node.span, help=help)


def read_number(node: Node, values: Values) -> float:
    """A decimal number (`1e-3`), an integer expression, or a ratio of two (`p/100`)."""
    text = node.text if isinstance(node, Scalar) else ""
    if _FLOAT.fullmatch(text):
        value = float(text)
        if math.isinf(value):
            raise fail("SC105", f"`{brief(text)}` is too large", node.span, help="a number below 1e308")
        return value
    share = _PERCENT.fullmatch(text)
    if share is not None:
        help = f"write `{float(share[1]) / 100:g}`"
        raise fail("SC004", f"a number is due here, not `{text}`", node.span, help=help)
    if _RATIO.fullmatch(text):
        return float(read_ratio(node, values))
    scalar = _expression(node, Reads.NUMBER.value, lambda: _write_number(node))
    return float(evaluate(scalar, values))


def _write_number(node: Node) -> str:
    value = _meant(node)
    return _NUMBER if value is None else f"write `{value:g}`"


def read_numbers(node: Node, values: Values) -> tuple[float, ...]:
    """A list of numbers."""
    if not isinstance(node, Sequence):
        help = "for example `[0.5, 0.5]`"
        raise fail("SC004", f"a list of numbers is due here, not {describe(node)}", node.span, help=help)
    return tuple(read_number(item, values) for item in node.items)


def read_part(node: Node, values: Values) -> tuple[int, int]:
    """[from, to]: two non-negative integers."""
    if not isinstance(node, Sequence) or len(node.items) != 2:
        help = "for example `[0, channels // 2]`; `to` is excluded"
        raise fail("SC004", f"{Reads.PART.value}, are due here, not {counted(node)}", node.span, help=help)
    first, end = (read_natural(item, values) for item in node.items)
    return first, end


def read_word(node: Node, choices: tuple[str, ...], place: str = "") -> str:
    """One of `choices`; `place`: the section of the field's other words for them."""
    due = f"one of {', '.join(choices)}" if len(choices) > 1 else f"`{choices[0]}`"
    scalar = _scalar(node, due, f"for example `{choices[0]}`" if len(choices) > 1 else f"write {due}")
    if scalar.text not in choices:
        help = Meant(place, scalar.text, choices)
        raise fail("SC115", f"{due} is due here, not {describe(node)}", node.span, help=help)
    return scalar.text


def read_option(node: Node) -> tuple[Scalar, Node | None]:
    """A word, alone or with options as a one-key mapping: `batch`, `{batch: {eps: 1e-3}}`, `{normal: 0.001}`."""
    if isinstance(node, Scalar):
        return node, None
    if isinstance(node, MappingNode) and len(node.entries) == 1:
        ((word, options),) = node.entries.values()
        return word, options
    raise fail(
        "SC004", f"a word, or one word with its options, is due here, not {counted(node)}", node.span, help=_OPTION
    )


_OPTION = "`word`, or `{word: {option: ...}}`"
_INIT_OPTION = {"normal": "std", "identity": "groups", "constant": "value"}  # what `{scheme: value}` says
_INIT_OPTIONS = {"normal": ("std",), "identity": ("groups", "std"), "constant": ("value",)}
_INIT_NEEDS = {  # of a scheme that says nothing without its option
    "normal": ("a gaussian needs its standard deviation", "`init: {normal: 0.01}`"),
    "constant": ("a constant needs its value", "`init: {constant: 1e-6}`"),
}


def _init_help(scheme: str) -> str:
    option = _INIT_OPTION.get(scheme)
    return f"`init: {{{scheme}: {{{option}: ...}}}}`" if option else f"`init: {scheme}`"


def read_init(node: Node, values: Values) -> Init:
    """`zeros`, `{normal: 0.001}`, `{identity: {groups: C}}`, ..."""
    word, options = read_option(node)
    schemes = ("identity", "bilinear", "zeros", "constant", "normal", "he", "xavier")
    scheme = read_word(word, schemes, "init")
    given: dict[str, Any] = {}
    if isinstance(options, MappingNode):
        for key, value in options.entries.values():
            if key.text not in _INIT_OPTIONS.get(scheme, ("groups", "std", "value")):
                raise fail(
                    "SC003", f"{scheme} initialisation has no option `{key.text}`", key.span, help=_init_help(scheme)
                )
            given[key.text] = read_positive(value, values) if key.text == "groups" else read_number(value, values)
    elif options is not None:
        if scheme not in _INIT_OPTION:
            raise fail("SC004", f"{scheme} initialisation takes no value", options.span, help=_init_help(scheme))
        name = _INIT_OPTION[scheme]
        given[name] = read_positive(options, values) if name == "groups" else read_number(options, values)
    if scheme in _INIT_NEEDS and not given:
        message, help = _INIT_NEEDS[scheme]
        raise fail("SC012", message, word.span, help=help)
    if given and scheme not in _INIT_OPTION:
        raise fail("SC004", f"{scheme} initialisation takes no options", word.span, help=_init_help(scheme))
    if given.get("std", 0) < 0:
        message = f"a standard deviation is 0 or more, not {given['std']:g}"
        raise fail("SC105", message, word.span, help="`init: {normal: 0.01}`")
    return Init(scheme=scheme, **given)  # type: ignore[arg-type]  # read_word has checked the literal


ALONG_AXES: Mapping[Reads, Callable[[Node, Values, int], Any]] = {  # of what has one entry an axis: their number, too
    Reads.PAIR: read_each,
    Reads.RATIO: read_ratios,
    Reads.NATURAL_PAIR: read_naturals,
    Reads.PADDING: read_padding,
}
READERS: Mapping[Reads, Callable[[Node, Values], Any]] = {
    Reads.POSITIVE: read_positive,
    Reads.NATURAL: read_natural,
    Reads.NUMBER: read_number,
    Reads.NUMBERS: read_numbers,
    Reads.PART: read_part,
    Reads.FLAG: read_flag,
    Reads.INIT: read_init,
}


def _scalar(node: Node, due: str, help: str) -> Scalar:
    if not isinstance(node, Scalar):
        raise fail("SC004", f"{due} is due here, not {counted(node)}", node.span, help=help)
    return node


def _shown(node: Node, value: int) -> str:
    text = node.text if isinstance(node, Scalar) else str(value)
    return f"{value}" if text == str(value) else f"`{text}` = {value}"
