"""The command line: click, and nothing that another room could do."""

from __future__ import annotations

import gc
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segcompile import __version__, interruption
from segcompile.checking import check_json, check_spec, title
from segcompile.compiler import Compiled, compile_spec, find_spec
from segcompile.language.derive import variants_of
from segcompile.library import bundled, locate
from segcompile.ops import ALL_OPS, kinds
from segcompile.show.json_view import rf_json
from segcompile.show.tables import list_table, rf_table
from segcompile.text.colour import coloured, wanted
from segcompile.text.errors import CODES, Diagnostic, Findings, SegcompileError, did_you_mean, fail
from segcompile.text.report import as_json, render_text
from segcompile.text.source import read_text

if TYPE_CHECKING:
    from segcompile.build import Built
    from segcompile.builds import Build
    from segcompile.weights.report import Filled, Plan

CLEAN, DIAGNOSTICS, DRIFT, BACKEND, INTERNAL = 0, 1, 3, 4, 70

spec_argument = click.argument("spec")
variant_option = click.option("--variant", help="One of the spec's variants.")
set_option = click.option("--set", "settings", multiple=True, metavar="NAME=N", help="Override a parameter, e.g. C=19.")
format_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to report."
)
output_option = click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, metavar="OUT.safetensors", help="The file to write."
)


class _Command(click.Command):
    """A command whose line in a list of commands is the first paragraph of its help, whole."""

    def get_short_help_str(self, limit: int = 45) -> str:
        """Wrapped by click where it is too long, never cut: click's own ends at the first dot, that of "e.g." too."""
        return (self.help or "").partition("\n\n")[0]


class _Group(_Command, click.Group):
    """Commands of that kind, and groups of them."""

    command_class = _Command
    group_class = type


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="segcompile")
def cli() -> None:
    """From a paper's architecture table to checked, standalone code.

    SPEC is a YAML file, or the name of a bundled spec (`segcompile list`).
    """


def say(text: str, nl: bool = True, err: bool = False) -> None:
    """Print text for people, with colours where they are wanted: on a terminal, and not in a pipe."""
    click.echo(coloured(text), nl=nl, err=err, color=wanted(os.environ))


@cli.command()
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@variant_option
@set_option
@format_option
def check(specs: tuple[str, ...], variant: str | None, settings: tuple[str, ...], form: str) -> int:
    """Check specs: structure, shapes, and every number the paper claims. All variants unless one is named."""
    overrides = _overrides(settings)
    reports = [check_spec(spec, variant, overrides) for spec in specs]
    if form == "json":
        click.echo(json.dumps(check_json(reports), indent=2))
    else:
        for checked in reports:
            if checked.findings.diagnostics:
                say(render_text(checked.findings.diagnostics) + "\n")
            if not checked.findings.has_errors:
                click.echo(f"ok  {title(checked)}")
    return DIAGNOSTICS if any(checked.findings.has_errors for checked in reports) else CLEAN


@cli.command()
@spec_argument
@variant_option
@set_option
@click.option("--layer", "layer", metavar="NAME", help="Look closely at this layer (else: at each output).")
@click.option("--phases", is_flag=True, help="The field of every phase, with the period after which fields repeat.")
@click.option("--coverage", is_flag=True, help="Which input pixels one output sees, and how many paths lead there.")
@click.option("--why", metavar="NAME", help="For each side of a layer's field, the path of layers that reaches it.")
@click.option("--phase", metavar="Y,X", help="The phase to look at (else: the widest).")
@click.option("--touches", metavar="Y,X[:Y,X]", help="The outputs that an input pixel, or a rectangle, touches.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the layer (else: the last output) as .png or .svg.",
)
@format_option
def rf(
    spec: str, variant: str | None, settings: tuple[str, ...], layer: str | None, phases: bool, coverage: bool,
    why: str | None, phase: str | None, touches: str | None, plot: Path | None, form: str,
) -> int:  # fmt: skip
    """Print the architecture with the receptive field of every layer, beside what the paper claims.

    --layer, --phases, --coverage, --why, --phase, --touches and --plot ask for more, and are answered in the table's
    place.
    """
    findings, at, pixels = Findings(), _phase(phase), _pixels(touches)
    asked = phases or coverage or any(option is not None for option in (layer, why, at, pixels, plot))
    compiled, text = None, ""
    data: dict[str, Any] = {"asked": {}} if asked else {}
    try:
        compiled = compile_spec(find_spec(spec), findings, variant=variant, overrides=_overrides(settings))
        if asked:
            from segcompile.show.answers import Request, answer  # as in `build`

            told = answer(compiled, Request(layer, phases, coverage, why, at, pixels, plot), findings)
            text, data = told.text, told.data
        else:
            text = rf_table(compiled)
    except SegcompileError as error:
        findings.absorb(error)
    if form == "json":
        click.echo(json.dumps(rf_json(compiled, variant, findings.diagnostics) | data, indent=2))
    else:
        say(text, nl=bool(text))
        if findings.diagnostics:
            say(("\n" if text else "") + render_text(findings.diagnostics), err=not text)
    return DIAGNOSTICS if findings.has_errors else CLEAN


def _phase(text: str | None) -> tuple[int, int] | None:
    """`3,5` -> (3, 5)."""
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() and len(part) < 10 for part in parts):
        raise click.BadParameter(f"`{text}` is not Y,X", param_hint="--phase")
    return int(parts[0]), int(parts[1])


def _pixels(text: str | None) -> tuple[range, range] | None:
    """`3,5` and `3,5:9,9` -> the rows and columns, both ends included."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,9}),(\d{1,9})(?::(\d{1,9}),(\d{1,9}))?", text, re.ASCII)
    if found is None:
        raise click.BadParameter(f"`{text}` is not Y,X or Y,X:Y,X", param_hint="--touches")
    top, left, bottom, right = (int(part or found[1 + index % 2]) for index, part in enumerate(found.groups()))
    if bottom < top or right < left:
        raise click.BadParameter(f"`{text}` ends before it begins", param_hint="--touches")
    return range(top, bottom + 1), range(left, right + 1)


@cli.command()
@spec_argument
@click.option("--flat", is_flag=True, help="The network as one plain list of layers, with a number in every place.")
@variant_option
@set_option
def show(spec: str, flat: bool, variant: str | None, settings: tuple[str, ...]) -> int:
    """Print a spec: its file as it is, or the network that it means as a flat spec of its own.

    The flat spec has no parameters, defaults, blocks, bases or edits, and is compiled to the same network. Its layers
    have `_` for the dots in their names; `about`, `cite`, `training` and the claims that hold go with it. Findings go
    to the standard error; the exit status is 1 if a claim does not hold.
    """
    path, findings = find_spec(spec), Findings()
    if not flat:
        if variant or settings:
            raise click.UsageError("--variant and --set change the network: they need --flat")
        click.echo(read_text(path), nl=False)
        return CLEAN
    from segcompile.show.flat import flat_spec  # as in `build`

    compiled = compile_spec(path, findings, variant=variant, overrides=_overrides(settings))
    click.echo(flat_spec(compiled), nl=False)
    if findings.diagnostics:
        say(render_text(findings.diagnostics), err=True)
    return DIAGNOSTICS if findings.has_errors else CLEAN


@cli.command("diff")
@click.argument("a", metavar="SPEC[@VARIANT]")
@click.argument("b", metavar="SPEC[@VARIANT]")
@format_option
def diff_(a: str, b: str, form: str) -> int:
    """Compare two specs by meaning: equal, renamed, equal but for the padding at the border, or different.

    Exit status 0 if they are one graph, under whatever names, and 1 if not.
    """
    from segcompile.diff import Verdict, compare  # as in `build`
    from segcompile.show.diff_tables import diff_json, diff_text

    findings, compiled = Findings(), list[Compiled]()
    for spec in (a, b):
        try:
            compiled.append(_compile_variant(spec))
        except SegcompileError as error:
            findings.absorb(error)
    found = None if findings.has_errors else compare(*compiled)
    if form == "json":
        models = [each.model for each in compiled] if found is not None else [None, None]
        told = [as_json(diagnostic) for diagnostic in findings.diagnostics]
        click.echo(json.dumps(diff_json(found, (a, b), models) | {"diagnostics": told}, indent=2))
    elif found is None:
        say(render_text(findings.diagnostics), err=True)
    else:
        say(diff_text(found, (a, b), compiled[0]))
    return CLEAN if found is not None and found.verdict in (Verdict.EQUAL, Verdict.RENAMED) else DIAGNOSTICS


def _compile_variant(spec: str) -> Compiled:
    """`dilated_context@large`, or a spec without variants. What is wrong with its claims is for `check` to say."""
    name, _, variant = (spec, "", "") if Path(spec).exists() else spec.partition("@")
    if not name:
        raise fail(
            "SC009",
            f"there is no spec before the `@` of `{spec}`",
            help="SPEC or SPEC@VARIANT, for example dilated_context@large",
        )
    path = find_spec(name)
    variants = variants_of(path, locate) if not variant else ()
    if variants:
        help = " or ".join(f"{name}@{variant}" for variant in variants)
        raise fail("SC110", f"`{name}` has variants, and none is chosen", help=help)
    return compile_spec(path, Findings(), variant=variant or None)


@cli.command()
@spec_argument
@click.option("--backend", "backends", multiple=True, required=True, help="What to build for, e.g. torch; repeatable.")
@variant_option
@set_option
@click.option("--out", metavar="DIR", help="The folder to write (default: generated/MODEL/BACKEND).")
@click.option(
    "--check", "only_check", is_flag=True, help="Write nothing; exit 3 if the folder is not what would be written."
)
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
@click.option("--force", is_flag=True, help="Overwrite files that were edited by hand or are not ours.")
@click.option("--dry-run", is_flag=True, help="Write nothing; list what would be written.")
@click.option("--verify", is_flag=True, help="Run it first; write it only if it agrees with the analysis.")
@format_option
def build(
    spec: str, backends: tuple[str, ...], variant: str | None, settings: tuple[str, ...], out: str | None,
    only_check: bool, diff: bool, force: bool, dry_run: bool, verify: bool, form: str,
) -> int:  # fmt: skip
    """Write the standalone code of a spec: for several backends all of it, or none."""
    # Templates, plugins and hashing: 0.1 s of start-up that `check` and `rf` should not pay.
    from segcompile.builds import prepare_each, write_all
    from segcompile.writer import drift, refusals, unified_diff

    def inspect(built: Built, findings: Findings) -> dict[str, Any]:
        report: dict[str, Any] = {"verified": _verified(built, form)} if verify else {}
        if only_check:
            drift(built.plan, findings)
        elif diff:
            report["diff"] = unified_diff(built.plan, built.files)
        elif not force:
            refusals(built.plan, findings)
        return report

    builds = prepare_each(spec, backends, variant, _overrides(settings), out, inspect)
    unwritten = dry_run or diff or only_check
    if not unwritten:
        write_all(builds)
    _print_builds(builds, form, unwritten)
    return max(_build_status(each.findings, only_check) for each in builds)


def _verified(built: Built, form: str) -> list[str]:
    """What agrees with the analysis, told as it is found. Raises SegcompileError (SC609)."""
    from segcompile.backend import load_backend  # as in `build`
    from segcompile.testing.verify import verify

    gc.enable()  # see verify_backend
    found = []
    backend = built.manifest["backend"]
    for agreement in verify(load_backend(backend), built.request):
        found.append(agreement)
        if form == "text":
            say(f"  ✓ {backend}: {agreement}")
    return found


def _build_status(findings: Findings, only_check: bool) -> int:
    errors = [found for found in findings.diagnostics if found.is_error]
    if only_check and errors and all(found.code.code.startswith("SC7") for found in errors):
        return DRIFT
    if any(map(_of_a_backend, errors)):
        return BACKEND
    return DIAGNOSTICS if errors else CLEAN


def _of_a_backend(found: Diagnostic) -> bool:
    """Whether a backend failed; what it cannot emit is at its place in the spec, and to be mended there."""
    return found.code.code.startswith("SC6") and found.span is None


def _print_builds(builds: Sequence[Build], form: str, unwritten: bool) -> None:
    if form == "json":
        entries = [
            {**build.report, "diagnostics": [as_json(found) for found in build.findings.diagnostics]}
            for build in builds
        ]
        click.echo(json.dumps({"builds": entries}, indent=2))
        return
    stopped = any(build.findings.has_errors for build in builds)
    told: set[Diagnostic] = set()  # what the spec itself has wrong is the same for every backend
    for build in builds:
        new = [found for found in build.findings.diagnostics if found not in told]
        told.update(new)
        _print_build(build.report, new, stopped, unwritten)


def _print_build(report: dict[str, Any], diagnostics: Sequence[Diagnostic], stopped: bool, unwritten: bool) -> None:
    if diagnostics:
        say(render_text(diagnostics), err=True)
    if stopped:
        return
    if "diff" in report:
        click.echo(report["diff"], nl=False)
        return
    for word, mark in (("new", "+"), ("changed", "~"), ("removed", "-")):
        for name in report[word]:
            click.echo(f"  {mark} {name}")
    verb, count = "would write" if unwritten else "wrote", len(report["new"]) + len(report["changed"])
    what = f"{verb} {count} of {len(report['files'])} files" if count or report["removed"] else "up to date"
    click.echo(f"{report['folder']}: {what}")


@cli.command("list")
@format_option
def list_(form: str) -> int:
    """List the bundled specs, the installed backends and the ops."""
    from segcompile.backend import installed  # as in `build`

    specs = bundled()
    backends = {name: point.value for name, point in installed().items()}
    ops = [(op.spelling, ", ".join(kinds(op)), op.summary) for op in ALL_OPS]
    if form == "json":
        data = {
            "specs": sorted(specs), "backends": backends,
            "ops": [{"op": op, "kinds": kind, "summary": text} for op, kind, text in ops],
        }  # fmt: skip
        click.echo(json.dumps(data, indent=2))
        return CLEAN
    click.echo(list_table(specs, backends, ops))
    return CLEAN


@cli.command("verify-backend")
@click.argument("name")
@format_option
def verify_backend(name: str, form: str) -> int:
    """Put an installed backend to every check of the conformance kit, and print the scoreboard.

    Exit status 1 if anything that the backend declares fails, 4 if it cannot be loaded or its framework is missing.
    """
    from segcompile.backend import load_backend  # as in `build`
    from segcompile.testing.runner import NoRunner, runner_of
    from segcompile.testing.scoreboard import Row, board, summary
    from segcompile.testing.trial import Trial

    backend, rows = load_backend(name), list[Row]()
    try:
        _ = backend.runner and runner_of(backend)
    except NoRunner as reason:
        say(f"error: {reason}", err=True)
        return BACKEND
    gc.enable()  # a model's parts know each other: without, hundreds of models fill any memory
    live = sys.stderr.isatty()

    def progress(row: Row) -> None:
        if live:
            click.echo(f"\r\033[K  {row.check.name} {row.done}/{row.cases}", nl=False, err=True)

    for row in board(Trial(backend), progress):
        rows.append(row)
        if live:
            click.echo("\r\033[K", nl=False, err=True)
        if form == "text":
            say(row.text)
    passed = all(row.holds for row in rows)
    if form == "json":
        click.echo(json.dumps({"backend": name, "ok": passed, "checks": [row.data for row in rows]}, indent=2))
    else:
        say(summary(name, rows))
    return CLEAN if passed else DIAGNOSTICS


@cli.group()
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
    from segcompile.weights.images import Images  # NumPy and safetensors, as in `build`
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
        compiled = compile_spec(find_spec(spec), findings, variant=variant, overrides=_overrides(settings))
        findings.stop_on_errors()
        filled = fill(compiled)
    except SegcompileError as error:
        findings.absorb(error)
    if form == "json":
        diagnostics = [as_json(found) for found in findings.diagnostics]
        click.echo(json.dumps({**(filled.data if filled else {}), "diagnostics": diagnostics}, indent=2))
    else:
        if findings.diagnostics:
            say(render_text(findings.diagnostics), err=True)
        if filled:
            say(filled.text)
    return DIAGNOSTICS if findings.has_errors else CLEAN


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


@cli.command()
@click.argument("code", metavar="CODE")
def explain(code: str) -> int:
    """Explain a diagnostic, e.g. SC401."""
    from segcompile.explain import page  # as in `build`

    text = page(code)
    if text is None:
        help = did_you_mean(code.upper(), CODES) or f"codes go from {min(CODES)} to {max(CODES)}"
        click.echo(f"there is no diagnostic `{code}`; {help}", err=True)
        return 2
    click.echo(text.rstrip())
    return CLEAN


@cli.command()
def schema() -> int:
    """Print the JSON Schema of a spec file, for editors."""
    from segcompile.language.schema import Spec

    click.echo(json.dumps(Spec.model_json_schema(), indent=2))
    return CLEAN


def _overrides(settings: tuple[str, ...]) -> dict[str, int]:
    """`C=19` -> {"C": 19}."""
    found: dict[str, int] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name.isidentifier() or not re.fullmatch("-?(0|[1-9][0-9]{0,17})", value.strip()):
            message = f"`{setting}` is not NAME=INTEGER, a plain decimal of at most 18 digits"
            raise click.BadParameter(message, param_hint="--set")
        if name in found:
            raise click.BadParameter(f"`{name}` is given twice, as {found[name]} and as {value}", param_hint="--set")
        found[name] = int(value)
    return found


def main() -> None:
    """Run the command line: 0 clean, 1 diagnostics, 2 usage, 3 drift, 4 backend failure, 70 internal error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a table's lines and ticks, on a terminal that has none
    gc.disable()  # one short run whose values all live to its end: collecting would only look at them again and again
    sys.exit(_guarded(lambda: cli.main(standalone_mode=False)))


def _guarded(run: Callable[[], Any]) -> int:
    try:
        status = run()
        return status if isinstance(status, int) else CLEAN
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        click.echo("stopped", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SegcompileError as error:
        say(render_text(error.diagnostics), err=True)
        return BACKEND if any(map(_of_a_backend, error.diagnostics)) else DIAGNOSTICS
    except BrokenPipeError:
        sys.stderr.close()  # the reader is gone: `segcompile rf x | head`
        return CLEAN
    except Exception as error:
        if interruption.stopped():  # __main__.py says so
            raise
        message = f"internal error: {type(error).__name__}: {error}\nThis is a bug of segcompile, not of your spec."
        click.echo(f"{message} SEGCOMPILE_TRACEBACK=1 shows where.", err=True)
        if os.environ.get("SEGCOMPILE_TRACEBACK"):
            traceback.print_exc()
        return INTERNAL
