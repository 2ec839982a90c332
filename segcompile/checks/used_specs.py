"""What enters a used spec: a map of the channels that it takes."""

from __future__ import annotations

from collections.abc import Iterator

from segcompile.checks.subject import Subject
from segcompile.text.errors import Diagnostic, finding


def check_channels(subject: Subject) -> Iterator[Diagnostic]:
    """SC301 for a used spec whose own input has other channels than what enters it here."""
    for scope in subject.graph.scopes:
        entry = scope.entry if scope.takes else None
        if entry is not None and entry in subject.shapes:
            have = subject.shapes[entry].channels
            if have != scope.takes:
                message = (
                    f"`{scope.title}` takes {scope.takes} channels, and `{subject.graph.layer_of(entry)}` has {have}"
                )
                yield finding("SC301", message, scope.used, help="give it the parameter that sets its input's channels")
