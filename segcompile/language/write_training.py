"""A regime of training -> the text of a spec's `training`, which is read as the same regime again.

What is as it is by default, or in a stage as the section says, is not written.
"""

from __future__ import annotations

from collections.abc import Callable

from segcompile.language.write import mapping, number, values
from segcompile.network.training import Regime, Stage, Training

Selectors = Callable[[str], list[str]]  # a selector -> those of the written network that mean the same layers


def write_training(training: Training, selectors: Selectors) -> dict[str, str]:
    """What is under each key of `training`, the stages on lines of their own; {} where all is as it is by default."""
    said = _regime(training, Regime())
    if training.double_bias:
        said["double_bias"] = "yes"
    if any(training.padding):
        said["input_padding"] = mapping({training.padding_mode: values(training.padding)})
    if training.stages:
        stages = [f"    - {stage.name}: {_stage(stage, training, selectors)}" for stage in training.stages]
        said["stages"] = "\n".join(["", *stages])
    return said


def _stage(stage: Stage, section: Regime, selectors: Selectors) -> str:
    said = {}
    for key, chosen in (("train", stage.train), ("freeze", stage.freeze)):
        texts = [text if text.isidentifier() else f'"{text}"' for one in chosen for text in selectors(one.text)]
        if texts:
            said[key] = f"[{', '.join(texts)}]" if len(texts) > 1 else texts[0]
    return mapping({**said, **_regime(stage.regime, section)})


def _regime(own: Regime, section: Regime) -> dict[str, str]:
    """What a regime says in another way than the one that holds around it."""
    said = {}
    loss = {}
    if own.ignore != section.ignore:
        loss["ignore"] = f"[{', '.join(map(str, own.ignore))}]"
    if own.reduction != section.reduction:
        loss["reduction"] = own.reduction
    loss |= _numbers(own, section, ("keep",))
    if loss:
        said["loss"] = mapping({"cross_entropy": mapping(loss)})
    options = _numbers(own, section, ("momentum", "weight_decay"))
    if options or own.optimizer != section.optimizer:
        said["optimizer"] = _word(own.optimizer, options)
    named = {"poly": {"power": "power"}, "step": {"step_size": "every", "gamma": "gamma"}}.get(own.schedule, {})
    options = {named[name]: text for name, text in _numbers(own, section, tuple(named)).items()}
    if options or own.schedule != section.schedule:
        said["schedule"] = _word(own.schedule, options)
    return {**said, **_numbers(own, section, ("lr", "batch", "steps"))}


def _numbers(own: Regime, section: Regime, names: tuple[str, ...]) -> dict[str, str]:
    """Those of some numbers in which a regime differs."""
    return {name: number(getattr(own, name)) for name in names if getattr(own, name) != getattr(section, name)}


def _word(word: str, options: dict[str, str]) -> str:
    return mapping({word: mapping(options)}) if options else word
