"""The emitted code read back, and proved to be the network that it was made of."""

from __future__ import annotations

from collections.abc import Mapping

from segcompile.importers.lift import Imported
from segcompile.ops import SYMBOLS, AnySize, Shape
from segcompile.prove import Answer, Proof, prove
from segcompile.prove.witness import Witness
from segcompile.testing.bench import Mismatch, Subject
from segcompile.testing.runner import Unread
from segcompile.text.errors import SegcompileError

_BY_VALUES = "not proved, but compared by values"
_READ_FOR = "it is read for"  # some sizes, what the importer says of code that does not run at others


def compare_code(subject: Subject, images: Mapping[str, Shape]) -> str:
    """What is proved of a model's code, for all weights and images, or why nothing is. It is read where the graph's
    inputs are of the shapes `images`; what is not proved at every size may be at this one. Raises Mismatch where the
    code is refuted: where there are weights and an image on which the network that it says gives something else."""
    try:
        code = subject.model.read_back(*((1, shape.channels, *_size(shape)) for shape in images.values()))
        proof = _proof(subject, code, _size(next(iter(images.values()))))
    except Unread as reason:
        return f"{_BY_VALUES}: {reason}"
    except SegcompileError as error:
        return f"{_BY_VALUES}: its code cannot be read back: {_why(error)}"
    if proof.answer is Answer.REFUTED:
        assert proof.witness is not None
        raise Mismatch(f"its code gives something else: {_differs(proof.witness)}{_parting(proof)}")
    if proof.answer is Answer.UNDECIDED:
        return (
            f"{_BY_VALUES}: no rule makes the code equal, and no image was found on which it differs{_parting(proof)}"
        )
    of = _images(proof, images) + _bound(proof)
    return f"proved: the code gives what the network gives for all weights and images, {of}"


def _size(shape: Shape) -> tuple[int, ...]:
    return tuple(extent for extent in shape.size if isinstance(extent, int))


def _proof(subject: Subject, code: Imported, size: tuple[int, ...]) -> Proof:
    """At every size, where the network takes any and the code could be read for any; else at one."""
    graph, known = subject.request.graph, _known(subject, code)
    if not any(line.startswith(_READ_FOR) for line in code.said):
        found = prove(graph, code.graph, known=known)
        if found.sizes is None and (found.answer is Answer.PROVED or graph.takes_any_size):
            return found
    return prove(graph, code.graph, known=known, size=size)


def _known(subject: Subject, code: Imported) -> Mapping[tuple[str, str], str]:
    """Tensor of the code -> its name in the state dict: the model holds random numbers, by which each is known. Raises
    Unread for one that the model has not."""
    names = {subject.cast(value).tobytes(): name for name, value in subject.values.items()}
    found = {place: names.get(subject.cast(value).tobytes()) for place, value in code.tensors.items()}
    for (node, parameter), name in found.items():
        if name is None:
            raise Unread(f"`{parameter}` of `{code.graph.layer_of(node)}` in its code is no tensor of the network")
    return {place: name for place, name in found.items() if name is not None}


def _why(error: SegcompileError) -> str:
    """The first refusal, and the first thing that it names, without the place in a temporary file."""
    first = error.diagnostics[0]
    return "; ".join((first.message, *(note.partition(" (/")[0] for note in first.notes[:1])))


def _differs(witness: Witness) -> str:
    at = " x ".join(map(str, witness.size))
    if witness.shapes is not None:
        ours, theirs = (" x ".join(map(str, shape)) for shape in witness.shapes)
        return f"for an image of {at}, {witness.output} is {ours}, and {theirs} in the code"
    place, (ours_at, theirs_at) = ", ".join(map(str, witness.place)), witness.values
    return f"for an image of {at}, {witness.output}[{place}] is {ours_at:.9g}, and {theirs_at:.9g} in the code"


def _parting(proof: Proof) -> str:
    """Where the two part, and how."""
    if proof.parting is None:
        return ""
    names = dict.fromkeys(f"`{name}`" for name in (proof.parting.first, proof.parting.second) if name is not None)
    return f"; they part at {' and '.join(names) or 'an output'}" + (
        f": {'; '.join(proof.parting.causes)}" if proof.parting.causes else ""
    )


def _images(proof: Proof, images: Mapping[str, Shape]) -> str:
    """Which images it is proved for: `of 2 x 24 x 25`, or, at all sizes, `of 2 x H x W, H ≥ 4, W ≥ 4`."""
    if proof.sizes is not None:
        return "of " + " and ".join(map(str, images.values()))
    free = [Shape(each.channels, tuple(map(AnySize, SYMBOLS[len(each.size)]))) for each in images.values()]
    return ", ".join(("of " + " and ".join(map(str, free)), *map(str, proof.taken.legal)))


def _bound(proof: Proof) -> str:
    return f"; the chance that this is wrong is {proof.bound:.0e}" if proof.runs else ", op by op"
