"""Which layers a stage of training leaves as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from segcompile.checks.subject import Subject
from segcompile.facts.facts import Facts
from segcompile.network.graph import Graph
from segcompile.network.selector import Selector
from segcompile.network.training import Stage
from segcompile.text.errors import Diagnostic, SegcompileError, did_you_mean, fail

_MANY = 1000  # names that are looked through for a near one


def check_stages(subject: Subject) -> Iterator[Diagnostic]:
    """SC102 for a selector that means no layer, SC113 for one without weights, and for a stage that trains nothing."""
    for stage in subject.training.stages:
        try:
            frozen_nodes(stage, subject.graph, subject.facts)
        except SegcompileError as error:
            yield from error.diagnostics


def frozen_nodes(stage: Stage, graph: Graph, facts: Facts) -> frozenset[str]:
    """The nodes of layers that `train` does not mean, or that `freeze` does; those without weights among them. Weights
    that several layers share are meant where one of these is.

    Layers with `frozen: yes` are not looked at. Raises SegcompileError (SC102, SC113).
    """
    weighted = {node.layer for node in graph.nodes if facts[node.owner].parameters}
    selectors = (*stage.train, *stage.freeze)
    wrong = [_unmatched(selector, graph) for selector in selectors if not _meant((selector,), weighted)]
    if wrong:
        raise SegcompileError(found for error in wrong for found in error.diagnostics)
    layers = {node.layer for node in graph.nodes}
    wanted, unwanted = _meant(stage.train, layers) if stage.train else layers, _meant(stage.freeze, layers)
    users: dict[str, set[str]] = {}  # node -> the layers that use its weights
    for node in graph.nodes:
        users.setdefault(node.owner, set()).add(node.layer)
    trained = {name for name, own in users.items() if own & wanted and not own & unwanted}
    open_ = {name for name in trained if not all(p.frozen for p in facts[name].parameters)}
    if not open_:
        help = "`train` says which layers it trains, `freeze` which of them it does not"
        fixed = ["what it would train is `frozen: yes`"] if any(facts[name].parameters for name in trained) else []
        raise fail("SC113", f"stage `{stage.name}` trains nothing", stage.span, help=help, notes=fixed)
    return frozenset(node.name for node in graph.nodes if node.owner not in trained)


def _meant(selectors: Iterable[Selector], layers: set[str]) -> set[str]:
    return {layer for selector in selectors for layer in selector.among(layers)}


def _unmatched(selector: Selector, graph: Graph) -> SegcompileError:
    found = selector.among(graph.layers)
    if found:
        few = f"{', '.join(found[:3])}{', ...' if len(found) > 3 else ''}"
        message = f"`{selector.text}` means only layers without weights: {few}"
        return fail("SC113", message, selector.span, help="name layers that can be trained")
    message, labels = f"no layer matches `{selector.text}`", selector.removed(graph.gone.names)
    if labels:
        own = "name layers that this network has: a spec's own `stages` take the place of its base's"
        return fail("SC102", message, selector.span, labels=labels, help=own)
    scopes = [f"{scope.name}.*" for scope in graph.scopes]
    help = did_you_mean(selector.text, [*scopes[:_MANY], *list(graph.layers)[:_MANY]])
    help = help or "`segcompile rf` shows the layers; `*` stands for any part of a name"
    return fail("SC102", message, selector.span, help=help)
