"""`segcompile new`: the spec that it starts, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from segcompile.cli import cli
from segcompile.cli.outcome import guarded
from segcompile.compiler import compile_spec, find_spec
from segcompile.index import networks
from segcompile.library import bundled
from segcompile.start import start
from segcompile.text.errors import Findings


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def new(*arguments: str) -> str:
    """What is printed, in a run that succeeds."""
    result = CliRunner().invoke(cli, ["new", *arguments], standalone_mode=False)
    assert result.return_value == 0, result.output
    return result.output


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Status and errors of a run that writes nothing."""
    before = sorted(Path().rglob("*"))
    status = guarded(lambda: cli.main(["new", *arguments], "segcompile", standalone_mode=False))
    assert sorted(Path().rglob("*")) == before
    return status, capsys.readouterr().err


def text(file: str) -> str:
    return Path(file).read_text(encoding="utf-8")


# --- what is written


def test_a_variant_is_fixed_and_parameters_are_set() -> None:
    told = new("mine", "--base", "dilated_context", "--variant", "large", "--set", "C=5")
    assert told == "wrote mine.yaml: 8 layers, 386,035 parameters, 12 claims hold\nnext: segcompile rf mine.yaml\n"
    assert text("mine.yaml") == (
        "segcompile: 1\n"
        "model: mine\n"
        "about: Derived from dilated_context_large.\n"
        "base: dilated_context\n"
        "variant: large\n"
        "params: {C: 5}\n"
        "# transform:   # edits of the base's layers, in this order: set, remove, append and others\n"
        "#   - set: {layer1: {act: silu}}\n"
        "claims:\n"
        "  output: {size: input, channels: C}\n"
        "  weights: 15422*C**2\n"
        "  parameters: 386035\n"
    )


BASE = """\
segcompile: 1
model: net
params: {K: 4, W: 2K}
input: {channels: 3, size: [32, 48]}
layers:
  - c: {conv: W, kernel: 3, pad: same}
  - d: {conv: K, kernel: 1, stride: 2}
claims:
  c: {channels: 8, size: [32, 48]}
  d: {channels: K, size: {32x48: [16, 24], 64: 32}, stride: "2"}
  count: {conv+deconv: 2}
  weights: 248
  parameters: 28W + K*(W+1)
"""


def test_a_claim_of_the_base_that_does_not_hold_says_what_is_so() -> None:
    Path("nets").mkdir()
    Path("nets/net.yaml").write_text(BASE, encoding="utf-8")
    told = new("mine", "--base", "nets/net.yaml", "--set", "K=3", "--out", "own nets.yaml")
    assert told == "wrote own nets.yaml: 2 layers, 189 parameters, 9 claims hold\nnext: segcompile rf 'own nets.yaml'\n"
    assert text("own nets.yaml") == (
        "segcompile: 1\n"
        "model: mine\n"
        "about: Derived from net.\n"
        "base: nets/net.yaml\n"
        "params: {K: 3}\n"
        "# params of the base: {W: 2K}\n"
        "# transform:   # edits of the base's layers, in this order: set, remove, append and others\n"
        "#   - set: {c: {act: silu}}\n"
        "claims:\n"
        "  c: {channels: 6, size: [32, 48]}   # the base claims channels 8\n"
        '  d: {channels: K, size: {32x48: [16, 24], 64: 32}, stride: "2"}\n'
        "  count: {conv+deconv: 2}\n"
        "  weights: 180   # the base claims weights 248\n"
        "  parameters: 189\n"
    )


def test_a_spec_in_another_folder_finds_its_base() -> None:
    Path("nets").mkdir()
    Path("net.yaml").write_text(BASE, encoding="utf-8")
    new("mine", "--base", "net.yaml", "--out", "nets/mine.yaml")
    new("second", "--base", "nets/mine.yaml", "--set", "W=6")
    assert 'base: "../net.yaml"\n# params of the base: {K: 4, W: 2K}\n' in text("nets/mine.yaml")
    assert "base: nets/mine.yaml\nparams: {W: 6}\n# params of the base: {K: 4}\n" in text("second.yaml")


def test_claims_that_the_base_drops_or_makes_in_loops_are_written_out() -> None:
    loops = '[{c: {size: [32, 48]}, d: none}, {for: {e: [c]}, claims: {"{e}": {channels: 2K, size: {64: 2**6}}}}]'
    Path("net.yaml").write_text(BASE, encoding="utf-8")
    Path("middle.yaml").write_text(f"segcompile: 1\nmodel: m\nbase: net.yaml\nclaims: {loops}\n", encoding="utf-8")
    new("mine", "--base", "middle.yaml")
    assert text("mine.yaml").partition("claims:\n")[2] == (
        "  count: {conv+deconv: 2}\n"
        "  c: {size: {32x48: [32, 48], 64: 64}, channels: 8}\n"
        "  weights: 248\n"
        "  parameters: 260\n"
    )


ANY = """\
segcompile: 1
model: net
params: {K: 1}
input: {channels: 3, size: any}
layers:
  - c: {conv: K, kernel: 3, pad: same}
claims: {c: {size: input}}
"""


def test_a_network_for_any_size_keeps_its_claim_of_the_input() -> None:
    Path("any.yaml").write_text(ANY, encoding="utf-8")
    told = new("mine", "--base", "any.yaml", "--set", "K=2")
    assert told == "wrote mine.yaml: 1 layer, 56 parameters, 2 claims hold\nnext: segcompile rf mine.yaml\n"
    assert text("mine.yaml").endswith("claims:\n  c: {size: input}\n  parameters: 56\n")


def test_warnings_of_the_base_are_told_and_the_spec_is_written() -> None:
    Path("any.yaml").write_text(ANY.replace("pad: same", "pad: same, dilation: 2"), encoding="utf-8")
    result = CliRunner().invoke(cli, ["new", "mine", "--base", "any.yaml"], standalone_mode=False)
    assert result.return_value == 0 and result.stdout.startswith("wrote mine.yaml: ")
    assert "warning[SC407 " in result.stderr and "error" not in result.stderr


def test_what_the_base_accepts_is_no_warning_of_the_new_spec_until_it_is_edited() -> None:
    result = CliRunner().invoke(cli, ["new", "mine", "--base", "unetpp"], standalone_mode=False)
    assert (result.return_value, result.stderr) == (0, "")
    edited = text("mine.yaml").replace("# transform:", "transform:").replace("#   - set", "  - set")
    Path("mine.yaml").write_text(edited, encoding="utf-8")
    checked = CliRunner().invoke(cli, ["check", "mine.yaml"], standalone_mode=False)
    assert "warning[SC408 " in checked.output
    assert "  --> mine.yaml:4:7\n 4 | base: unetpp\n" in checked.output


def _holds(spec: str, variant: str | None) -> None:
    """A spec started from this network has no finding but those that its base accepts, with its edit or without."""
    out, findings = Path("mine.yaml"), Findings()
    out.unlink(missing_ok=True)
    start("mine", spec, variant, {}, out, findings)
    edited = text("mine.yaml").replace("# transform:", "transform:").replace("#   - set", "  - set")
    out.write_text(edited, encoding="utf-8")
    compile_spec(out, findings)
    accepted = {each.found.code.code for each in compile_spec(find_spec(spec), Findings(), variant=variant).accepted}
    assert {found.code.code for found in findings.diagnostics} <= accepted


@pytest.mark.parametrize("spec", ["fcn16s", "resnet50", "unet3d", "wavenet"])
def test_the_written_spec_has_no_finding_with_its_edit_or_without(spec: str) -> None:
    _holds(spec, None)


@pytest.mark.long
def test_from_every_bundled_network_a_spec_is_started() -> None:
    for spec, _, variant in networks():
        _holds(spec, variant)


def test_json_names_the_file_or_none() -> None:
    assert json.loads(new("mine", "--base", "unet", "--format", "json")) == {"file": "mine.yaml", "diagnostics": []}
    result = CliRunner().invoke(cli, ["new", "mine", "--base", "unet", "--format", "json"], standalone_mode=False)
    data = json.loads(result.output)
    assert (result.return_value, data["file"], data["diagnostics"][0]["code"]) == (1, None, "SC013")


# --- what is refused


def test_without_a_base_it_says_what_to_write(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "mine") == (
        2,
        "Usage: segcompile new [OPTIONS] NAME\n"
        "Try 'segcompile new --help' for help.\n"
        "\n"
        "Error: a new spec derives from another one: say which with --base, for example\n"
        "  segcompile new mine --base unet --set K=3\n",
    )


@pytest.mark.parametrize("out", [(), ("--out", "folder"), ("--out", "dangling.yaml")])
def test_a_file_that_is_there_is_not_overwritten(out: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text("mine\n", encoding="utf-8")
    Path("folder").mkdir()
    Path("dangling.yaml").symlink_to("nowhere.yaml")
    assert refused(capsys, "mine", "--base", "unet", *out) == (
        1,
        f"error[SC013 unwritable-place]: `{out[-1] if out else 'mine.yaml'}` cannot be written: it is there already\n"
        "   = help: choose another name, or another file with --out\n",
    )
    assert text("mine.yaml") == "mine\n"


@pytest.mark.parametrize(
    ("out", "why"), [("no/mine.yaml", "No such file or directory"), ("f/m.yaml", "Not a directory")]
)
def test_a_place_where_no_file_can_be_is_told(out: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("f").write_text("", encoding="utf-8")
    said = f"error[SC013 unwritable-place]: `{out}` cannot be written: {why}\n"
    assert refused(capsys, "mine", "--base", "unet", "--out", out) == (1, said)


def test_what_stops_a_write_leaves_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    said = "error[SC013 unwritable-place]: `mine.yaml` cannot be written: No space left on device\n"
    assert refused(capsys, "mine", "--base", "unet") == (1, said)


REFUSED = {
    "a name with capitals and a hyphen": (
        ("My-Net", "--base", "unet"),
        "error[SC114 bad-name]: `My-Net` cannot be a name: a-z, 0-9 and _, a letter first\n"
        "  --> NAME:1:1\n"
        " 1 | My-Net\n"
        "   | ^^^^^^\n"
        "   = help: for example `my_net`\n",
    ),
    "a name that is a path": (
        ("../net", "--base", "unet"),
        "error[SC114 bad-name]: `../net` cannot be a name: a-z, 0-9 and _, a letter first\n"
        "  --> NAME:1:1\n"
        " 1 | ../net\n"
        "   | ^^^^^^\n"
        "   = help: for example `net`\n",
    ),
    "a base that nobody has": (
        ("mine", "--base", "unt"),
        "error[SC009 unreadable-file]: there is no file and no bundled spec `unt`\n   = help: did you mean `unet`?\n",
    ),
    "a parameter that the base has not": (
        ("mine", "--base", "unet", "--set", "Q=3"),
        "error[SC101 unknown-parameter]: `unet` has no parameter `Q`\n"
        "  --> --set:1:1\n"
        " 1 | Q=3\n"
        "   | ^\n"
        "   = help: it has K, W\n",
    ),
    "a base with variants": (
        ("mine", "--base", "dilated_context"),
        "error[SC110 variant-choice]: the spec has variants, and none is chosen\n"
        f"  --> {bundled()['dilated_context']}:7:11\n"
        " 7 | variants: [basic, large]\n"
        "   |           ^\n"
        "   = help: --variant basic or --variant large\n",
    ),
}


@pytest.mark.parametrize(("arguments", "said"), REFUSED.values(), ids=REFUSED)
def test_refusals_are_those_of_the_other_commands(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, *arguments) == (1, said)


def test_a_network_that_the_parameters_break_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    status, said = refused(capsys, "mine", "--base", "resnet50", "--set", "B5=2")
    assert (status, said.splitlines()[0]) == (
        1,
        "error[SC102 unknown-layer]: there is no layer `conv5_3` to claim this of",
    )
    status, said = refused(capsys, "mine", "--base", "fcn32s_nyud_color_hha", "--set", "K=6")
    assert (status, said.splitlines()[1]) == (1, "  --> mine.yaml:5:13")
