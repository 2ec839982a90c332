"""What `segcompile rf` answers beyond its table: one section for each layer and question, as text and as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segcompile.compiler import Compiled
from segcompile.facts.pairs import show
from segcompile.notebook.layer import LayerField
from segcompile.notebook.network import ReceptiveField, receptive_field
from segcompile.notebook.values import Phase
from segcompile.ops import CELL
from segcompile.show.coverage import coverage_json, coverage_text, draw_coverage, exceeds, picture_text
from segcompile.show.layer import layer_json, layer_text
from segcompile.show.padding import padding_json, padding_text
from segcompile.show.path_counts import counts_json, counts_text, draw_paths
from segcompile.show.phases import phase_json, phase_text, phases_json, phases_text
from segcompile.show.plot import plot
from segcompile.show.touches import touches_json, touches_text
from segcompile.show.why import draw_growth, why_json, why_text
from segcompile.text.errors import Findings, SegcompileError


@dataclass(frozen=True, slots=True)
class Request:
    """The questions: of which layer (None: of every output), at which phase (None: the widest), and which."""

    layer: str | None = None
    phases: bool = False
    coverage: bool = False
    why: str | None = None
    phase: Phase | None = None
    touches: tuple[range, ...] | None = None  # indices of the input along each axis
    plot: Path | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The same as text and as data to add to the JSON report: {"asked": {layer: {question: answer}}}."""

    text: str = ""
    data: dict[str, Any] = field(default_factory=lambda: {"asked": {}})


@dataclass(frozen=True, slots=True)
class Question:
    """`key` names the answer in the data. What is not `vital` is left out where it has no answer."""

    layer: LayerField
    key: str
    text: Callable[[], str]
    data: Callable[[], Any]
    vital: bool = True


_SAME_SECTION = ("padding", "path_counts")  # keys whose text follows without a blank line


def answer(compiled: Compiled, request: Request, findings: Findings) -> Answer:
    """All that was asked. What cannot be answered is an error in `findings` (SC102, SC410); the rest is told."""
    view = receptive_field(compiled)
    text = ""
    asked: dict[str, dict[str, Any]] = {}
    for question in _questions(compiled, view, request, findings):
        try:
            said, data = question.text(), question.data()
        except SegcompileError as error:
            if question.vital:
                findings.absorb(error)
            continue
        text += said and (text and ("\n" if question.key in _SAME_SECTION else "\n\n")) + said
        if data is not None:
            asked.setdefault(question.layer.name, {})[question.key] = data
    return Answer(text, {"asked": asked})


def _questions(compiled: Compiled, view: ReceptiveField, request: Request, findings: Findings) -> Iterator[Question]:
    heads = list(dict.fromkeys(view.outputs.values()))
    layers = [_find(view, name, findings) for name in ([request.layer] if request.layer is not None else heads)]
    why = _find(view, request.why, findings) if request.why is not None else None
    if why is not None:
        yield _why(why, request.phase or why.widest_phase)
    for layer in layers:
        if layer is not None:
            yield from _of_layer(layer, request)
    last = layers[-1] if layers else None
    if request.plot is not None and last is not None:
        yield _plot(compiled, view, last, request, findings)


def _find(view: ReceptiveField, name: str, findings: Findings) -> LayerField | None:
    """The layer of that name, or SC102."""
    try:
        return view[name]
    except SegcompileError as error:
        findings.absorb(error)
        return None


def _why(layer: LayerField, at: Phase) -> Question:
    return Question(layer, "why", lambda: why_text(layer, at), lambda: why_json(layer, at))


def _of_layer(layer: LayerField, request: Request) -> Iterator[Question]:
    at, named = request.phase or layer.widest_phase, request.layer is not None
    if named:
        yield Question(layer, "layer", lambda: layer_text(layer), lambda: layer_json(layer))
        yield Question(layer, "padding", lambda: padding_text(layer), lambda: padding_json(layer), False)
    if request.phase is not None and not (request.coverage or request.why or request.plot):
        yield Question(layer, "phase", lambda: phase_text(layer, at), lambda: phase_json(layer, at))
    if request.phases:
        yield Question(layer, "phases", lambda: phases_text(layer), lambda: phases_json(layer))
    if request.coverage or named:
        asked = request.coverage
        yield Question(layer, "coverage", lambda: coverage_text(layer, at), lambda: coverage_json(layer, at), asked)
        counted = asked and not (layer.whole_image and layer.local_size is None)
        yield Question(layer, "path_counts", lambda: counts_text(layer, at), lambda: counts_json(layer, at), counted)
    if request.touches is not None:
        pixels = request.touches
        yield Question(layer, "touches", lambda: touches_text(layer, pixels), lambda: touches_json(layer, pixels))
    if request.coverage:
        yield Question(layer, "picture", lambda: picture_text(layer, at), lambda: None, False)


def _plot(
    compiled: Compiled, view: ReceptiveField, layer: LayerField, request: Request, findings: Findings
) -> Question:
    def draw() -> str:
        assert request.plot is not None
        at = request.phase or layer.widest_phase
        plot(
            request.plot,
            layer.rank,
            growth=lambda panel: draw_growth(panel, view, layer, at),
            covered=lambda panel: draw_coverage(panel, layer, at),
            paths=lambda panel: draw_paths(panel, layer, at),
        )
        _warn_small_image(compiled, layer, at, findings)
        return f"drew {layer.name} into {request.plot}"

    return Question(layer, "plot", draw, lambda: str(request.plot))


def _warn_small_image(compiled: Compiled, layer: LayerField, phase: Phase, findings: Findings) -> None:
    """SC408 for a picture whose image is smaller than the field, if none was given before."""
    size, image = layer.coverage(phase).size, layer.image
    said = any(found.code.code == "SC408" for found in findings.diagnostics)
    if image is not None and exceeds(size, image) and not said:
        cell = CELL[layer.rank]
        message = f"{layer.name} sees {show(size)} {cell}s; an input of {show(image)} never holds all of them"
        help = f"an input of {show(size)} {cell}s, for the picture of a whole field"
        origin = compiled.graph.layers[layer.name][0].origin
        findings.add("SC408", message, origin.span, help=help)
