"""The false claims of a spec -> its file with the computed numbers in their places, and what is left as it is."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path

from segcompile.checks.claim_errors import check_claims, is_of_a_claim
from segcompile.checks.claims import Verdict
from segcompile.compiler import Compiled, compile_spec
from segcompile.facts.pairs import show
from segcompile.importers import is_network_file
from segcompile.interruption import to_the_end
from segcompile.language.derive import variants_of
from segcompile.language.rewrite import Part, Unwritable, replaced, rewrite, values_of
from segcompile.library import came_with_us, locate, own_files_first
from segcompile.network.claims import Claim
from segcompile.text.errors import Diagnostic, Findings, SegcompileError, Span, fail
from segcompile.text.report import render_one
from segcompile.text.source import Scalar, parse
from segcompile.text.source import Sequence as SequenceNode
from segcompile.whole_file import whole_file

_FEW = 3  # numbers of one text that are told
_Place = tuple[int, int]  # line, column


@dataclass(frozen=True, slots=True)
class Fix:
    """What becomes of a spec file: its bytes before, the texts that change, and the claims that stay false or
    undecided, each with why."""

    path: Path
    before: bytes
    changes: tuple[tuple[Span, str], ...]
    left: tuple[Diagnostic, ...]

    @property
    def after(self) -> bytes:
        text = self.before.decode("utf-8-sig")
        mark = self.before[: len(self.before) - len(text.encode())]  # a byte order mark stays
        return mark + replaced(text, self.changes).encode()

    @property
    def diff(self) -> str:
        """The difference as `patch` reads it; empty if there is none."""
        before, after = (StringIO(data.decode(), newline="").readlines() for data in (self.before, self.after))
        lines = difflib.unified_diff(before, after, str(self.path), str(self.path))
        return "".join(
            line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n" for line in lines
        )


@dataclass(slots=True)
class _Network:
    """One variant of the spec: what is due at the text of each of its claims in this file, and why one of them cannot
    be written."""

    variant: str | None
    compiled: Compiled
    findings: Findings
    parts: dict[Verdict, tuple[Part, ...]] = field(default_factory=dict)
    why: dict[Claim, str] = field(default_factory=dict)


def fix(path: Path, variant: str | None = None) -> Fix:
    """The computed numbers for the false claims of a spec, of all its variants or of one; nothing is written.

    A text that stands for several claims, of other layers or variants too, is changed if they are all the same number.
    Raises SegcompileError for a spec that has more wrong with it than its claims.
    """
    if is_network_file(path):
        message = f"`{path}` is a network, and no spec: nothing is claimed in it"
        raise fail("SC903", message, help=f"a spec with `base: {path.name}` can claim")
    variants = variants_of(path, locate) if path.is_file() else ()
    asked = [_compiled(path, each) for each in ((variant,) if variant is not None else variants or (None,))]
    others = [_other(path, each) for each in variants if variant is not None and each != variant]
    before = _bytes(path)
    root = parse(before.decode("utf-8-sig", "replace"), str(path))
    values, networks = values_of(root), [*asked, *(other for other in others if other is not None)]
    for network in networks:
        if network.compiled.document.root.span.source.lines != root.span.source.lines:
            raise _changed(path)
        _plan(network, values)
    texts, numbers = _due(networks)
    changes: dict[_Place, tuple[Span, str]] = {}
    for network in asked:
        for verdict, parts in network.parts.items():
            for part in parts:
                place, text = (part.span.line, part.span.column), part.text
                if text is not None and len(texts[place]) == 1:
                    changes[place] = (part.span, text)
                elif text is not None:
                    told = ", ".join([f"{number} ({whose})" for number, whose in numbers[place].items()][:_FEW])
                    network.why[verdict.claim] = f"one text stands for several numbers: {told}"
    left = [found for network in asked for found in _left(network, changes.keys())]
    return Fix(path, before, tuple(changes.values()), tuple({render_one(found): found for found in left}.values()))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise fail("SC009", f"`{path}` cannot be read: {error.strerror or error}") from None


def _compiled(path: Path, variant: str | None) -> _Network:
    """A variant in which nothing is wrong but claims. Raises SegcompileError."""
    findings = Findings()
    compiled = compile_spec(path, findings, variant=variant)
    if any(found.is_error and not is_of_a_claim(found) for found in findings.diagnostics):
        raise SegcompileError(findings.diagnostics)
    return _Network(variant, compiled, findings)


def _other(path: Path, variant: str) -> _Network | None:
    """A variant that was not asked for, as far as there is one."""
    try:
        return _compiled(path, variant)
    except SegcompileError:
        return None


def _plan(network: _Network, values: Mapping[_Place, Scalar | SequenceNode]) -> None:
    """Find what is due at each claim that this file makes, and which cannot be written."""
    own = network.compiled.document.root.span.source
    for verdict in network.compiled.verdicts:
        claim = verdict.claim
        if verdict.computed is None:
            continue
        if claim.span.source is not own:
            network.why[claim] = f"`{claim.span.source.name}` is another file, and stays as it is"
            continue
        node = values[claim.span.line, claim.span.column]  # parsed from the same lines
        try:
            network.parts[verdict] = rewrite(node, verdict.claimed, verdict.computed, claim.in_table)
        except Unwritable as why:
            network.why[claim] = f"{show(verdict.computed)} is not written: {why}"


def _due(networks: Iterable[_Network]) -> tuple[dict[_Place, set[str | None]], dict[_Place, dict[str, str]]]:
    """Place -> every text that is due there, and each number that it stands for with the first whose it is."""
    texts: dict[_Place, set[str | None]] = {}
    numbers: dict[_Place, dict[str, str]] = {}
    for network in networks:
        for verdict, parts in network.parts.items():
            assert verdict.computed is not None
            whose = network.variant or verdict.layer or network.compiled.model
            for part in parts:
                place = part.span.line, part.span.column
                texts.setdefault(place, set()).add(part.text)
                numbers.setdefault(place, {}).setdefault(show(verdict.computed), whose)
    return texts, numbers


def _left(network: _Network, changed: Iterable[_Place]) -> list[Diagnostic]:
    """What is wrong with the claims that do not change, and why they do not."""
    places, compiled = {*changed}, network.compiled
    fixed = {
        verdict.claim: tuple(number for number in verdict.computed or () if number is not None)
        for verdict, parts in network.parts.items()
        if all(part.text is None or (part.span.line, part.span.column) in places for part in parts)
    }
    mended = tuple(replace(claim, number=fixed.get(claim, claim.number)) for claim in compiled.spec.claims)
    before, after = _told(compiled, compiled.spec.claims, {}), _told(compiled, mended, network.why)
    used = [found for found in network.findings.diagnostics if found.is_error and found not in before]
    return [*after, *used]


def _told(compiled: Compiled, claims: tuple[Claim, ...], why: Mapping[Claim, str]) -> list[Diagnostic]:
    """What is wrong with some claims of a network, each with why it is left."""
    subject = replace(compiled.subject, claims=claims, training=compiled.spec.training)
    reasons = {claim.span: reason for claim, reason in why.items()}
    findings = Findings()
    with own_files_first(findings):
        for found in check_claims(subject):
            spans = (found.span, *(label.span for label in found.labels))
            notes = [reasons[span] for span in spans if span in reasons]
            findings.diagnostics.append(replace(found, notes=(*found.notes, *notes)))
    return findings.diagnostics


# --- writing ---------------------------------------------------------------------------------------------------------


def write(fix: Fix) -> None:
    """Put the changed text in the place of the file, in one step and with its mode.

    Raises SegcompileError (SC013) for a file that comes with segcompile, one that is a link, one that changed since it
    was read, and where nothing can be written. The file is as it was then.
    """
    path = fix.path
    if came_with_us(path):
        help = f"copy it: `segcompile show {path.stem} > my_{path.stem}.yaml`, and fix the copy"
        raise fail("SC013", f"`{path}` comes with segcompile and cannot be changed", help=help)
    if path.is_symlink():
        raise fail("SC013", f"`{path}` is a symbolic link and cannot be replaced", help="name the file itself")
    with to_the_end(), whole_file(path) as aside, path.open("r+b") as file:  # it may be read-only
        aside.write_bytes(fix.after)
        aside.chmod(os.fstat(file.fileno()).st_mode & 0o7777)
        if file.read() != fix.before:
            raise _changed(path)


def _changed(path: Path) -> SegcompileError:
    return fail("SC013", f"`{path}` changed meanwhile and cannot be written", help="run `segcompile fix` again")
