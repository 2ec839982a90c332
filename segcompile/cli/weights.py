"""`segcompile weights`: those of other tools, of a base and of earlier stages, as the weights of a spec."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from segcompile.cli.options import (
    Group,
    format_option,
    output_option,
    overrides,
    set_option,
    spec_argument,
    variant_option,
)
from segcompile.cli.outcome import findings_json, say, say_findings, say_json, status
from segcompile.compiler import Compiled, compile_spec, find_spec
from segcompile.text.errors import Findings, SegcompileError

if TYPE_CHECKING:
    from segcompile.weights.report import Filled, Plan


@click.group(cls=Group)
def weights() -> None:
    """Bring weights of other tools and of earlier stages into a network."""


@weights.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--spec", required=True, help="The network: a YAML file, or a bundled spec.")
@variant_option
@set_option
@click.option("--channels", type=click.Choice(["rgb", "bgr"]), help="The order of an image's channels in FILE.")
@click.option("--mean", metavar="M,M,M", help="What FILE's network had subtracted from pixels 0 to 255, in its order.")
@click.option("--std", metavar="S,S,S", help="What it had them divided by then (default: 1).")
@click.option(
    "--names",
    type=click.Path(path_type=Path),
    metavar="NAMES",
    help="A text file that says where tensors go: lines `pattern: layer`, as `encoder.*.conv: enc*`.",
)
@click.option("--state-dict", metavar="KEY", help="Which state dict of a checkpoint that holds several: `ema.module`.")
@click.option("--weights-only", is_flag=True, help="The spec's strides, dilations and paddings may differ from FILE's.")
@click.option("--strict", is_flag=True, help="Write nothing if anything starts fresh or finds no place; exit 1.")
@output_option
@format_option
def import_(
    file: Path, spec: str, variant: str | None, settings: tuple[str, ...], channels: str | None, mean: str | None,
    std: str | None, names: Path | None, state_dict: str | None, weights_only: bool, strict: bool, out: Path, form: str,
) -> int:  # fmt: skip
    """Put the tensors of FILE into the parameters of a spec.

    FILE is known by what it holds, whatever its name: a state dict or checkpoint of PyTorch, safetensors, an ONNX
    model, Keras' weights or a caffemodel. Tensors are placed by name or, but for safetensors, layer for layer in order
    as long as shapes fit: by the rule that places more. What of that is a guess is said, and --names settles it.

    An ONNX model, a caffemodel and a model of Keras say what their layers do. What gives the weights another meaning
    than in the spec (groups, an epsilon, a transposition) is an error, and so is another stride, dilation or padding,
    unless --weights-only says that only the weights are wanted. A batch norm folded into its convolution is recognised.

    Parameters without a tensor start as the spec says when `train.py --init` reads the written file.

    The harness gives a network RGB images, (x / 255 - MEAN) / STD with ImageNet's numbers (data.py). If FILE's
    network was trained on BGR, or on (pixel - mean) / std of another mean, say so: the first convolution takes it in.
    That is exact wherever its kernel lies within the image; padding counts as the colour MEAN.
    """
    from segcompile.weights.images import Images  # NumPy, as in build.py
    from segcompile.weights.importing import import_weights

    images = Images(channels, _three(mean, "--mean") if mean else None, _three(std or "1,1,1", "--std"))
    if std and not mean:
        raise click.BadParameter("a --std needs a --mean", param_hint="--std")

    def fill(compiled: Compiled) -> Filled:
        return import_weights(file, compiled, images, out, names, strict, weights_only, state_dict)

    return _fill(spec, variant, settings, form, fill)


@weights.command("plan")
@spec_argument
@variant_option
@set_option
@format_option
def weights_plan(spec: str, variant: str | None, settings: tuple[str, ...], form: str) -> int:
    """Print where each parameter of SPEC comes from: its base or the specs it uses, reshaped or as it is, or fresh.

    A layer keeps its name, and with it its weights; where the shape changed it starts fresh. A linear layer made a
    convolution is reshaped; where only the image has more channels, the new ones start as the mean of the others.
    """
    from segcompile.weights.transferring import plan  # as in `import`

    return _fill(spec, variant, settings, form, plan)


@weights.command()
@spec_argument
@click.option(
    "--from",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    metavar="FILE.safetensors",
    help="Weights of SPEC's base, of an earlier stage, or of a spec it uses; repeatable.",
)
@click.option("--into", multiple=True, metavar="NAME", help="The used spec's layer that a FILE is for, once for each.")
@variant_option
@set_option
@output_option
@format_option
def transfer(
    spec: str, files: tuple[Path, ...], into: tuple[str, ...], variant: str | None, settings: tuple[str, ...],
    out: Path, form: str,
) -> int:  # fmt: skip
    """Carry out the plan: write the weights of FILE as those of SPEC, for `train.py --init`."""
    from segcompile.weights.transferring import transfer  # as in `import`

    if into and len(into) != len(files):
        raise click.BadParameter(f"for {len(files)} files, {len(files)} names or none", param_hint="--into")
    return _fill(spec, variant, settings, form, lambda compiled: transfer(files, into, compiled, out))


def _fill(
    spec: str, variant: str | None, settings: tuple[str, ...], form: str, fill: Callable[[Compiled], Filled | Plan]
) -> int:
    """Compile a spec, work out its weights, and report that."""
    findings, filled = Findings(), None
    try:
        compiled = compile_spec(find_spec(spec), findings, variant=variant, overrides=overrides(settings))
        findings.stop_on_errors()
        filled = fill(compiled)
    except SegcompileError as error:
        findings.absorb(error)
    if form == "json":
        say_json({**(filled.data if filled else {}), "diagnostics": findings_json(findings.diagnostics)})
    else:
        say_findings(findings.diagnostics)
        if filled:
            say(filled.text)
    return status(findings.diagnostics)


def _three(text: str, hint: str) -> tuple[float, float, float]:
    """`103.939,116.779,123.68`."""
    try:
        first, second, third = (float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"`{text}` is not three numbers", param_hint=hint) from None
    least = 1e-6 if hint == "--std" else 0
    if not all(least <= value <= 255 for value in (first, second, third)):
        raise click.BadParameter(f"`{text}` is not three pixel values up to 255", param_hint=hint)
    if 0 < max(first, second, third) < 1:
        pixels = ",".join(f"{255 * value:.6g}" for value in (first, second, third))
        raise click.BadParameter(f"`{text}` is of pixels up to 1; of pixels up to 255 it is {pixels}", param_hint=hint)
    return first, second, third
