"""The command line as users and scripts see it: output, files, exit codes."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from segcompile.cli import cli
from segcompile.cli.outcome import guarded
from segcompile.language.json_schema import spec_schema
from segcompile.library import bundled

ROOT = Path(__file__).resolve().parents[2]
LARGE = str(ROOT / "specs/dilated_large.yaml")
CONTEXT = str(ROOT / "specs/dilated_context.yaml")


def run(*arguments: str) -> tuple[int, Result]:
    """Exit code and output, as `main` would have it."""
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    status = result.return_value if isinstance(result.return_value, int) else result.exit_code
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        status = guarded(lambda: (_ for _ in ()).throw(result.exception))  # type: ignore[arg-type]
    return status, result


def shell(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "segcompile", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment})


# --- check -----------------------------------------------------------------------------------------------------------


def test_check_passes_every_bundled_spec_without_a_warning_that_nobody_accepted() -> None:
    paths = sorted((ROOT / "specs").glob("*.yaml"))
    status, result = run("check", *map(str, paths), "--format", "json")
    found = json.loads(result.output)["specs"]
    assert (status, [entry["ok"] for entry in found]) == (0, [True] * len(paths))
    assert [told for entry in found for told in entry["diagnostics"]] == []
    accepted = {Path(entry["spec"]).stem: {told["code"] for told in entry["accepted"]} for entry in found}
    assert accepted["hrnet"] == {"SC311", "SC408"}


def test_check_covers_every_variant_and_reports_a_shared_mistake_once(tmp_path: Path) -> None:
    text = Path(CONTEXT).read_text(encoding="utf-8")
    spec = tmp_path / "wrong.yaml"
    spec.write_text(text.replace("8,    16,     1,", "8,     8,     1,"), encoding="utf-8")
    status, result = run("check", str(spec))
    assert status == 1
    assert result.output.count("error[SC401") == 1
    spec.write_text(text.replace("32C,     C]", "31C,     C]"), encoding="utf-8")  # only in `large`
    assert run("check", str(spec))[0] == 1
    assert run("check", str(spec), "--variant", "basic")[0] == 0


def test_check_json_is_complete_when_a_spec_fails(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("", encoding="utf-8")
    status, result = run("check", LARGE, str(tmp_path / "empty.yaml"), "--format", "json")
    found = json.loads(result.output)["specs"]
    assert status == 1
    assert [entry["ok"] for entry in found] == [True, False]
    assert found[1]["diagnostics"][0]["code"] == "SC012"


def test_check_json_has_the_file_and_counts_the_claims(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    layers = "  - a: {conv: 8, kernel: 3}\n  - g: {pool: global_avg}\n"
    head = "segcompile: 1\nmodel: net\nvariants: [x, y]\ninput: {channels: 3, size: {x: 64, y: 65}}\nlayers:\n"
    claims = "claims: {a: {receptive_field: 3, channels: 9, size: 62}, g: {receptive_field: 64}}\n"
    spec.write_text(head + layers + claims, encoding="utf-8")
    status, result = run("check", str(spec), "unet", "nope", "--format", "json")
    wrong, good, missing = json.loads(result.output)["specs"]
    assert status == 1
    assert {*wrong} == {*good} == {*missing} == {"spec", "ok", "claims", "networks", "diagnostics", "accepted"}
    assert [entry["spec"] for entry in (wrong, good, missing)] == [str(spec), str(bundled()["unet"]), "nope"]
    assert wrong["claims"] == {"held": 3, "false": 3, "undecided": 2}
    assert wrong["networks"] == [
        {"variant": "x", "layers": 2, "claims": {"held": 2, "false": 1, "undecided": 1}},
        {"variant": "y", "layers": 2, "claims": {"held": 1, "false": 2, "undecided": 1}},
    ]
    assert (good["ok"], good["claims"]) == (True, {"held": 3, "false": 0, "undecided": 0})
    assert (missing["ok"], missing["networks"]) == (False, [])
    assert missing["claims"] == {"held": 0, "false": 0, "undecided": 0}


def test_check_says_of_each_variant_how_many_layers_and_claims_it_has(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    text = "segcompile: 1\nmodel: net\nvariants: [x, y]\ninput: {channels: 3, size: 64}\nlayers:\n"
    layers = '  - "a{i}": {conv: 8, kernel: 3, repeat: {x: 1, y: 2}}\n'
    spec.write_text(text + layers, encoding="utf-8")
    assert run("check", str(spec))[1].output == f"ok  {spec} (x, y): 1 + 2 layers, no claims\n"
    spec.write_text(text + layers + "claims: {a1: {channels: 8}}\n", encoding="utf-8")
    assert run("check", str(spec))[1].output == f"ok  {spec} (x, y): 1 + 2 layers, 1 + 1 claims hold\n"


@pytest.mark.parametrize("settings", ["C", "C=", "C=x", "=3", "C=1.5", "1C=3", "C=010", "C=1_0", f"C={10**18}"])
def test_a_setting_that_is_not_name_equals_integer_is_a_usage_error(settings: str) -> None:
    assert run("check", LARGE, "--set", settings)[0] == 2


def test_a_parameter_that_is_set_twice_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", LARGE, "--set", "C=19", "--set", "C=20")[0] == 2
    assert "`C` is given twice, as 19 and as 20" in capsys.readouterr().err


def test_set_overrides_a_parameter_and_refuses_an_unknown_one() -> None:
    assert run("check", LARGE, "--set", "C=19")[0] == 0
    status, result = run("check", LARGE, "--set", "K=19")
    assert status == 1
    assert "`dilated_large` has no parameter `K`" in result.output


# --- rf --------------------------------------------------------------------------------------------------------------


def test_rf_json_has_what_the_documentation_promises() -> None:
    status, result = run("rf", LARGE, "--format", "json")
    data = json.loads(result.output)
    assert status == 0
    assert set(data) >= {"model", "variant", "inputs", "layers", "outputs", "totals", "diagnostics"}
    assert data["inputs"] == {"input": {"channels": 21, "size": [64, 64]}}
    first = data["layers"][0]
    expected = {
        "name": "layer1", "op": "conv", "inputs": ["input"], "shape": [42, 64, 64], "kernel": [3, 3],
        "dilation": [1, 1], "receptive_field": [3, 3], "stride": [1, 1], "parameters": 7980, "macs": 32514048,
        "claims": {"receptive_field": {"claimed": [3, 3], "computed": [3, 3], "ok": True}},
    }  # fmt: skip
    assert {key: first[key] for key in expected} == expected
    output = data["outputs"]["layer8"]
    assert output["phases"] == [{"phase": [0, 0], "receptive_field": [67, 67], "start": [-33, -33]}]
    assert data["totals"] == {"parameters": 6803139, "macs": 27857313792, "layers": 8}


def test_rf_json_has_a_claim_of_macs_as_one_number(tmp_path: Path) -> None:
    claims = "claims: {c: {macs: 830304}, macs: 1}\n"
    head = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 64}\n"
    (tmp_path / "net.yaml").write_text(f"{head}layers: [c: {{conv: 8, kernel: 3}}]\n{claims}", encoding="utf-8")
    data = json.loads(run("rf", str(tmp_path / "net.yaml"), "--format", "json")[1].output)
    assert data["layers"][0]["claims"] == {"macs": {"claimed": 830304, "computed": 830304, "ok": True}}
    assert data["claims"] == [{"of": "network", "what": "macs", "claimed": 1, "computed": 830304, "ok": False}]


def test_rf_json_never_rounds_a_stride() -> None:
    data = json.loads(run("rf", str(ROOT / "specs/unet.yaml"), "--format", "json")[1].output)
    assert {layer["name"]: layer["stride"] for layer in data["layers"]}["up3"] == [8, 8]
    output = data["outputs"]["logits"]
    sizes = [tuple(phase["receptive_field"]) for phase in output["phases"]]
    assert (len(sizes), sizes.count((188, 188)), sizes.count((204, 204))) == (256, 16, 144)


def test_rf_shows_the_table_and_a_cross_beside_a_false_claim(tmp_path: Path) -> None:
    text = Path(CONTEXT).read_text(encoding="utf-8")
    (tmp_path / "x.yaml").write_text(text.replace("33x33", "35x35"), encoding="utf-8")
    status, result = run("rf", str(tmp_path / "x.yaml"), "--variant", "basic")
    assert status == 1
    assert "35 ✗" in result.output
    assert "10/11 ✓" in result.output


def test_rf_json_of_a_broken_spec_is_whole_json(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("segcompile: 1\nmodel: x\nlayers: [{conv: }]\n", encoding="utf-8")
    status, result = run("rf", str(tmp_path / "x.yaml"), "--format", "json")
    data = json.loads(result.output)
    assert status == 1
    assert data["layers"] == []
    assert data["diagnostics"]


# --- build -----------------------------------------------------------------------------------------------------------


def test_build_says_what_it_wrote_and_then_that_all_is_up_to_date(tmp_path: Path) -> None:
    out = str(tmp_path / "x")
    status, result = run("build", LARGE, "--backend", "torch", "--out", out)
    assert status == 0
    count = len(list((tmp_path / "x").glob("[!.]*")))
    assert result.output.count("\n  + ") == count - 1 and f"wrote {count} of {count} files" in result.output
    status, result = run("build", LARGE, "--backend", "torch", "--out", out)
    assert (status, result.output) == (0, f"{out}: up to date\n")


def test_build_check_exits_3_on_drift_and_0_without(tmp_path: Path) -> None:
    out = str(tmp_path / "x")
    assert run("build", LARGE, "--backend", "torch", "--out", out, "--check")[0] == 3
    assert not (tmp_path / "x").exists()
    run("build", LARGE, "--backend", "torch", "--out", out)
    assert run("build", LARGE, "--backend", "torch", "--out", out, "--check")[0] == 0
    assert run("build", LARGE, "--backend", "torch", "--out", out, "--set", "C=19", "--check")[0] == 3


def test_build_refuses_to_overwrite_a_hand_edited_file_unless_forced(tmp_path: Path) -> None:
    out = tmp_path / "x"
    run("build", LARGE, "--backend", "torch", "--out", str(out))
    (out / "model.py").write_text("mine\n", encoding="utf-8")
    status, result = run("build", LARGE, "--backend", "torch", "--out", str(out), "--set", "C=19")
    assert status == 1
    assert "SC702 hand-edited" in result.stderr
    assert (out / "model.py").read_text(encoding="utf-8") == "mine\n"
    assert run("build", LARGE, "--backend", "torch", "--out", str(out), "--force")[0] == 0
    assert "class DilatedLarge" in (out / "model.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("flag", ["--dry-run", "--diff", "--check"])
def test_flags_that_only_look_write_nothing(tmp_path: Path, flag: str) -> None:
    run("build", LARGE, "--backend", "torch", "--out", str(tmp_path / "x"), flag)
    assert list(tmp_path.iterdir()) == []


def test_build_of_a_variant_is_named_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("build", CONTEXT, "--backend", "torch", "--variant", "large")[0] == 0
    assert "class DilatedContextLarge" in Path("generated/dilated_context_large/torch/model.py").read_text(
        encoding="utf-8"
    )
    status, result = run("build", CONTEXT, "--backend", "torch")
    assert (status, "--variant basic or --variant large" in result.stderr) == (1, True)


def test_a_false_claim_stops_the_build_before_anything_is_written(tmp_path: Path) -> None:
    text = Path(CONTEXT).read_text(encoding="utf-8")
    (tmp_path / "x.yaml").write_text(text.replace("33x33", "35x35"), encoding="utf-8")
    arguments = (
        "build",
        str(tmp_path / "x.yaml"),
        "--variant",
        "basic",
        "--backend",
        "torch",
        "--out",
        str(tmp_path / "out"),
    )
    assert run(*arguments)[0] == 1
    assert not (tmp_path / "out").exists()


def test_an_unknown_backend_exits_4(tmp_path: Path) -> None:
    status, result = run("build", LARGE, "--backend", "troch", "--out", str(tmp_path / "x"))
    assert status == 4
    assert "did you mean `torch`?" in result.stderr


def test_build_json_names_the_files(tmp_path: Path) -> None:
    status, result = run("build", LARGE, "--backend", "torch", "--out", str(tmp_path / "x"), "--format", "json")
    assert (status, "model.py" in json.loads(result.output)["builds"][0]["files"]) == (0, True)


def test_several_backends_are_built_at_once_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    both = ("build", "dilated_large", "--backend", "torch", "--backend", "jax")
    status, result = run(*both, "--out", "x")
    assert status == 1 and "`--out` is one folder, and 2 backends write one each" in result.stderr
    (tmp_path / "generated/dilated_large/jax").mkdir(parents=True)
    (tmp_path / "generated/dilated_large/jax/model.py").write_text("mine\n")
    status, result = run(*both)
    assert status == 1 and result.stderr.count("error[") == 1 and "jax/model.py" in result.stderr
    assert not (tmp_path / "generated/dilated_large/torch").exists()
    (tmp_path / "generated/dilated_large/jax/model.py").unlink()
    assert run(*both)[0] == 0
    assert all((tmp_path / f"generated/dilated_large/{name}/model.py").exists() for name in ("torch", "jax"))


def test_two_builds_are_byte_identical_in_any_directory_hash_seed_and_locale(tmp_path: Path) -> None:
    found = []
    for index, (seed, locale) in enumerate([("0", "C"), ("4242", "C.UTF-8")]):
        place = tmp_path / f"place{index}"
        place.mkdir()
        done = shell("build", LARGE, "--backend", "torch", "--out", "x", cwd=place, PYTHONHASHSEED=seed, LC_ALL=locale)
        assert done.returncode == 0, done.stderr
        found.append({path.name: path.read_bytes() for path in (place / "x").iterdir()})
    assert found[0] == found[1]


# --- show ------------------------------------------------------------------------------------------------------------


def test_show_prints_the_file_as_it_is() -> None:
    status, result = run("show", "dilated_context")
    assert (status, result.output) == (0, Path(CONTEXT).read_text(encoding="utf-8"))
    assert run("show", "dilated_contxt")[0] == 1
    assert run("show", "dilated_context", "--variant", "large")[0] == 2


def test_show_flat_prints_a_spec_of_its_own(tmp_path: Path) -> None:
    status, result = run("show", "vgg16", "--flat", "--set", "K=10")
    assert status == 1  # a claim does not hold of so few classes, and is not among those that are printed
    assert "error[SC405" in result.stderr and "- fc8:     {linear: 10" in result.stdout
    (tmp_path / "flat.yaml").write_text(result.stdout)
    assert run("check", str(tmp_path / "flat.yaml"))[1].output.startswith("ok  ")
    assert run("show", "dilated_context", "--flat")[0] == 1  # which variant?


# --- list, explain, schema, main -------------------------------------------------------------------------------------


def test_list_names_specs_backends_and_ops() -> None:
    status, result = run("list")
    assert status == 0
    assert all(word in result.output for word in ("dilated_large", "torch", "deconv"))
    data = json.loads(run("list", "--format", "json")[1].output)
    assert data["specs"] == list(bundled())


def test_a_bundled_spec_can_be_named() -> None:
    assert run("check", "dilated_large")[0] == 0
    status, result = run("check", "dilated_lrge")
    assert (status, "did you mean `dilated_large`?" in result.output) == (1, True)


def test_explain_prints_a_page_or_says_what_there_is() -> None:
    status, result = run("explain", "sc401")
    assert (status, result.output.startswith("# SC401 receptive-field")) == (0, True)
    assert run("explain", "SC999")[0] == 2


def test_schema_prints_the_json_schema_of_a_spec() -> None:
    status, result = run("schema")
    assert (status, json.loads(result.output)) == (0, spec_schema())


def test_main_turns_what_nobody_expected_into_exit_70(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> int:
        raise RuntimeError("boom")

    assert guarded(broken) == 70
    assert "internal error: RuntimeError: boom" in capsys.readouterr().err


def test_usage_errors_exit_2(tmp_path: Path) -> None:
    done = shell("check", cwd=tmp_path)
    assert (done.returncode, "Missing argument" in done.stderr) == (2, True)


def test_emission_imports_neither_torch_nor_jax(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        assert name.split('.')[0] not in ('torch', 'jax', 'numpy'), name\n"
        "sys.meta_path.insert(0, No())\n"
        f"sys.argv = ['segcompile', 'build', {LARGE!r}, '--backend', 'torch', '--out', 'x']\n"
        "from segcompile.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# --- what is built, run ----------------------------------------------------------------------------------------------

TINY = (
    "segcompile: 1\nmodel: tiny\ninput: {channels: 3, size: any}\nlayers:\n  - score: {conv: 2, kernel: 3, act: relu}\n"
)


def test_a_build_that_agrees_with_the_analysis_is_written(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    options = ("--backend", "torch", "--out", str(tmp_path / "out"), "--verify")
    status, result = run("build", str(tmp_path / "tiny.yaml"), *options)
    assert status == 0
    proved = "proved: the code gives what the network gives for all weights and images, of 2 x H x W, H ≥ 3, W ≥ 3"
    assert result.output.splitlines()[:7] == [
        "  ✓ torch: 2 tensors, 56 parameters",
        "  ✓ torch: shapes of all outputs, of 3 x 24 x 24",
        "  ✓ torch: shapes of all layers, of 2 x 24 x 24",
        f"  ✓ torch: {proved}, op by op",
        "  ✓ torch: values to 1e-09 of the reference's, of 2 x 24 x 25",
        "  ✓ torch: receptive fields of 1 cell, of 2 x 24 x 25",
        "  + README.md",
    ]
    data = json.loads(run("build", str(tmp_path / "tiny.yaml"), *options, "--format", "json")[1].output)["builds"][0]
    assert len(data["verified"]) == 6 and (tmp_path / "out/model.py").exists()


def test_a_build_that_does_not_agree_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import segcompile_torch

    from segcompile.backend import BuildRequest, BuildResult

    def emit(request: BuildRequest) -> BuildResult:
        files = dict(right.emit(request).files)
        return BuildResult({**files, "model.py": files["model.py"].replace("F.relu(", "F.relu6(-")})

    right = segcompile_torch.BACKEND
    monkeypatch.setattr(segcompile_torch, "BACKEND", replace(right, emit=emit))
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    out = tmp_path / "out"
    status, result = run("build", str(tmp_path / "tiny.yaml"), "--backend", "torch", "--out", str(out), "--verify")
    assert status == 4 and not out.exists()
    assert "error[SC609 verification]: what backend `torch` built is not verified: its code gives" in result.output
    assert "; they part at `score` and `neg`: `relu` in the first network, and `scale` in the second\n" in result.output


def test_the_scoreboard_of_a_backend_without_a_runner(outline_on_the_path: None) -> None:
    gc.disable()  # as main does
    try:
        status, result = run("verify-backend", "outline")
        assert gc.isenabled()  # or the models that a runner loads fill the memory: with JAX, 24 GB
    finally:
        gc.enable()
    lines = result.output.splitlines()
    assert status == 0
    assert lines[2].split() == ["same", "bytes", "7/7"]
    assert lines[3] == "  names                    –  backend `outline` names no runner: what it emits is not run"
    assert lines[-1] == "outline: 5 of 5 checks pass"
    data = json.loads(run("verify-backend", "outline", "--format", "json")[1].output)
    assert data["ok"] and [row["check"] for row in data["checks"]][:2] == ["emission", "refusal"]


def test_a_framework_that_is_not_installed_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import segcompile_torch

    missing = replace(segcompile_torch.BACKEND, runner="a_framework.runner:RUNNER")
    monkeypatch.setattr(segcompile_torch, "BACKEND", missing)
    status, result = run("verify-backend", "torch")
    assert status == 4
    assert result.output == (
        "error: backend `torch`: its runner a_framework.runner:RUNNER cannot be loaded: No module named 'a_framework'\n"
    )


@pytest.fixture
def outline_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third party's backend, as an installer would leave it."""
    info = tmp_path / "segcompile_outline-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: segcompile-outline\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[segcompile.backends]\noutline = segcompile_outline:BACKEND\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(ROOT / "tests/data/third_party_backend")


def test_a_backend_that_is_not_known_names_no_package_that_may_not_exist() -> None:
    status, result = run("build", LARGE, "--backend", "keras")
    assert status == 4
    assert result.stderr == (
        "error[SC601 unknown-backend]: there is no backend `keras`; installed: jax, onnx, torch\n"
        "   = help: `segcompile list` shows the installed ones\n"
    )


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------

# A shell that runs a suite in the background has its children ignore SIGINT.
_HEEDS = "import os, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
_MAIN = _HEEDS + "from segcompile.__main__ import main; print('up', flush=True); main()"


@pytest.mark.parametrize("delay", [0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0])
def test_ctrl_c_leaves_a_whole_folder_or_none_and_no_traceback(tmp_path: Path, delay: float) -> None:
    command = [sys.executable, "-c", _MAIN, "build", LARGE, "--backend", "torch", "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert (process.returncode, err.strip()) in ((130, "stopped"), (0, ""))  # 0: it was faster
    if process.returncode == 0 or (tmp_path / "out").exists():
        assert run("build", LARGE, "--backend", "torch", "--out", str(tmp_path / "out"), "--check")[0] == 0
    else:
        assert list(tmp_path.iterdir()) == []


def test_ctrl_c_stops_where_python_could_only_print_it() -> None:
    """A weak reference's callback, like those of imports, can raise nothing."""
    lost = (
        f"{_HEEDS}from segcompile import __main__ as start\nimport time, weakref\nclass Thing: pass\n"
        "def callback(*_):\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(1)\n"
        "def run():\n    thing = Thing()\n    kept = weakref.ref(thing, callback)\n    del thing\n"
        "    print('went on')\n"
        "from segcompile import cli\ncli.main = run\nstart.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", lost], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


@pytest.mark.parametrize("where", ["cli.main = made", "build._print_builds = made"], ids=["imports", "commands"])
def test_ctrl_c_stops_while_a_class_is_made(where: str, tmp_path: Path) -> None:
    """Python 3.11 makes a RuntimeError of what is raised there."""
    wrapped = (
        f"{_HEEDS}from segcompile import __main__ as start\n"
        "class Member:\n    def __set_name__(self, owner, name): os.kill(os.getpid(), signal.SIGINT)\n"
        "def made(*_): type('Thing', (), {'member': Member()})\n"
        f"from segcompile import cli\nfrom segcompile.cli import build\n{where}\nstart.main()\n"
    )
    command = [sys.executable, "-c", wrapped, "build", LARGE, "--backend", "torch", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "stopped\n")


@pytest.mark.parametrize(
    "where",
    [
        "cli.main = other",
        "build._print_builds = other",
        "from importlib.metadata import EntryPoint as E; E.load = other",
    ],
    ids=["imports", "commands", "plugins"],
)
def test_ctrl_c_stops_where_a_library_raises_something_else_of_it(where: str, tmp_path: Path) -> None:
    """Pydantic has raised a SchemaError."""
    lost = (
        f"{_HEEDS}from segcompile import __main__ as start\n"
        "def other(*_):\n    try: signal.raise_signal(signal.SIGINT)\n"
        "    except KeyboardInterrupt: raise ValueError('no schema') from None\n"
        f"from segcompile import cli\nfrom segcompile.cli import build\n{where}\nstart.main()\n"
    )
    command = [sys.executable, "-c", lost, "build", LARGE, "--backend", "torch", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "stopped\n")


def test_ctrl_c_while_a_folder_is_written_waits_for_its_end(tmp_path: Path) -> None:
    slow = (
        f"{_HEEDS}from segcompile import writer\nreal = writer._fill\n"
        "def fill(*given):\n    os.kill(os.getpid(), signal.SIGINT)\n    real(*given)\n"
        "writer._fill = fill\nfrom segcompile.__main__ import main\nmain()\n"
    )
    command = [sys.executable, "-c", slow, "build", LARGE, "--backend", "torch", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (130, "stopped")
    assert run("build", LARGE, "--backend", "torch", "--out", str(tmp_path / "out"), "--check")[0] == 0
