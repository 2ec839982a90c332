"""Which labels a training ignores: none that is a class, unless the spec says that it is one."""

from __future__ import annotations

from collections.abc import Iterator

from segcompile.checks.subject import Subject
from segcompile.network.data import Ignored
from segcompile.text.errors import Diagnostic, Label, SourceText, finding


def unused_label(classes: int) -> int:
    """The label of pixels that do not count, where the spec names none: no class, and the largest that 8 bits hold,
    or 16."""
    return next(label for label in (255, 65535, 10**9 - 1) if label >= classes)


def check_given_once(subject: Subject) -> Iterator[Diagnostic]:
    """SC002 where `data` and a loss both say which labels do not count, at what is said later: a base comes first."""
    training, first = subject.training, subject.data.places.get("ignore")
    regimes = (training, *(stage.regime for stage in training.stages))
    for span in dict.fromkeys(regime.ignore[0].span for regime in regimes if regime.ignore):
        if first is not None:
            before, after = sorted((first, span), key=lambda at: (-len(_bases(at.source)), at.line, at.column))
            message, help = "`ignore` is given twice: by `data` and by a loss", "keep that of `data`"
            yield finding("SC002", message, after, labels=[Label(before, "first here")], help=help)


def _bases(source: SourceText) -> tuple[SourceText, ...]:
    """The texts that named this one as their base, one behind the other."""
    return (*_bases(source.named.span.source), source) if source.named is not None else ()


def check_ignored(subject: Subject) -> Iterator[Diagnostic]:
    """SC117 for an ignored label that is a class and is not called one, or that is called a class and is none.

    A network of one channel tells two classes apart.
    """
    training, data = subject.training, subject.data
    regimes = (training, *(stage.regime for stage in training.stages))
    written = {ignored.span: (ignored, dict(subject.classes)) for regime in regimes for ignored in regime.ignore}
    for head, classes in subject.classes.items():
        for ignored in data.of(head).ignore:
            written.setdefault(ignored.span, (ignored, {}))[1][head] = classes
    for ignored, heads in written.values():
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
