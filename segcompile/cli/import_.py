"""`segcompile import`: a network that came from elsewhere, as a spec that a person can read, and its weights."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from segcompile.cli.options import Command, overrides, set_option, sized, variant_option
from segcompile.cli.outcome import CLEAN, say, say_findings
from segcompile.compiler import analyse_graph, compile_spec, find_spec
from segcompile.importers import Form, form_of, is_network_file
from segcompile.text.errors import Findings
from segcompile.text.listing import counted
from segcompile.whole_file import check_new

if TYPE_CHECKING:
    from segcompile.restate import Restated

_LICENCE = ("license", "licence")
_LONGEST = 80  # characters of what a file says


@click.command("import", cls=Command)
@click.argument("file")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="NET.yaml", help="The spec to write. Required.")
@click.option(
    "--weights-out",
    "weights",
    type=click.Path(path_type=Path),
    metavar="OUT.safetensors",
    help="Write the file's weights, too, under the names that the spec's models have.",
)
@click.option("--size", metavar="HxW|any", help="The size of the input, in place of what the file says.")
@click.option("--upto", multiple=True, metavar="TENSOR", help="Go no further than this value of the file; repeatable.")
@click.option("--claims", is_flag=True, help="Write what is computed of the outputs as claims.")
@variant_option
@set_option
def import_(
    file: str, out: Path | None, weights: Path | None, size: str | None, upto: tuple[str, ...], claims: bool,
    variant: str | None, settings: tuple[str, ...],
) -> int:  # fmt: skip
    """Write a network of another tool as a readable spec: with blocks, loops, defaults and short names.

    What is written is read again, and is the same network. A file that is there already is never overwritten. What the
    file cannot say, as how the network was trained, is left out. FILE may also be a spec, which is then written anew.
    """
    if out is None:
        message = "say which file to write, for example"
        raise click.UsageError(f"{message}\n  segcompile import {shlex.quote(file)} -o net.yaml")
    from segcompile.restate import ANOTHER  # as in build.py

    check_new(out, ANOTHER)
    findings, path = Findings(), find_spec(file)
    if is_network_file(path):
        for option, given in (("--variant", variant), ("--set", settings)):
            if given:
                raise click.UsageError(f"{option} is for a spec, and `{file}` is a network's file")
        told = _import_file(path, out, weights, size, upto, claims, findings)
    else:
        for option, unread in (("--weights-out", weights), ("--size", size), ("--upto", upto)):
            if unread:
                raise click.UsageError(f"{option} is for a network's file, and `{file}` is a spec")
        told = _import_spec(path, out, variant, overrides(settings), claims, findings)
    say_findings(findings.diagnostics)
    say(told)
    return CLEAN


def _import_spec(
    path: Path, out: Path, variant: str | None, settings: dict[str, int], claims: bool, findings: Findings
) -> str:
    from segcompile.restate import restate  # as in build.py

    compiled = compile_spec(path, findings, variant=variant, overrides=settings)
    return _told(restate(compiled.graph, compiled.facts, out, claims=claims), out)


def _import_file(
    path: Path, out: Path, weights: Path | None, size: str | None, upto: tuple[str, ...], claims: bool,
    findings: Findings,
) -> str:  # fmt: skip
    from segcompile.importers.network_file import import_network, read_foreign, refuse_vectors  # numpy
    from segcompile.language.telling import Modules
    from segcompile.restate import restate, restated_weights
    from segcompile.weights.writing import check_target, write_weights

    if weights is not None:
        check_target(weights)
    sizes = None
    if size is not None:
        rank = max(len(extents) for extents in read_foreign(path).inputs.values()) - 2
        sizes = (None,) * rank if size == "any" else sized(size, rank, "--size")
    found = import_network(path, upto, sizes)
    refuse_vectors(found, str(path))
    for line in found.said:
        findings.add("SC904", line)
    subject = analyse_graph(found.graph, findings)
    lines = []

    def bring(stated: Restated) -> None:
        if weights is not None:
            values = restated_weights(stated, subject.graph, found.tensors)
            write_weights(weights, stated.compiled.model, values, (), {})
            lines.append(f"wrote {weights}: {counted(len(values), 'tensor')}")

    modules, about = Modules(found.scopes, found.classes), [f"about: {_about(path)}"]
    stated = restate(subject.graph, subject.facts, out, about, modules=modules, claims=claims, before=bring)
    return "\n".join([_told(stated, out), *lines])


def _about(path: Path) -> str:
    """The file, and its licence if it says one."""
    from segcompile.language.write import prose
    from segcompile.weights.onnx_file import parsed

    told = parsed(path).metadata_props if form_of(path) is Form.ONNX else ()
    licence = [each.value for each in told if each.key.lower() in _LICENCE]
    said = f" ({licence[0]})" if licence and len(licence[0]) < _LONGEST else ""
    return prose(f"Imported from {path.name[:_LONGEST]}{said}.")


def _told(stated: Restated, out: Path) -> str:
    """What was written, and the command that shows it."""
    compiled = stated.compiled
    lines, layers = counted(len(stated.text.splitlines()), "line"), counted(len(compiled.graph.layers), "layer")
    parameters = counted(compiled.cost(compiled.graph.nodes)[0], "parameter")
    return f"wrote {out}: {lines} for {layers}, {parameters}\nnext: segcompile rf {shlex.quote(str(out))}"
