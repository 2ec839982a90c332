"""What a spec says of its masks' labels, held against the heads: as many classes as these have channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from segcompile.checks.ignored import unused_label
from segcompile.checks.subject import Subject
from segcompile.network.data import Labels
from segcompile.text.errors import MAX_ERRORS, Diagnostic, Span, finding, label_at
from segcompile.text.listing import counted


def check_data(subject: Subject) -> Iterator[Diagnostic]:
    """SC007 for another number of classes than a head has, SC105 for a label that is mapped onto none that there is."""
    shared: dict[int, tuple[Labels, dict[str, int]]] = {}  # labels that several heads share are looked at once
    for head, classes in subject.classes.items():
        labels = subject.data.of(head)
        shared.setdefault(id(labels), (labels, {}))[1][head] = classes
    told: set[Span] = set()
    for labels, heads in shared.values():
        for found in (*_count(labels, heads, subject), *islice(_unknown(labels, heads, subject), MAX_ERRORS)):
            if found.span is not None and found.span not in told:
                told.add(found.span)
                yield found


def _count(labels: Labels, heads: Mapping[str, int], subject: Subject) -> Iterator[Diagnostic]:
    """SC007 at the first class too many, or at the last one; for the first head that they do not fit."""
    named = len(labels.classes)
    head = next((head for head, classes in heads.items() if named not in (0, classes)), None)
    if head is not None:
        classes, node = heads[head], subject.graph.by_name[subject.graph.outputs[head]]
        channels = subject.facts[node.name].shape.channels
        why = f"{counted(channels, 'channel')}{', the logit of class 1' * (channels == 1)}"
        message = f"head `{head}` has {classes} classes, and `classes` names {named}: `{node.layer}` has {why}"
        at = labels.classes[classes] if named > classes else labels.classes[-1]
        places = label_at(node.origin.span, f"`{head}` is this")
        help = f"of one head alone: `classes: {{{head}: [...]}}`" if len(heads) > 1 else "name them all, and no other"
        yield finding("SC007", message, at.span, labels=places, help=help)


def _unknown(labels: Labels, heads: Mapping[str, int], subject: Subject) -> Iterator[Diagnostic]:
    """SC105 for what is mapped onto a label that is no class, of the head that has the fewest, and is not ignored."""
    head, classes = min(heads.items(), key=lambda pair: pair[1])
    ignored = labels.ignore or subject.training.ignore
    known = {each.label for each in ignored} or {unused_label(max(subject.classes.values()))}
    for each in labels.map:
        if each.label >= classes and each.label not in known:
            due = f"a class of `{head}`, 0 to {classes - 1}, or an ignored label"
            help = f"`ignore: [{each.label}]` if such pixels shall not count"
            yield finding("SC105", f"{due} is due here, not `{each.label}`", each.span, help=help)
