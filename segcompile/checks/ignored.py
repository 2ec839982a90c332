"""Which labels a training ignores: none that is a class, unless the spec says that it is one."""

from __future__ import annotations

from collections.abc import Iterator

from segcompile.checks.subject import Subject
from segcompile.network.training import Ignored
from segcompile.text.errors import Diagnostic, finding


def unused_label(classes: int) -> int:
    """The label of pixels that do not count, where the spec names none: no class, and the largest that 8 bits hold,
    or 16."""
    return next(label for label in (255, 65535, 10**9 - 1) if label >= classes)


def check_ignored(subject: Subject) -> Iterator[Diagnostic]:
    """SC117 for an ignored label that is a class and is not called one, or that is called a class and is none.

    A network of one channel tells two classes apart.
    """
    training, facts = subject.training, subject.facts
    heads = {head: max(facts[node].shape.channels, 2) for head, node in subject.graph.outputs.items() if node in facts}
    regimes = (training, *(stage.regime for stage in training.stages))
    written = {ignored.span: ignored for regime in regimes for ignored in regime.ignore}
    for ignored in written.values():
        message, help = _wrong(ignored, heads)
        if message:
            yield finding("SC117", message, ignored.span, help=help)


def _wrong(ignored: Ignored, heads: dict[str, int]) -> tuple[str, str]:
    """What is wrong with an ignored label, if anything, and what helps."""
    within = [head for head, classes in heads.items() if ignored.label < classes]
    if bool(within) == ignored.named or not heads:
        return "", ""
    most, unused = max(heads.values()), unused_label(max(heads.values()))
    if not within:
        help = f"`ignore: {ignored.label}` for a label that is no class"
        return f"`{ignored}` is no class: classes are 0 to {most - 1}", help
    message = f"label {ignored.label} is a class of `{within[0]}`, whose classes are 0 to {heads[within[0]] - 1}"
    return message, f"`ignore: class:{ignored.label}` if that class shall not count; {unused} is no class"
