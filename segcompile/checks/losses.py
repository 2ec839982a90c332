"""Losses, held against the heads whose labels they compare scores with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from segcompile.checks.subject import Subject
from segcompile.network.training import Loss
from segcompile.text.errors import MAX_ERRORS, Diagnostic, Near, Span, finding, label_at, near_one
from segcompile.text.listing import counted


def check_losses(subject: Subject) -> Iterator[Diagnostic]:
    """SC102 for a head that there is not; SC102, SC203 and SC316 for a layer that no loss can stand at, SC301 for one
    whose channels are not the head's classes; SC007 for another number of class weights than of classes."""
    outputs = subject.graph.outputs
    unknown = (head for head in subject.training.heads if head.name not in outputs)
    for head in islice(unknown, MAX_ERRORS):
        message = f"the network has no output `{head.name}`"
        yield finding("SC102", message, head.span, help=near_one(head.name, outputs))
    seen: set[Span] = set()
    for loss, heads in _compared(subject):
        if loss.span is not None and loss.span not in seen:
            seen.add(loss.span)
            yield from _weights(loss, heads, subject)
            yield from _place(loss, heads, subject)


def _compared(subject: Subject) -> Iterator[tuple[Loss, Sequence[str]]]:
    """Each loss, with the heads that have it; those of the section are of the heads without losses of their own."""
    training = subject.training
    heads = [head for head in training.heads if head.name in subject.classes]
    without = [head.name for head in heads if not head.losses] if training.heads else list(subject.classes)
    for losses in (training.losses, *(stage.losses for stage in training.stages)):
        yield from ((loss, without) for loss in losses)
    for head in heads:
        yield from ((loss, [head.name]) for loss in head.losses)


def _weights(loss: Loss, heads: Sequence[str], subject: Subject) -> Iterator[Diagnostic]:
    given = len(loss.class_weights) if isinstance(loss.class_weights, tuple) else 0
    head = next((head for head in heads if given not in (0, subject.classes[head])), None)
    if head is not None:
        message = f"head `{head}` has {subject.classes[head]} classes, and `class_weights` lists {given}"
        help = "one number a class" if len(heads) == 1 else f"a loss of its own: `heads: {{{head}: {{loss: ...}}}}`"
        yield finding("SC007", message, loss.places["class_weights"], help=help)


def _place(loss: Loss, heads: Sequence[str], subject: Subject) -> Iterator[Diagnostic]:
    """What is wrong with the layer that a loss stands at."""
    graph, at = subject.graph, loss.at
    if at is None:
        return
    name = graph.names.get(at.text)
    if name is None:
        message = f"there is no layer `{at.text}` on the way to an output"
        removed = at.removed(graph.gone.names)
        near = None if removed else Near(at.text, tuple(graph.names), "`segcompile rf` shows the layers")
        yield finding("SC102", message, at.span, labels=removed, help=near)
    elif name in graph.inputs:
        yield finding("SC203", f"`{at.text}` is an input, not a layer", at.span, help="name a layer")
    elif not subject.facts[name].shape.size and any(subject.facts[graph.outputs[head]].shape.size for head in heads):
        help = "name a layer that gives a map"
        yield finding("SC316", f"a loss of maps needs a feature map, and `{at.text}` is a vector", at.span, help=help)
    else:
        channels = subject.facts[name].shape.channels
        head = next((head for head in heads if subject.classes[head] != max(channels, 2)), None)
        if head is not None:
            message = (
                f"`{at.text}` has {counted(channels, 'channel')}, and head `{head}` has {subject.classes[head]} classes"
            )
            labels = label_at(graph.by_name[name].origin.span, "this layer")
            help = "a loss stands at scores, a channel a class"
            yield finding("SC301", message, at.span, labels=labels, help=help)
