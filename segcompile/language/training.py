"""The section `training` -> typed values, which the harness has as its defaults."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingOf
from dataclasses import fields
from typing import Any, get_args

from segcompile.language.derive import Document
from segcompile.language.expressions import Values, format_name
from segcompile.language.losses import read_heads, read_losses
from segcompile.language.options import Known, held, read_options
from segcompile.language.values import (
    read_flag,
    read_naturals,
    read_number,
    read_option,
    read_positive,
    read_word,
)
from segcompile.language.words import Meant, like_a_name
from segcompile.network.selector import Selector
from segcompile.network.training import (
    MOST_SELECTORS,
    MOST_STAGES,
    Optimizer,
    PaddingMode,
    Regime,
    Stage,
    Training,
)
from segcompile.text.errors import Diagnostic, Label, SegcompileError, fail, gathering
from segcompile.text.source import Mapping, Node, Scalar, Sequence, counted, describe

_Reader = Callable[[Node, Values], dict[str, Any]]  # of a key: the fields that it says


def read_training(document: Document, values: Values, rank: int, wrong: list[Diagnostic]) -> Training:
    """The document's `training` of a network of so many axes, as far as it can be read; what is wrong in it goes to
    `wrong`."""
    section = document.section("training")
    entries = dict(section.entries) if section else {}
    stages = entries.pop("stages", None)
    once: dict[str, _Reader] = {**_ONCE, "input_padding": lambda node, values: _padding(node, values, rank)}
    found = _read_all(entries.values(), _READERS | once, values, wrong)
    read = _stages(stages[1], values, found, wrong) if stages else ()
    return Training(**found, stages=read)


def _read_all(
    entries: Iterable[tuple[Scalar, Node]], readers: MappingOf[str, _Reader], values: Values, wrong: list[Diagnostic]
) -> dict[str, Any]:
    """The fields that some keys say; what is wrong with a key goes to `wrong`."""
    found: dict[str, Any] = {}
    for key, node in entries:
        with gathering(wrong):
            if key.text not in readers:
                help = Meant("training", key.text, tuple(readers), node, otherwise=f"known: {', '.join(readers)}")
                raise fail("SC003", f"there is no key `{key.text}` here", key.span, help=help)
            found |= readers[key.text](node, values)
    return found


# --- stages ----------------------------------------------------------------------------------------------------------

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
        losses = said.pop("losses", None) or section.get("losses") or Training().losses
        found[name.text] = Stage(name.text, name.span, Regime(**{**own, **said}), losses, train, freeze)
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
        labels = [Label(others[name.text].span, "first here")]
        raise fail("SC002", f"there is already a stage `{name.text}`", name.span, labels=labels)
    if not isinstance(options, Mapping):
        raise fail(
            "SC004", f"a stage's options are {{key: value}}, not {describe(options)}", options.span, help=_STAGE_HELP
        )
    return name, options


def _selectors(node: Node, values: Values) -> tuple[Selector, ...]:
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
        found.append(Selector(format_name(item, values), item.span))
    return tuple(found)


_SELECTORS: dict[str, _Reader] = {
    "train": lambda node, values: {"train": _selectors(node, values)},
    "freeze": lambda node, values: {"freeze": _selectors(node, values)},
}


# --- the keys of the section ------------------------------------------------------------------------------------------


def _optimizer(node: Node, values: Values) -> dict[str, Any]:
    word, options = read_option(node)
    name = read_word(word, get_args(Optimizer), "optimizer")
    known: Known = {"momentum": ("momentum", read_number), "weight_decay": ("weight_decay", read_number)}
    return {"optimizer": name, **read_options(options, known, values)}


_SCHEDULES: MappingOf[str, Known] = {  # the first option of each needs no name
    "fixed": {},
    "step": {"every": ("step_size", read_positive), "gamma": ("gamma", read_number)},
    "poly": {"power": ("power", read_number)},
}


def _schedule(node: Node, values: Values) -> dict[str, Any]:
    word, options = read_option(node)
    name = read_word(word, tuple(_SCHEDULES), "schedule")
    known = _SCHEDULES[name]
    if options is not None and not known:
        raise fail("SC004", f"a {name} rate takes no value", options.span, help=f"`schedule: {name}`")
    if options is not None and not isinstance(options, Mapping):
        key, read = next(iter(known.values()))
        return {"schedule": name, key: held(key, read(options, values), options)}
    return {"schedule": name, **read_options(options, known, values)}


def _padding(node: Node, values: Values, rank: int) -> dict[str, Any]:
    word, size = read_option(node)
    if size is None:
        message = f"how to pad, and by how much, is due here, not {describe(node)}"
        raise fail("SC004", message, node.span, help="for example `input_padding: {reflect: 186}`")
    mode = read_word(word, get_args(PaddingMode), "mode")
    pixels = held("padding", read_naturals(size, values, rank), size)
    return {"padding": pixels, "padding_mode": mode}


_READERS: dict[str, _Reader] = {  # of the section, and of a stage
    "loss": read_losses,
    "optimizer": _optimizer,
    "schedule": _schedule,
    "lr": lambda node, values: {"lr": held("lr", read_number(node, values), node)},
    "batch": lambda node, values: {"batch": read_positive(node, values)},
    "steps": lambda node, values: {"steps": read_positive(node, values)},
}
_ONCE: dict[str, _Reader] = {  # of the section alone
    "heads": lambda node, values: {"heads": read_heads(node, values)},
    "double_bias": lambda node, values: {"double_bias": read_flag(node, values)},
}
