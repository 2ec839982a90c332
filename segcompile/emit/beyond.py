"""What a spec says of losses, heads and labels that the files of the harness do not do: each cause is told once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segcompile.network.data import Data
from segcompile.network.training import Loss, Training
from segcompile.text.errors import Findings, Label, Span
from segcompile.text.listing import listed

_MOST = 8  # places that are shown
_FEW = 4  # entries of a map that are shown as a flag
_Told = tuple[Span, str]  # a place, and what becomes of what stands there


def warn_untrained(training: Training, heads: Sequence[str], findings: Findings) -> None:
    """SC614 for all that a training says beside one cross entropy of the first head: at the first place."""
    told = [*_of_losses(training.losses), *_of_heads(training, heads[0])]
    told += [each for stage in training.stages for each in _of_losses(stage.losses)]
    message = f"train.py trains one head, `{heads[0]}`, with one cross entropy"
    other = "; `--head` names another head" if len(heads) > 1 else ""
    _warn(message, told, f"the loop of train.py is yours to extend{other}", findings)


def _of_heads(training: Training, first: str) -> Iterator[_Told]:
    for head in training.heads:
        if head.name != first:
            yield head.span, f"trained alone, by `--head {head.name}`"
        elif head.weight != 1:
            yield head.span, "its weight is 1"
        yield from _of_losses(head.losses)


def _of_losses(losses: Sequence[Loss]) -> Iterator[_Told]:
    """All but one cross entropy, and what that says beside the pixels that count."""
    entropies = [loss for loss in losses if loss.kind == "cross_entropy"]
    kept = next((loss for loss in entropies if loss.at is None), entropies[0] if entropies else None)
    for loss in losses:
        if loss is not kept and loss.span is not None:
            yield loss.span, "left out"
        elif loss.weight != 1:
            yield loss.places["weight"], "left out: it is 1"
        if loss is kept:
            options = {"class_weights": loss.class_weights, "at": loss.at}
            yield from ((loss.places[name], "left out") for name, said in options.items() if said)


def warn_unread(data: Data, heads: Sequence[str], findings: Findings) -> None:
    """SC614 for classes and maps, and for ignored labels that are not those of the first head: at the first place."""
    first, each = data.of(heads[0]), [data.of(head) for head in heads]
    told, does = dict[str, str](), list[str]()
    if any(labels.classes for labels in each):
        told["classes"] = "label n is shown as n"
    if any(labels.map for labels in each):
        told["map"] = "left to the flag `--map`"
    if told:
        does.append(f"do not use {listed([f'`{key}`' for key in told])} of `data`")
    if any(labels.ignore != first.ignore for labels in each):
        told["ignore"] = f"those of `{heads[0]}` alone are read"
        does.append(f"ignore the labels of `{heads[0]}` for every head")
    flag = ",".join(f"{renamed.source}:{renamed.label}" for renamed in first.map[:_FEW])
    help = f'`--map "{flag}{",..." if len(first.map) > _FEW else ""}"` says the map' if flag else None
    places = [(data.places[key], text) for key, text in told.items()]
    _warn(f"the generated programs {listed(does)}", places, help, findings)


def _warn(message: str, told: Sequence[_Told], help: str | None, findings: Findings) -> None:
    """One warning of several places, each once."""
    places = dict(reversed(told))
    spans = list(dict.fromkeys(span for span, _ in told))
    if spans:
        labels = [Label(span, places[span]) for span in spans[:_MOST]]
        more = len(spans) - len(labels)
        notes = [f"{more} more such place{'s' if more > 1 else ''}"] if more else []
        findings.add("SC614", message, spans[0], labels=labels, help=help, notes=notes)
