"""Whether two networks are equal: `segcompile prove`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from segcompile.ops.size import times
from segcompile.prove import Answer, Proof

_FEW = 6  # sizes, or weights, that a text names


def prove_text(proof: Proof, models: Sequence[str]) -> str:
    """The answer in a line, and below it what it rests on, or what speaks against it."""
    first, second = models
    weights = "all images, with the numbers that both hold," if proof.numbers else "all weights and all images,"
    lines = [f"{proof.answer}: {_SENTENCES[proof.answer].format(first, second, weights)}"]
    lines += [f"  {line}" for line in (*_against(proof), *_for(proof), *_notes(proof, models))]
    return "\n".join(lines)


_SENTENCES = {
    Answer.PROVED: "{} and {} give the same for {} in exact arithmetic",
    Answer.REFUTED: "{} and {} differ",
    Answer.UNDECIDED: "{} and {} are not shown equal, and no image was found on which they differ",
}


def _against(proof: Proof) -> Iterator[str]:
    if (witness := proof.witness) is not None:
        at = f"on {_named(witness.size)}"
        if witness.shapes is not None:
            yield f"{at} `{witness.output}` is {times(*witness.shapes[0])}, and {times(*witness.shapes[1])}"
        else:
            a, b = witness.values
            place = ", ".join(map(str, witness.place))
            drawn = "image" if proof.numbers else "weights and image"
            yield f"{at}, {drawn} of draw {witness.draw}: `{witness.output}`[{place}] is {a:.9g}, and {b:.9g}"
            yield f"they differ by {abs(a - b) / witness.largest:.1e} of the largest value, far beyond rounding"
    if (parting := proof.parting) is not None:
        names = dict.fromkeys(f"`{name}`" for name in (parting.first, parting.second) if name is not None)
        yield f"they part at {' and '.join(names) or 'an output'}" + (":" if parting.causes else "")
        yield from (f"  {cause}" for cause in parting.causes)
    if proof.answer is Answer.UNDECIDED and proof.parts_at is not None:
        at = _named(proof.parts_at)
        alike = f"the terms are alike on {at}, but so much is hashed that the chance of a mistake cannot be bounded"
        yield alike if proof.unbounded else f"the terms part on {at}"


def _for(proof: Proof) -> Iterator[str]:
    there, every = proof.layers
    if proof.answer is not Answer.PROVED:
        yield f"{there} of {every} nodes have an equal"
        return
    if not proof.runs:
        yield f"all {every} nodes are the same ops on the same results: nothing had to be run"
        return
    yield f"{there} of {every} nodes have an equal; {proof.runs} runs over three primes of 21 bits, {_seeds(proof)}"
    yield f"the chance that this is wrong is below {_rounded_up(proof.bound)}"


def _seeds(proof: Proof) -> str:
    return "1 seed" if proof.seeds == 1 else f"up to {proof.seeds} seeds"


def _rounded_up(bound: float) -> str:
    """One digit, never less than the bound."""
    exponent = -400
    while 10.0**exponent < bound and exponent < 0:
        exponent += 1
    return f"1e{exponent}" if bound > 0 else "1e-300"


def _notes(proof: Proof, models: Sequence[str]) -> Iterator[str]:
    if proof.answer is Answer.PROVED:
        if proof.sizes is None:
            yield f"at every size that both take: {', '.join(map(str, proof.taken.legal)) or 'one alone'}"
        else:
            yield f"for these sizes: {_listed([times(*size) for size in proof.sizes])}"
    yield from proof.unlike
    for model, names in zip(models, proof.alone, strict=True):
        if names:
            yield f"`{model}` has weights that the other has not: {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {more} more" if more > 0 else "")


def _named(size: Sequence[int]) -> str:
    return f"an input of {times(*size)}" if size else "a vector"


def prove_json(proof: Proof, models: Sequence[str]) -> dict[str, Any]:
    """The whole answer."""
    witness, parting = proof.witness, proof.parting
    return {
        "models": list(models),
        "answer": proof.answer.value,
        "weights": "held" if proof.numbers else "all",
        "sizes": {
            "every": proof.answer is Answer.PROVED and proof.sizes is None,
            "taken": [str(axis) for axis in proof.taken.legal],
            "tried": None if proof.sizes is None else [list(size) for size in proof.sizes],
            "unlike": list(proof.unlike),
        },
        "bound": proof.bound,
        "seeds": proof.seeds,
        "runs": proof.runs,
        "nodes": {"equal": proof.layers[0], "all": proof.layers[1]},
        "unpaired": dict(zip(("first", "second"), map(list, proof.alone), strict=True)),
        "witness": witness
        and {
            "output": witness.output,
            "size": list(witness.size),
            "draw": witness.draw,
            "place": list(witness.place),
            "values": list(witness.values),
            "largest": witness.largest,
            "shapes": witness.shapes and [list(shape) for shape in witness.shapes],
        },
        "parting": parting and {"first": parting.first, "second": parting.second, "causes": list(parting.causes)},
        "parts_at": proof.parts_at and list(proof.parts_at),
        "unbounded": proof.unbounded,
    }
