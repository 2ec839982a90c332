"""Losses and heads: what a spec says of each, and what a stage or a head says in the place of the section."""

from __future__ import annotations

import pytest

from segcompile.network.selector import Selector
from segcompile.network.training import Head, Loss, Training
from segcompile.text.errors import SourceText, Span

from .conftest import Workbench

AT = Span(SourceText("net.yaml", ("",)), 1, 1, 1)
TEXT = """
params: {W: 2}
blocks: {front: {layers: [c: {conv: 3, kernel: 1}, final: {conv: 3, kernel: 1}]}}
layers:
  - front: {block: front}
  - score: {conv: 3, kernel: 1}
  - aux:   {conv: 3, kernel: 1, from: front}
  - one:   {conv: 1, kernel: 1, from: front}
outputs: {main: score, aux: aux, one: one}
"""


def training(bench: Workbench, said: str) -> Training:
    return bench.compile(f"{TEXT}training: {said}\n").spec.training


def at(layer: str) -> Selector:
    return Selector(layer, AT)


@pytest.mark.parametrize(
    ("said", "losses"),
    [
        ("cross_entropy", (Loss(),)),
        ("dice", (Loss("dice"),)),
        ("[dice]", (Loss("dice"),)),
        ("{dice: 0.5}", (Loss("dice", 0.5),)),
        ("{cross_entropy: W}", (Loss(weight=2.0),)),
        ("[cross_entropy, {dice: {weight: 1e-2}}]", (Loss(), Loss("dice", 0.01))),
        ("{cross_entropy: {class_weights: [1, 0, 2.5]}}", (Loss(class_weights=(1.0, 0.0, 2.5)),)),
        ("{dice: {class_weights: balanced}}", (Loss("dice", class_weights="balanced"),)),
        (
            "[{cross_entropy: {weight: 1, at: front.final}}, {dice: {at: front}}]",
            (Loss(at=at("front.final")), Loss("dice", at=at("front"))),
        ),
    ],
)
def test_losses_are_words_with_a_weight_or_options(bench: Workbench, said: str, losses: tuple[Loss, ...]) -> None:
    text = TEXT.replace("one: one", "x: score")
    assert bench.compile(f"{text}training: {{loss: {said}}}\n").spec.training == Training(losses=losses)


def test_what_one_cross_entropy_says_of_the_pixels_is_of_all_losses(bench: Workbench) -> None:
    said = "{loss: [dice, {cross_entropy: {weight: 2, keep: 0.5}}, {cross_entropy: {ignore: 255, reduction: sum}}]}"
    found = training(bench, said)
    assert (found.keep, found.reduction, [str(each) for each in found.ignore]) == (0.5, "sum", ["255"])
    assert found.losses == (Loss("dice"), Loss(weight=2.0), Loss())


def test_a_stage_that_says_a_loss_says_all_losses_anew(bench: Workbench) -> None:
    section = "loss: [{cross_entropy: {weight: 2, keep: 0.5}}, dice]"
    stages = "[a: {}, b: {loss: dice}, c: {loss: {cross_entropy: {reduction: sum}}}]"
    found = training(bench, f"{{{section}, stages: {stages}}}")
    assert [stage.losses for stage in found.stages] == [(Loss(weight=2.0), Loss("dice")), (Loss("dice"),), (Loss(),)]
    assert [(stage.regime.keep, stage.regime.reduction) for stage in found.stages] == [
        (0.5, "mean"),
        (0.5, "mean"),
        (0.5, "sum"),
    ]


def test_a_head_has_a_weight_and_perhaps_losses_of_its_own(bench: Workbench) -> None:
    said = "{main: 1, aux: {weight: 0.4, loss: [dice, {cross_entropy: {at: front}}]}, one: {loss: dice}}"
    assert training(bench, f"{{heads: {said}}}").heads == (
        Head("main", AT),
        Head("aux", AT, 0.4, (Loss("dice"), Loss(at=at("front")))),
        Head("one", AT, 1.0, (Loss("dice"),)),
    )
    assert training(bench, "{heads: {aux: W}}").heads == (Head("aux", AT, 2.0),)
    assert training(bench, "{}").heads == ()


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("loss: {dice: {class_weights: [1, 1, 1]}}", ["SC007 head `one` has 2 classes, and `class_weights` lists 3"]),
        ("loss: {dice: {class_weights: [1, 1, 1]}}, heads: {main: 1, aux: 1}", []),
        ("loss: {dice: {class_weights: [1, 1, 1]}}, heads: {main: 1, one: {loss: dice}}", []),
        ("heads: {one: {loss: {dice: {at: front}}}}", ["SC301 `front` has 3 channels, and head `one` has 2 classes"]),
        ("heads: {main: {loss: {dice: {at: one}}}}", ["SC301 `one` has 1 channel, and head `main` has 3 classes"]),
        ("heads: {one: {loss: {dice: {at: one}}}}", []),
        ("loss: {dice: {at: front}}, heads: {main: 1}", []),
    ],
)
def test_a_loss_is_held_against_the_heads_that_have_it(bench: Workbench, said: str, wrong: list[str]) -> None:
    assert bench.errors(f"{TEXT}training: {{{said}}}\n") == wrong


def test_a_loss_cannot_stand_at_what_an_edit_removed(bench: Workbench) -> None:
    bench.write("layers: [a: {conv: 3, kernel: 1}, b: {act: relu}, c: {conv: 3, kernel: 1}]\n", "base.yaml")
    text = "segcompile: 1\nmodel: own\nbase: base.yaml\ntransform: [remove: b]\ntraining: {loss: {dice: {at: b}}}\n"
    (found,) = bench.findings(text)
    assert found.message == "there is no layer `b` on the way to an output"
    assert [(label.text, str(label.span)) for label in found.labels] == [("removed here", "net.yaml:4:21")]
