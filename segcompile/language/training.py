"""The training regime of a spec, handed to the harness as its defaults: one for all, or one for each stage."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field, fields, replace
from typing import Any

from segcompile.language.derive import Document
from segcompile.language.values import (
    Values,
    format_name,
    read_axes,
    read_flag,
    read_natural,
    read_number,
    read_option,
    read_positive,
    read_word,
)
from segcompile.language.words import like_a_name, meant
from segcompile.ops import Reads
from segcompile.text.errors import Diagnostic, Label, SegcompileError, Span, fail, gathering, stop_on
from segcompile.text.source import Mapping, Node, Scalar, Sequence, counted, describe

_Reader = Callable[[Node, Values], dict[str, Any]]  # of a key: the fields that it says
_Known = MappingOf[str, tuple[str, Callable[[Node, Values], Any]]]  # option -> its field of Regime, its reader


@dataclass(frozen=True, slots=True)
class Ignored:
    """A label that no pixel is trained or judged on. `named` says that it was written as a class: `class:0`."""

    label: int
    named: bool
    span: Span = field(compare=False)

    def __str__(self) -> str:
        return f"class:{self.label}" if self.named else str(self.label)


@dataclass(frozen=True, slots=True)
class Regime:
    """What one run starts from; the defaults are the harness's own."""

    optimizer: str = "sgd"
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "poly"
    power: float = 0.9  # of poly: lr * (1 - step / steps) ** power
    step_size: int = 1000  # of step: lr * gamma ** (step // step_size)
    gamma: float = 0.1
    batch: int = 8
    steps: int = 1000
    ignore: tuple[Ignored, ...] = ()  # none: a label that is no class
    reduction: str = "mean"  # of the loss over the pixels that count: mean or sum
    keep: float = 1.0  # the share of output pixels that a step draws its loss from


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training with a regime of its own. It trains the layers that `train` selects but `freeze` does
    not; `analysis.stages` says which those are."""

    name: Scalar
    regime: Regime
    train: tuple[Scalar, ...]  # none: all
    freeze: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Training(Regime):
    """The regime of a spec, from which its stages differ."""

    double_bias: bool = False  # biases learn at twice the rate and do not decay, as in Caffe's networks
    padding: tuple[int, int] = (0, 0)  # pixels that an image is continued by on each side, (height, width)
    padding_mode: str = "reflect"  # or edge or zero
    stages: tuple[Stage, ...] = ()


def read_training(document: Document, values: Values) -> Training:
    """The document's `training`. Raises SegcompileError with all that is wrong in it."""
    section = document.section("training")
    entries = dict(section.entries) if section else {}
    stages = entries.pop("stages", None)
    wrong: list[Diagnostic] = []
    found = _read_all(entries.values(), _READERS | _ONCE, values, wrong)
    read = _stages(stages[1], values, found, wrong) if stages else ()
    stop_on(wrong)
    return Training(**found, stages=read)


def _read_all(
    entries: Iterable[tuple[Scalar, Node]], readers: MappingOf[str, _Reader], values: Values, wrong: list[Diagnostic]
) -> dict[str, Any]:
    """The fields that some keys say; what is wrong with a key goes to `wrong`."""
    found: dict[str, Any] = {}
    for key, node in entries:
        with gathering(wrong):
            if key.text not in readers:
                help = meant("training", key.text, readers, node) or f"known: {', '.join(readers)}"
                raise fail("SC003", f"there is no key `{key.text}` here", key.span, help=help)
            found |= readers[key.text](node, values)
    return found


# --- stages ----------------------------------------------------------------------------------------------------------

MOST_STAGES, MOST_SELECTORS = 32, 32
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,29}")
_STAGE_HELP = "for example `- joint: {lr: 1e-5, steps: 20000}`"


def _stages(node: Node, values: Values, section: MappingOf[str, Any], wrong: list[Diagnostic]) -> tuple[Stage, ...]:
    """The stages in their order; what one does not say the `section` says."""
    if not isinstance(node, Sequence) or not 0 < len(node.items) <= MOST_STAGES:
        code = "SC105" if isinstance(node, Sequence) else "SC004"
        message = f"a list of one to {MOST_STAGES} stages is due here, not {counted(node)}"
        wrong += fail(code, message, node.span, help=_STAGE_HELP).diagnostics
        return ()
    found: dict[str, Stage] = {}
    for item in node.items:
        try:
            name, options = _name_of(item, found)
        except SegcompileError as error:
            wrong += error.diagnostics
            continue
        said = _read_all(options.entries.values(), _READERS | _SELECTORS, values, wrong)
        train, freeze = said.pop("train", ()), said.pop("freeze", ())
        own = {each.name: section[each.name] for each in fields(Regime) if each.name in section}
        found[name.text] = Stage(name, Regime(**{**own, **said}), train, freeze)
    return tuple(found.values())


def _name_of(item: Node, others: MappingOf[str, Stage]) -> tuple[Scalar, Mapping]:
    """A stage's name, which none of the `others` has, and what is said of it."""
    if not isinstance(item, Mapping) or len(item.entries) != 1:
        raise fail("SC004", f"a stage is a name with its options, not {counted(item)}", item.span, help=_STAGE_HELP)
    ((name, options),) = item.entries.values()
    if not _NAME.fullmatch(name.text):
        message = f"{describe(name)} cannot be a stage's name: letters, digits and _, a letter first, at most 30"
        raise fail("SC114", message, name.span, help=like_a_name(name.text[:20], "stage"))
    if name.text in others:
        labels = [Label(others[name.text].name.span, "first here")]
        raise fail("SC002", f"there is already a stage `{name.text}`", name.span, labels=labels)
    if not isinstance(options, Mapping):
        raise fail(
            "SC004", f"a stage's options are {{key: value}}, not {describe(options)}", options.span, help=_STAGE_HELP
        )
    return name, options


def _selectors(node: Node, values: Values) -> tuple[Scalar, ...]:
    """The selectors of a list, or the only one, with their `{...}` filled in."""
    items = node.items if isinstance(node, Sequence) else (node,)
    if not 0 < len(items) <= MOST_SELECTORS:
        message = f"one to {MOST_SELECTORS} names of layers are due here, not a list of {len(items)}"
        raise fail("SC105", message, node.span, help="for example `freeze: [front.*, fc7]`")
    found = []
    for item in items:
        if not isinstance(item, Scalar):
            message = f'the name of layers, `front.*` or "*", is due here, not {counted(item)}'
            raise fail("SC004", message, item.span, help="for example `freeze: [front.*, fc7]`")
        found.append(replace(item, text=format_name(item, values)))
    return tuple(found)


_SELECTORS: dict[str, _Reader] = {
    "train": lambda node, values: {"train": _selectors(node, values)},
    "freeze": lambda node, values: {"freeze": _selectors(node, values)},
}


# --- the keys of the section ------------------------------------------------------------------------------------------


def _loss(node: Node, values: Values) -> dict[str, Any]:
    word, options = read_option(node)
    read_word(word, ("cross_entropy",), "loss")
    known: _Known = {
        "ignore": ("ignore", _ignored),
        "reduction": ("reduction", lambda node, values: read_word(node, ("mean", "sum"), "reduction")),
        "keep": ("keep", _share),
    }
    return _options(options, known, values)


MOST_IGNORED = 32
_MOST_LABEL = 10**9  # 32 bits hold those below
_CLASS = re.compile(r"class:([0-9]{1,9})")


def _ignored(node: Node, values: Values) -> tuple[Ignored, ...]:
    """The labels of a list, or the only one."""
    items = node.items if isinstance(node, Sequence) else (node,)
    if not 0 < len(items) <= MOST_IGNORED:
        message = f"one to {MOST_IGNORED} labels are due here, not {counted(node)}"
        raise fail("SC105", message, node.span, help="for example `ignore: [255, class:0]`")
    found = []
    for item in items:
        named = _CLASS.fullmatch(item.text) if isinstance(item, Scalar) else None
        label = int(named[1]) if named else read_natural(item, values)
        if label >= _MOST_LABEL:
            help = f"the largest is `{_MOST_LABEL - 1}`"
            raise fail("SC105", f"a label is below {_MOST_LABEL}, not {describe(item)}", item.span, help=help)
        found.append(Ignored(label, named is not None, item.span))
    return tuple(found)


def _share(node: Node, values: Values) -> float:
    number = read_number(node, values)
    if not 0 < number <= 1:
        raise fail("SC105", f"a share is above 0 and at most 1, not {describe(node)}", node.span, help="half: `0.5`")
    return number


def _optimizer(node: Node, values: Values) -> dict[str, Any]:
    word, options = read_option(node)
    name = read_word(word, ("sgd", "adamw"), "optimizer")
    known = {"momentum": ("momentum", _momentum), "weight_decay": ("weight_decay", _not_negative)}
    return {"optimizer": name, **_options(options, known, values)}


def _not_negative(node: Node, values: Values) -> float:
    number = read_number(node, values)
    if number < 0:
        raise fail("SC105", f"a number from 0 on is due here, not {describe(node)}", node.span, help="the least is `0`")
    return number


def _momentum(node: Node, values: Values) -> float:
    number = read_number(node, values)
    if not 0 <= number < 1:
        raise fail(
            "SC105",
            f"a momentum is at least 0 and below 1, not {describe(node)}",
            node.span,
            help="for example `momentum: 0.9`",
        )
    return number


_SCHEDULES: MappingOf[str, _Known] = {  # the first option of each needs no name
    "fixed": {},
    "step": {"every": ("step_size", read_positive), "gamma": ("gamma", _not_negative)},
    "poly": {"power": ("power", _not_negative)},
}


def _schedule(node: Node, values: Values) -> dict[str, Any]:
    word, options = read_option(node)
    name = read_word(word, tuple(_SCHEDULES), "schedule")
    known = _SCHEDULES[name]
    if options is not None and not known:
        raise fail("SC004", f"a {name} rate takes no value", options.span, help=f"`schedule: {name}`")
    if options is not None and not isinstance(options, Mapping):
        key, read = next(iter(known.values()))
        return {"schedule": name, key: read(options, values)}
    return {"schedule": name, **_options(options, known, values)}


def _options(node: Node | None, known: _Known, values: Values) -> dict[str, Any]:
    if node is not None and not isinstance(node, Mapping):
        raise fail("SC004", f"options are {{name: value}}, not {describe(node)}", node.span, help=", ".join(known))
    found: dict[str, Any] = {}
    wrong: list[Diagnostic] = []
    for key, value in node.entries.values() if node is not None else ():
        with gathering(wrong):
            if key.text not in known:
                help = meant("training", key.text, known, value) or f"known: {', '.join(known)}"
                raise fail("SC003", f"there is no option `{key.text}` here", key.span, help=help)
            name, read = known[key.text]
            found[name] = read(value, values)
    stop_on(wrong)
    return found


def _rate(node: Node, values: Values) -> float:
    rate = read_number(node, values)
    if rate <= 0:
        raise fail(
            "SC105", f"a learning rate is positive, not {describe(node)}", node.span, help="for example `lr: 1e-3`"
        )
    return rate


_MOST_PADDING = 2**15  # pixels


def _padding(node: Node, values: Values) -> dict[str, Any]:
    word, size = read_option(node)
    if size is None:
        message = f"how to pad, and by how much, is due here, not {describe(node)}"
        raise fail("SC004", message, node.span, help="for example `input_padding: {reflect: 186}`")
    mode = read_word(word, ("reflect", "edge", "zero"), "mode")
    height, width = read_axes(size, values, read_natural, Reads.NATURAL_PAIR.value)
    if max(height, width) > _MOST_PADDING:
        message = f"at most {_MOST_PADDING} pixels can be added, not {describe(size)}"
        raise fail("SC105", message, size.span, help=f"`{mode}: {_MOST_PADDING}`, or less")
    return {"padding": (height, width), "padding_mode": mode}


_READERS: dict[str, _Reader] = {  # of the section, and of a stage
    "loss": _loss,
    "optimizer": _optimizer,
    "schedule": _schedule,
    "lr": lambda node, values: {"lr": _rate(node, values)},
    "batch": lambda node, values: {"batch": read_positive(node, values)},
    "steps": lambda node, values: {"steps": read_positive(node, values)},
}
_ONCE: dict[str, _Reader] = {  # of the section alone
    "double_bias": lambda node, values: {"double_bias": read_flag(node, values)},
    "input_padding": _padding,
}
