"""Document -> flat layers: blocks, repeat, for, use and inline branches written out, every name made absolute.

Expansion always ends: blocks and specs cannot contain themselves, and the number of layers is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from segcompile.errors import Findings, Label, SegcompileError
from segcompile.language.attributes import Defaults, check_defaults
from segcompile.language.calls import Library
from segcompile.language.derive import Document, Locate
from segcompile.language.expander import Expander
from segcompile.language.flat import Claim, Expansion, Layer, Use
from segcompile.language.ledger import Ledger, Stop
from segcompile.language.place import Place, parameter_origins
from segcompile.language.sections import (
    check_overrides,
    collecting,
    input_names,
    read_claims,
    read_defaults,
    read_inputs,
    read_network,
    read_outputs,
    read_parameters,
    settings,
)
from segcompile.language.table import Table
from segcompile.language.training import Training, read_training
from segcompile.ops import Shape


def expand(document: Document, overrides: Mapping[str, int], locate: Locate, findings: Findings) -> Expansion:
    """The flat network of a document, its parameters overridden by `overrides` (--set, `use`).

    Every mistake in it goes to `findings` (SC0xx, SC1xx, SC2xx); raises SegcompileError once all are found.
    """
    place, inputs, network = _read_sections(document, overrides, findings)
    told = {(found.code.code, found.span) for found in findings.diagnostics}  # a wrong default, before it is used
    expander = Expander(Library(locate), Ledger(findings, told=told))
    if findings.has_errors:  # a default that could not be read is missing everywhere
        expander.ledger.muted = frozenset({"SC008"})
    expander.names.results.update({name: name for name in inputs})
    expander.names.hidden = not network.whole
    try:
        last = expander.expand_network(network, place, next(iter(inputs)))
    except Stop:
        raise SegcompileError(findings.diagnostics) from None
    expander.names.settle([(layer.name, name) for layer in expander.layers for name in layer.inputs], findings)
    outputs = read_outputs(document, expander.names, place, last, findings)
    _check_outputs(outputs, inputs, network, document, findings)
    cells = network.claims if not document.steps else ()  # they speak of the base
    claims = read_claims(document, cells, expander.names, place, findings)
    training = Training()
    with collecting(findings, place):
        training = read_training(document, place.values)
    findings.stop_on_errors()
    return Expansion(
        document,
        place.values,
        inputs,
        tuple(expander.layers),
        tuple(expander.scopes),
        outputs,
        claims,
        tuple(expander.uses),
        expander.names.entries,
        expander.names.results,
        training,
    )


def _read_sections(
    document: Document, overrides: Mapping[str, int], findings: Findings
) -> tuple[Place, dict[str, Shape], Table]:
    """The place of the document's own layers, what enters it, and these layers; stand-ins for what is wrong."""
    given = {name: (Label(span, "given here", "value"),) for name, span in settings(overrides).items()}
    bare = Place(document, {}, Defaults(), parameter_origins(document, given), specs=(document.path.resolve(),))
    inputs, network = dict.fromkeys(input_names(document), Shape(1, (1, 1))), None
    with collecting(findings, bare):
        check_overrides(document, settings(overrides))
    values = read_parameters(document, overrides, findings)
    with collecting(findings, bare):
        inputs = read_inputs(document, values)
    with collecting(findings, bare):
        check_defaults(document.section("defaults"), values)
    with collecting(findings, bare):
        network = read_network(document, findings)
    if network is None:
        findings.stop_on_errors()
    first = next(iter(inputs)) if len(inputs) == 1 else ""
    place = replace(bare, values=values, defaults=read_defaults(document, values), input=first)
    assert network is not None
    return place, inputs, network


def _check_outputs(
    outputs: Mapping[str, str], inputs: Mapping[str, Shape], network: Table, document: Document, findings: Findings
) -> None:
    """SC203 for a network without layers, or one that hands an input through."""
    idle = [head for head, layer in outputs.items() if layer in inputs]
    if not idle or findings.has_errors:
        return
    section = document.section("outputs")
    if section is not None and idle[0] in section.entries:
        span = section.entries[idle[0]][1].span
        findings.add("SC203", f"output `{idle[0]}` is an input, not a layer", span, help="name a layer")
    else:
        span = network.layers.span
        findings.add("SC203", "the network has no layers", span, help="`layers:` needs at least one")


__all__ = ["Claim", "Expansion", "Layer", "Use", "expand"]
