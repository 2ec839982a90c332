"""`data` and `training` as a JSON Schema has them: every key described, every number within its limits."""

from __future__ import annotations

from typing import get_args, get_type_hints

from segcompile.language.json_values import (
    NAME,
    Schema,
    along_axes,
    by_name,
    closed,
    either,
    listed,
    one_key,
    ref,
    within,
    words,
)
from segcompile.language.write import number
from segcompile.network.data import COLOUR, MOST_HEADS, MOST_IGNORED, MOST_RENAMED, Label
from segcompile.network.training import (
    MOST_LOSSES,
    MOST_SELECTORS,
    MOST_STAGES,
    Loss,
    NotNegative,
    Optimizer,
    Padding,
    PaddingMode,
    Reduction,
    Regime,
    Schedule,
)


def data() -> Schema:
    """The classes, and what the labels mean: of all heads, or head by head."""
    colour = {"type": "string", "pattern": f"^{COLOUR.replace('a-f', 'a-fA-F')}$"}
    name = {"type": "string", "pattern": "^[^0-9#_:][^:#]*$"}
    coloured = {"propertyNames": name, "additionalProperties": colour, "minProperties": 1, "maxProperties": 1}
    label = either(_label(), name)
    meant = either(within(Label), name)
    renamed = {"type": "object", "additionalProperties": meant, "maxProperties": MOST_RENAMED}
    told = {
        "classes": (
            "names, in the order of the labels; one with its colour",
            listed(either(name, {"type": "object", **coloured}), 1),
        ),
        "ignore": ("labels that no pixel is trained or judged on", either(label, listed(label, 1, MOST_IGNORED))),
        "map": ("a label or a colour of the files -> the label that is meant, before all else", renamed),
    }
    keys = {key: {"description": told, **_by_head(value)} for key, (told, value) in told.items()}
    return closed(keys, description="what the labels of the masks mean")


def _by_head(value: Schema) -> Schema:
    return either(value, {**by_name(value), "minProperties": 1, "maxProperties": MOST_HEADS})


def training() -> Schema:
    """The regime, and the stages that differ from it."""
    falls = {
        "step": {"every": _option("step_size", "steps at one rate"), "gamma": _option("gamma", "a factor after these")},
        "poly": {"power": _option("power", "the exponent of (1 - step / steps)")},
    }
    schedules = {word: either(next(iter(options.values())), closed(options)) for word, options in falls.items()}
    optimizer = {
        "momentum": _option("momentum", "share of the mean gradient that stays, adamw's first beta"),
        "weight_decay": _option("weight_decay", "what weights lose, times the rate"),
    }
    regime: dict[str, Schema] = {
        "loss": {"description": "what is minimised: a loss, or a list of them", **_losses(_of_all())},
        "optimizer": {
            "description": "what minimises it",
            **_word(dict.fromkeys(get_args(Optimizer), closed(optimizer))),
        },
        "schedule": {"description": "how the learning rate falls", **_word(schedules, *get_args(Schedule))},
        "lr": _option("lr", "the learning rate"),
        "batch": _option("batch", "images a step"),
        "steps": _option("steps", "steps in all"),
    }
    names = either(NAME, listed(NAME, 1, MOST_SELECTORS))
    parts = {
        "train": {"description": "the layers that it trains", **names},
        "freeze": {"description": "the layers that it does not", **names},
    }
    size = {"description": "pixels on each side", **along_axes(within(Padding))}
    stage = {**by_name(closed({**regime, **parts})), "minProperties": 1, "maxProperties": 1}
    told = "an output -> the factor of its losses, or that and its own losses; others are not trained"
    once = {
        "heads": {"description": told, **by_name(either(_option("weight", "a factor"), closed(_of_a_head())))},
        "double_bias": ref("flag", "biases learn at twice the rate and do not decay"),
        "input_padding": {
            "description": "how each image is continued, and by how much",
            **one_key(dict.fromkeys(get_args(PaddingMode), size)),
        },
        "stages": {"description": "parts of the training that follow each other", **listed(stage, 1, MOST_STAGES)},
    }
    return closed({**regime, **once}, description="how the network is trained: the defaults of its train.py")


def _losses(more: dict[str, Schema]) -> Schema:
    """A loss or a list of them; a cross entropy says `more`."""
    own = {
        "weight": _option("weight", "a factor"),
        "class_weights": {
            "description": "a factor a class, or `balanced`: by how rare it is",
            **either(words("balanced"), listed(within(NotNegative), 1)),
        },
        "at": {"description": "the layer whose scores it takes, at that layer's stride", **NAME},
    }
    known = {"cross_entropy": closed({**more, **own}), "dice": closed(own)}
    loss = _word({word: either(own["weight"], options) for word, options in known.items()})
    return either(loss, listed(loss, 1, MOST_LOSSES))


def _of_all() -> dict[str, Schema]:
    """What one cross entropy says of all losses."""
    label = _label()
    return {
        "ignore": {"description": "labels that do not count", **either(label, listed(label, 1, MOST_IGNORED))},
        "reduction": {"description": "over the pixels that count", **words(*get_args(Reduction))},
        "keep": _option("keep", "share of the pixels that count in a step"),
    }


def _of_a_head() -> dict[str, Schema]:
    return {
        "weight": _option("weight", "the factor of its losses"),
        "loss": {"description": "its own losses, instead of the section's", **_losses({})},
    }


def _label() -> Schema:
    return either(within(Label), {"type": "string", "pattern": "^class:[0-9]+$"})


def _option(name: str, meaning: str) -> Schema:
    """A number of the regime or of a loss, within its limits."""
    kind = Loss if name == "weight" else Regime
    told = f"{meaning} (default: {number(getattr(kind(), name))})"
    return {"description": told, **within(get_type_hints(kind, include_extras=True)[name])}


def _word(options: dict[str, Schema], *more: str) -> Schema:
    """A word, alone or with its options."""
    given = {word: {"description": f"{word}, with its options", **option} for word, option in options.items()}
    return either(words(*dict.fromkeys([*options, *more])), one_key(given))
