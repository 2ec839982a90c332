"""The folder that a spec becomes in any framework: model.py, and the harness around it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from math import prod
from typing import Any

from segcompile.backend import BuildRequest, BuildResult
from segcompile.checks.ignored import unused_label
from segcompile.emit.beyond import warn_unread, warn_untrained
from segcompile.emit.calls import Code, Needs, Rules
from segcompile.emit.classes import ModelView, view_model
from segcompile.emit.folding import view_foldable, view_folding
from segcompile.emit.harness import harness_placement, mixes_image
from segcompile.emit.header import header
from segcompile.emit.heads import view_heads, warn_bounded
from segcompile.emit.printing import print_class
from segcompile.emit.stages import view_stages
from segcompile.emit.stream import view_stream
from segcompile.emit.sweeps import view_sweeps
from segcompile.emit.templates import environment
from segcompile.emit.tiling import view_tiling
from segcompile.facts.facts import Facts
from segcompile.facts.placement import Placement
from segcompile.facts.sight import sight_of
from segcompile.network.graph import Graph
from segcompile.network.names import Names
from segcompile.network.training import Training
from segcompile.ops import AXIS_NAMES, CELL, LINES, MEDIUM, SYMBOLS
from segcompile.text.errors import Findings
from segcompile.text.listing import listed

_SHARED = files("segcompile") / "harness"  # templates of what is the same in every framework
_ALWAYS = ("quiet.py", "command.py", "files.py", "forms.py", "weights.py", "requirements.txt", "README.md")
_COMMANDS = ("train.py", "evaluate.py", "predict.py")
_READERS = (
    "data.py", "field.py", "reading.py", "stored.py", "zarrs.py", "images.py", "masks.py", "pairs.py", "scan.py",
)  # fmt: skip
_METRICS = ("metrics.py", "rings.py", "pictures.py", "saving.py")
_LARGE = ("raster.py", "tiles.py", "shares.py", "stitch.py", "blend.py", "update.py")  # of images run by parts
_RUN = ("flags.py", "run.py", "loading.py", "losses.py", "keeping.py", "checkpoints.py", "sweeps.py", "split.py")
# _RUN is what a training alone needs.
_HARNESS = (*_COMMANDS, "engine.py", *_READERS, "batches.py", *_METRICS, *_LARGE, *_RUN)
_IN_ROWS = ("schedule.py", "stream.py")
_TRAINING = frozenset({"train.py", "batches.py", *_RUN})  # what a lowered network goes without
_CONTINUED = {
    "reflect": "its reflection",
    "edge": "its edge pixels",
    "zero": "zeros",
}  # an image, by input_padding


def words_of(rank: int) -> dict[str, Any]:
    """How the templates speak of a network's inputs, by its rank."""
    return {
        "rank": rank,
        "axes": AXIS_NAMES[rank],
        "axes_said": listed(AXIS_NAMES[rank]),
        "places": tuple(lines.removesuffix("s") for lines in LINES[rank]),
        "lines_said": listed(LINES[rank]),
        "extents": ", ".join(SYMBOLS[rank]),
        "unit": CELL[rank],
        "whole": MEDIUM[rank],
    }


@dataclass(frozen=True)
class Target:
    """What one framework's folder is made of.

    `initialise` gives the lines that end the model's constructor: what becomes of the weights of its modules, which lie
    at these paths. `helpers` are functions and classes that model.py defines where its code needs them, with what they
    need themselves. `models` are names that the other files, which import the model's class, use themselves. `harness`
    are the files of its harness that no other framework has. `in_rows` are functions that its stream.py defines, if it
    runs networks in rows. `staged` are the rules of a network that is trained in
    stages: every op that training changes is a module, which a stage can switch.
    """

    templates: Traversable
    rules: Rules
    initialise: Callable[[Graph, Facts, Mapping[str, str]], Sequence[Code]]
    helpers: Mapping[str, Needs]
    models: frozenset[str]
    staged: Rules
    harness: tuple[str, ...] = ()
    in_rows: Needs = frozenset()

    def emit(self, request: BuildRequest) -> BuildResult:
        """Every file of `generated/<model>/<backend>/`. A network that is not from an image to maps has no harness
        (SC608); a lowered one is not trained, and takes over the weights of the network before."""
        env = environment(self.templates, _SHARED)
        if request.class_name in self.models:  # a model called `f` or `path`
            request = replace(request, class_name=f"{request.class_name}Net")
        if request.trained is not None:
            request = replace(request, training=replace(request.training, stages=()))
        rules, training = (self.staged if request.training.stages else self.rules), request.training
        inputs = _input_names(request.graph, rules)
        view = self._view(request, inputs, rules)
        findings = Findings()
        placement = harness_placement(request.graph, request.facts, findings)
        streamed = view_stream(request.graph, request.facts, rules, self.in_rows)
        model = self._model(request, view, rules, streamed.from_model if streamed is not None else ())
        found = {"model.py": env.get_template("model.py.jinja").render(model)}
        context = _harness(request) | _draft(request) | {"harness": placement is not None, "streamed": streamed}
        names = [*_ALWAYS, *(_IN_ROWS if streamed is not None else ())]
        if request.trained is not None:
            context |= view_folding(request.trained, request.graph, request.facts)
        else:
            context |= view_foldable(request.graph)
        if request.trained is not None or (placement is not None and context["folded"]):
            names.append("folding.py")
        if placement is not None:
            warn_bounded(request.graph, request.facts, findings)
            heads = list(context["heads"])
            if request.trained is None:
                warn_untrained(training, heads, findings)
            warn_unread(request.data, heads, findings)
            coarse, mixed = max(placement.stride) > 1, mixes_image(request.graph)
            stages = view_stages(training, request.graph, request.facts, view.paths)
            context |= asdict(placement) | {"dense": coarse and mixed is None, "not_dense": mixed if coarse else None}
            context |= {"stages": stages, "shifts": prod(placement.stride)}
            padding = _padding(training, placement)
            ahead = tuple(all - own for all, own in zip(padding or placement.offset, placement.offset, strict=True))
            context |= {"padding": padding, "ahead": ahead, "tiling": view_tiling(request.graph, placement)}
            context |= {"sight": sight_of(request.graph, request.facts, placement)}
            context |= {"everywhere": _everywhere(request.graph)}
            if request.trained is None:
                context |= {"sweeps": view_sweeps(request.graph, request.facts, placement)}
            own = {"dense.py": context["dense"], "stages.py": stages, "threshold.py": context["binary"]}
            own["tiff.py"] = request.graph.rank > 1
            own |= {"rows.py": streamed is not None}
            harness = [*_HARNESS, *self.harness, *(name for name, has in own.items() if has)]
            names += [name for name in harness if request.trained is None or name not in _TRAINING | {*self.harness}]
        for name in names:
            found[name] = env.get_template(f"{name}.jinja").render(context)
        return BuildResult(found, tuple(findings.diagnostics))

    def _model(self, request: BuildRequest, view: ModelView, rules: Rules, asked: Sequence[str]) -> dict[str, Any]:
        """What the template of model.py prints. `asked` are functions that other files import from it."""
        graph = request.graph
        classes = [print_class(found, graph, found is view.model, rules) for found in view.classes]
        lines = self.initialise(graph, request.facts, view.paths)
        needs = set(view.needs).union(asked, *(line.needs for line in lines))
        needs = needs.union(*(self.helpers.get(name, ()) for name in needs))
        model = {"classes": classes, "init_lines": [line.text for line in lines], "needs": needs}
        return header(request) | _draft(request) | words_of(graph.rank) | model | {"loops": bool(view.looped)}

    def _view(self, request: BuildRequest, inputs: Mapping[str, str], rules: Rules) -> ModelView:
        """The classes. What the constructor's end speaks of is in no loop: a type checker knows no such attribute."""
        graph, facts, name = request.graph, request.facts, request.class_name
        view = view_model(graph, facts, name, inputs, rules)
        ending = " ".join(line.text for line in self.initialise(graph, facts, view.paths))
        said = {f"{path}." for path in re.findall(r"self\.([\w.]+)", ending)}
        apart = {scope for scope, path in view.looped.items() if any(each.startswith(f"{path}.") for each in said)}
        return view_model(graph, facts, name, inputs, rules, apart) if apart else view


def _draft(request: BuildRequest) -> dict[str, Any]:
    """What ends the line of a header that says where the file comes from: a further line, or nothing."""
    return {"draft": f"\n{request.draft}" if request.draft else ""}


def _padding(training: Training, placement: Placement) -> tuple[int, ...] | None:
    """How far images are continued on each side, if the spec says so: at least as far as the outputs need it."""
    if not any(training.padding):
        return None
    return tuple(map(max, training.padding, placement.offset))


def _everywhere(graph: Graph) -> str:
    """Why every score may see padding, where a network has no sight."""
    mixed = mixes_image(graph)
    return f"`{mixed}` mixes the whole {MEDIUM[graph.rank]}" if mixed else "the receptive field is not known"


def _input_names(graph: Graph, rules: Rules) -> dict[str, str]:
    """An only input is an image, a signal or a volume, or the feature maps of another network; several keep their names
    where they can."""
    if len(graph.inputs) > 1:
        names = Names({*rules.names, "x"})
        return {name: names.new(name) for name in graph.inputs}
    ((name, shape),) = graph.inputs.items()
    return {name: name if name != "input" else MEDIUM[graph.rank] if shape.channels <= 4 else "features"}


def _harness(request: BuildRequest) -> dict[str, Any]:
    graph, training, source = request.graph, request.training, next(iter(request.graph.inputs.values()))
    heads = view_heads(graph, request.facts)
    ignored = request.data.of(next(iter(graph.outputs))).ignore or training.ignore
    regimes = (training, *(stage.regime for stage in training.stages))
    return {
        "model": request.model,
        "lowered": request.options.lowerings,
        "class_name": request.class_name,
        "about": request.about or f"The network {request.model}.",
        "spec": request.spec,
        "channels": source.channels,
        "lists": any(fact.shape.tokens for fact in request.facts.values()),
        **words_of(graph.rank),
        "ignore": tuple(each.label for each in ignored) or (unused_label(max(heads["heads"].values())),),
        "training": training,
        "summed": any(regime.reduction == "sum" for regime in regimes),
        "continued": _CONTINUED[training.padding_mode],
        "sampled": any(regime.keep < 1 for regime in regimes),
        **heads,
    }
