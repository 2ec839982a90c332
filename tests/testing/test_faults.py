"""The kit finds planted faults: each by exactly the check that is named for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from segcompile.backend import Backend, load_backend
from segcompile.testing.checks import CHECKS
from segcompile.testing.trial import Result, Trial

# The torch backend, but for what a test plants in the files that it emits.
PLANTED = """
from dataclasses import replace
from segcompile.backend import BuildResult
from segcompile.ops import Softmax
from segcompile_torch import BACKEND as TORCH

def emit(request):
    files = dict(TORCH.emit(request).files)
    {plant}
    return BuildResult(files)

BACKEND = replace(TORCH, name="planted", emit=emit{changes})
"""
SMALL = "a small network"


def in_model(old: str, new: str) -> str:
    return f'files["model.py"] = files["model.py"].replace({old!r}, {new!r})'


def planted(monkeypatch: pytest.MonkeyPatch, site: Path, plant: str, changes: str = "") -> Backend:
    """An installed backend with a fault."""
    (site / "segcompile_planted.py").write_text(PLANTED.format(plant=plant, changes=changes))
    info = site / "segcompile_planted-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: segcompile-planted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[segcompile.backends]\nplanted = segcompile_planted:BACKEND\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(__import__("sys").modules, "segcompile_planted", raising=False)
    return load_backend("planted")


def faults(backend: Backend, name: str) -> list[tuple[str, str]]:
    """What all checks together find in the cases of one name: (check, fault)."""
    trial = Trial(backend, name)
    results: list[Result] = [trial.run(check, case) for check, case in trial.items()]
    assert results
    return [(result.check, result.fault) for result in results if result.fault is not None]


FAULTS = {
    "an op that is declared and has no rule": (
        "softmax: channels",
        'assert "softmax" not in files["model.py"], "no rule for softmax"',
        "emission",
        "backend `planted` failed: AssertionError: no rule for softmax",
    ),
    "a name that no other backend gives": (
        "conv: 3, kernel: 3",
        in_model("self.layer", "self.conv"),
        "names",
        "the model has no tensor `layer.weight`",
    ),
    "a tensor too many": (
        "conv: 3, kernel: 3",
        in_model("for module in self", "self.more = nn.PReLU()\n        for module in self"),
        "names",
        "the model has a tensor `more.weight`, which the analysis does not know",
    ),
    "a bias that is left out": (
        "linear: 5",
        in_model("(396, 5)", "(396, 5, bias=False)"),
        "names",
        "the model has no tensor `layer.bias`",
    ),
    "a wrong padding": (
        "conv: 6, kernel: 3, groups: 2, pad: 1",
        in_model("padding=1", "padding=2"),
        "shapes",
        "output is (2, 6, 11, 13), and the analysis says (2, 6, 9, 11)",
    ),
    "a padding on the wrong sides": (
        "conv: 3, kernel: [2, 5], pad: [1, 0, 3, 2]",
        in_model("(3, 2, 1, 0)", "(2, 3, 1, 0)"),
        "values in float32",
        "output[1, 0, 7, 7] is -2.57",
    ),
    "a best score that loses less than the tolerance": (
        "dilated_basic",
        in_model("return x", "return x - 7e-5 * x.abs().max() * (x == x.amax(1, keepdim=True))"),
        "classes",
        "output: channel 11 scores best at [1, 3, 23], the reference's is 5",
    ),
    "half the precision": (
        "act: gelu",
        in_model("F.gelu(image)", "F.gelu(image.float()).to(image)"),
        "values in float64",
        "output[",  # where it rounds most is the processor's
    ),
    "a gradient that is cut off": (
        "act: sigmoid",
        in_model("torch.sigmoid(image)", "torch.sigmoid(image.detach()) + 0 * image"),
        "gradients",
        "the gradient to `input` is not the slope of the reference",
    ),
    "a parameter that is not trained": (
        "norm: batch",
        in_model("self.layer = nn.BatchNorm2d(4)", "self.layer = nn.BatchNorm2d(4).requires_grad_(False)"),
        "gradients",
        "`layer.weight` has no gradient",
    ),
    "a window that is off by a row": (
        "pool: max, kernel: 2",  # made linear, it is a mean
        in_model("F.avg_pool2d(image, 2)", "F.avg_pool2d(image.roll(-1, 2), 2)"),
        "receptive field",
        "output at (2, 2) sees 4 pixels in rows 5..6, columns 4..5, "
        "and the analysis says 4 pixels in rows 4..5, columns 4..5",
    ),
    "another distribution of the same variance": (
        "conv: 64, kernel: 3, init: he",
        in_model("kaiming_normal_", "kaiming_uniform_"),
        "initial weights",
        "`layer.weight` starts with 58.3% of its values within one standard deviation, not 68.3%",
    ),
    "another constant": (
        "conv: 64, kernel: 3, norm: batch, act: prelu",
        in_model("nn.PReLU(64)", "nn.PReLU(64, 0.2)"),
        "initial weights",
        "`layer_act.weight`[0] starts at 0.2, not 0.25",
    ),
    "a centre that is off by a tap": (
        "deconv: 64, kernel: [4, 5], stride: [2, 3], init: bilinear",
        in_model("factor - 0.5", "factor - 1.5"),
        "initial weights",
        "`layer.weight`[0, 0, 0, 2] starts at 0.75, not 0.25",
    ),
    "weights that a seed does not decide": (
        "linear: 64, init: he",
        in_model("nn.init.kaiming_normal_(", "torch.seed() and nn.init.kaiming_normal_("),
        "initial weights",
        "`layer.weight` starts differently from the same seed",
    ),
    "an order that the hash seed decides": (
        SMALL,
        'files["model.py"] += f"# {hash(request.model)}\\n"',
        "same bytes",
        "model.py differs between two processes",
    ),
    "an import of segcompile": (
        SMALL,
        'files["model.py"] += "\\n\\ndef late() -> None:\\n    import segcompile.ops\\n"',
        "standalone",
        "model.py:54 imports segcompile.ops",
    ),
    "an import of segcompile that no parser sees": (
        SMALL,
        'files["data.py"] = files.get("data.py", "") + "\\n\\n__import__(\\"segcompile\\")\\n"',
        "standalone",
        "batches.py: ModuleNotFoundError: No module named 'segcompile': segcompile is not installed here",
    ),
    "an import that nothing needs": (
        SMALL,
        'files["spare.py"] = "import shutil\\n"',
        "lint",
        "spare.py:1:8: F401 [*] `shutil` imported but unused",
    ),
}  # fmt: skip
SLOW = {
    "a file that cannot be imported": (
        SMALL,
        'files["data.py"] = files.get("data.py", "") + "\\n\\nraise ValueError(3)\\n"',
        "standalone",
        "batches.py: ValueError: 3",
    ),
    "a function without types": (
        SMALL,
        'files["spare.py"] = "def untyped(x):\\n    return x\\n"',
        "types",
        "spare.py:1: error: Function is missing a type annotation  [no-untyped-def]",
    ),
    "a loss that is raised": (
        SMALL,
        'files |= {"train.py": files["train.py"].replace("loss.backward()", "(-loss).backward()")} '
        'if "train.py" in files else {}',
        "training",
        "the loss was ",
    ),
    "a frozen layer that is trained": (
        SMALL,
        in_model("requires_grad_(False)", "requires_grad_(True)"),
        "training",
        "`upsample.weight` is frozen, and training changed it",
    ),
}


def check(monkeypatch: pytest.MonkeyPatch, site: Path, fault: tuple[str, str, str, str]) -> None:
    case, plant, named, told = fault
    found = faults(planted(monkeypatch, site, plant), case)
    assert [name for name, _ in found] == [named], found
    assert found[0][1].startswith(told)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_by_the_check_named_for_it(monkeypatch, tmp_path: Path, name: str) -> None:
    check(monkeypatch, tmp_path, FAULTS[name])


@pytest.mark.long
@pytest.mark.parametrize("name", SLOW)
def test_a_planted_fault_that_takes_long_to_find(monkeypatch, tmp_path: Path, name: str) -> None:
    check(monkeypatch, tmp_path, SLOW[name])


def test_a_backend_that_fails_where_it_should_refuse(monkeypatch, tmp_path: Path) -> None:
    changes = ", ops=TORCH.ops - {Softmax}, refuses=lambda op: op.oh if op.spelling == 'crop' else TORCH.refuses(op)"
    backend = planted(monkeypatch, tmp_path, "", changes)
    assert faults(backend, "softmax: channels") == []  # refused, as it should be
    assert faults(backend, "crop: b, from: a, offset: [2, 1]") == [
        (
            "refusal",
            "SC602 instead of SC604: backend `planted` failed: AttributeError: 'Crop' object has no attribute 'oh'",
        )
    ]


def test_every_check_finds_a_planted_fault() -> None:
    assert {check for _, _, check, _ in [*FAULTS.values(), *SLOW.values()]} | {"refusal"} == {c.name for c in CHECKS}
