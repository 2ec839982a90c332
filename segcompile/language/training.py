"""The training regime of a spec: one stage, handed to the harness as its defaults."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from typing import Any

from segcompile.errors import Diagnostic, SegcompileError, did_you_mean, fail
from segcompile.language.derive import Document
from segcompile.language.values import (
    Values,
    read_flag,
    read_natural,
    read_number,
    read_option,
    read_positive,
    read_word,
)
from segcompile.source import Mapping, Node, describe

_Known = MappingOf[str, tuple[str, Callable[[Node, Values], Any]]]  # option -> its field of Training, its reader


@dataclass(frozen=True, slots=True)
class Training:
    """What a training run starts from; the defaults are the harness's own."""

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
    ignore: int = 255  # the label that no pixel is trained or judged on
    double_bias: bool = False  # biases learn at twice the rate and do not decay, as in Caffe's networks


def read_training(document: Document, values: Values) -> Training:
    """The document's `training`. Raises SegcompileError (SC003, SC004) with all that is wrong in it."""
    section = document.section("training")
    found: dict[str, Any] = {}
    wrong: list[Diagnostic] = []
    for key, node in section.entries.values() if section else ():
        try:
            found |= _READERS[key.text](node, values)
        except SegcompileError as error:
            wrong += error.diagnostics
    if wrong:
        raise SegcompileError(wrong)
    return Training(**found)


def _loss(node: Node, values: Values) -> dict[str, Any]:
    word, options = read_option(node)
    read_word(word, ("cross_entropy",))
    return _options(options, {"ignore": ("ignore", read_natural)}, values)


def _optimizer(node: Node, values: Values) -> dict[str, Any]:
    word, options = read_option(node)
    name = read_word(word, ("sgd", "adamw"))
    known = {"momentum": ("momentum", read_number), "weight_decay": ("weight_decay", read_number)}
    return {"optimizer": name, **_options(options, known, values)}


_SCHEDULES: MappingOf[str, _Known] = {  # the first option of each needs no name
    "fixed": {},
    "step": {"every": ("step_size", read_positive), "gamma": ("gamma", read_number)},
    "poly": {"power": ("power", read_number)},
}


def _schedule(node: Node, values: Values) -> dict[str, Any]:
    word, options = read_option(node)
    name = read_word(word, tuple(_SCHEDULES))
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
    for key, value in node.entries.values() if node is not None else ():
        if key.text not in known:
            help = did_you_mean(key.text, known) or f"known: {', '.join(known)}"
            raise fail("SC003", f"there is no option `{key.text}` here", key.span, help=help)
        name, read = known[key.text]
        found[name] = read(value, values)
    return found


def _rate(node: Node, values: Values) -> float:
    rate = read_number(node, values)
    if rate <= 0:
        raise fail("SC004", f"a learning rate is positive, not {describe(node)}", node.span)
    return rate


_READERS: dict[str, Callable[[Node, Values], dict[str, Any]]] = {
    "loss": _loss,
    "optimizer": _optimizer,
    "schedule": _schedule,
    "lr": lambda node, values: {"lr": _rate(node, values)},
    "batch": lambda node, values: {"batch": read_positive(node, values)},
    "steps": lambda node, values: {"steps": read_positive(node, values)},
    "double_bias": lambda node, values: {"double_bias": read_flag(node, values)},
}
