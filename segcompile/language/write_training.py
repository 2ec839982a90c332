"""A regime of training -> the text of a spec's `training`, which is read as the same regime again.

What is as it is by default, or in a stage as the section says, is not written.
"""

from __future__ import annotations

from collections.abc import Callable

from segcompile.language.write import mapping, number, values
from segcompile.network.training import Head, Loss, Regime, Stage, Training

Selectors = Callable[[str], list[str]]  # a selector -> those of the written network that mean the same layers
LayerOf = Callable[[str], str]  # a layer's name -> the one that it has in the written network


def write_training(training: Training, selectors: Selectors, layer: LayerOf) -> dict[str, str]:
    """What is under each key of `training`, the stages on lines of their own; {} where all is as it is by default."""
    usual = Training()
    said = _losses(training, training.losses, usual, usual.losses, layer)
    if training.heads:
        said["heads"] = mapping({head.name: _head(head, layer) for head in training.heads})
    said |= _regime(training, usual)
    if training.double_bias:
        said["double_bias"] = "yes"
    if any(training.padding):
        said["input_padding"] = mapping({training.padding_mode: values(training.padding)})
    if training.stages:
        stages = [f"    - {stage.name}: {_stage(stage, training, selectors, layer)}" for stage in training.stages]
        said["stages"] = "\n".join(["", *stages])
    return said


def _stage(stage: Stage, section: Training, selectors: Selectors, layer: LayerOf) -> str:
    said = {}
    for key, chosen in (("train", stage.train), ("freeze", stage.freeze)):
        texts = [text if text.isidentifier() else f'"{text}"' for one in chosen for text in selectors(one.text)]
        if texts:
            said[key] = f"[{', '.join(texts)}]" if len(texts) > 1 else texts[0]
    losses = _losses(stage.regime, stage.losses, section, section.losses, layer)
    return mapping({**said, **losses, **_regime(stage.regime, section)})


def _losses(
    own: Regime, losses: tuple[Loss, ...], section: Regime, before: tuple[Loss, ...], layer: LayerOf
) -> dict[str, str]:
    """All losses, if something is another one than around it; what is of all of them stands in the first cross
    entropy."""
    shared = {"ignore": f"[{', '.join(map(str, own.ignore))}]"} if own.ignore != section.ignore else {}
    shared |= {"reduction": own.reduction} if own.reduction != section.reduction else {}
    shared |= _numbers(own, section, ("keep",))
    if losses == before and not shared:
        return {}
    first = next((loss for loss in losses if loss.kind == "cross_entropy"), None)
    return {"loss": _all([_loss(loss, shared if loss is first else {}, layer) for loss in losses])}


def _all(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _loss(loss: Loss, shared: dict[str, str], layer: LayerOf) -> str:
    """`dice`, `{dice: 0.5}`, or with more options."""
    own = {"weight": number(loss.weight)} if loss.weight != 1 else {}
    if isinstance(loss.class_weights, str):
        own["class_weights"] = loss.class_weights
    elif loss.class_weights:
        own["class_weights"] = f"[{', '.join(map(number, loss.class_weights))}]"
    own |= {"at": layer(loss.at.text)} if loss.at is not None else {}
    said = {**shared, **own}
    return mapping({loss.kind: said["weight"]}) if [*said] == ["weight"] else _word(loss.kind, said)


def _head(head: Head, layer: LayerOf) -> str:
    """Its weight, or that with its losses."""
    if not head.losses:
        return number(head.weight)
    return mapping({"weight": number(head.weight), "loss": _all([_loss(loss, {}, layer) for loss in head.losses])})


def _regime(own: Regime, section: Regime) -> dict[str, str]:
    """What a regime says in another way than the one that holds around it."""
    said = {}
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
