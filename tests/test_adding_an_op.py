"""An op is added in eight files: in a copy of the repository, by the steps of CONTRIBUTING.md, and all that holds ops
holds it too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COPIED = ("segcompile", "backends", "docs", "specs", "tests", "pyproject.toml", "CONTRIBUTING.md", "README.md")

CLASS = '''
class ChannelPool(Op):
    """The mean or the maximum over the channels of each pixel, Woo et al. (2018), section 3."""

    spelling: ClassVar[str] = "channel_pool"
    main: ClassVar[str] = "by"
    summary: ClassVar[str] = "mean or maximum over the channels"
    pointwise: ClassVar[bool] = True
    spatial: ClassVar[bool] = True

    by: Annotated[Literal["mean", "max"], Reads.WORD]

    def output(self, shapes: Sequence[Shape]) -> Shape:
        return Shape(1, shapes[0].size)
'''
TORCH = """
def _channel_pool(op: ChannelPool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"torch.{'mean' if op.by == 'mean' else 'amax'}({inputs[0]}, 1, keepdim=True)", {"torch"})

"""
JAX = """
def _channel_pool(op: ChannelPool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"jnp.{op.by}({inputs[0]}, -1, keepdims=True)", {"jnp"})

"""
FORMULA = """
def channel_pool(op: ChannelPool, inputs: Sequence[Array], tensors: Tensors) -> Array:
    if op.by == "mean":
        return np.asarray(inputs[0].mean(1, keepdims=True))
    return np.take_along_axis(inputs[0], inputs[0].real.argmax(1, keepdims=True), 1)

"""
ROW = "| `channel_pool: mean` `channel_pool: max` | | the mean, or the maximum, over the channels of each pixel |\n"
STRATEGY = '    ChannelPool: st.builds(ChannelPool, by=st.sampled_from(["mean", "max"])),\n'


def before(line: str, *more: str) -> tuple[str, str]:
    """Some text more before a line that is there."""
    return line, "".join(more) + line


IMPORTED = ("    BatchNorm,\n", "    BatchNorm,\n    ChannelPool,\n")  # in a list of classes, one a line
RULE = before("    Scale: ", "    ChannelPool: Rule(_channel_pool),\n")
STEPS: dict[str, tuple[tuple[str, str], ...]] = {
    "segcompile/ops/pointwise.py": (before("\nclass Softmax(Op)", CLASS, "\n"),),
    "segcompile/ops/__init__.py": (
        ("    Activation,\n    Clip,\n", "    Activation,\n    ChannelPool,\n    Clip,\n"),
        ("    Softmax,\n    PositionSoftmax,\n)", "    Softmax,\n    PositionSoftmax,\n    ChannelPool,\n)"),
        ('"ChannelShuffle",', '"ChannelPool",\n    "ChannelShuffle",'),
    ),
    "backends/torch/segcompile_torch/values.py": (IMPORTED, RULE, before("\ndef _softmax(", TORCH)),
    "backends/jax/segcompile_jax/values.py": (IMPORTED, RULE, before("\ndef _softmax(", JAX)),
    "docs/language.md": (before("| `softmax: channels` |", ROW),),
    "segcompile/testing/strategies.py": (IMPORTED, before("    Softmax: ", STRATEGY)),
    "segcompile/testing/reference/values.py": (
        IMPORTED,
        before("\ndef softmax(", FORMULA),
        before("    Softmax: ", "    ChannelPool: channel_pool,\n"),
    ),
    "segcompile/testing/cases.py": (
        before('    "softmax: channels",\n', '    "channel_pool: mean",\n', '    "channel_pool: max",\n'),
    ),
}

SPEC = """
segcompile: 1
model: attention
input: {channels: 3, size: 16}
layers:
  - features: {conv: 8, kernel: 3, pad: same, act: relu}
  - mean:     {channel_pool: mean}
  - most:     {channel_pool: max, from: features}
  - where:    {concat: [mean, most]}
  - score:    {conv: 2, kernel: 7, pad: same}
claims: {where: {channels: 2, stride: 1, receptive_field: 3}, score: {receptive_field: 9}}
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with an op more."""
    folder = tmp_path_factory.mktemp("house")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
        else:
            shutil.copy(source, folder / name)
    for name, changes in STEPS.items():
        text = (folder / name).read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text, f"{name} has no {old!r} to change"
            text = text.replace(old, new, 1)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def run(copy: Path, *command: str) -> str:
    """What a module of Python prints, in the copy."""
    places = (copy, copy / "backends/torch", copy / "backends/jax")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places)), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_op_is_added_in_at_most_eight_files_which_are_clean(copy: Path) -> None:
    assert len(STEPS) <= 8
    sources = [name for name in STEPS if name.endswith(".py")]
    run(copy, "ruff", "check", "--no-cache", *sources)
    run(copy, "ruff", "format", "--no-cache", "--check", *sources)


@pytest.mark.long
def test_what_holds_every_op_holds_the_new_one(copy: Path) -> None:
    tests = ("tests/testing/test_cases.py", "tests/test_docs.py", "tests/ops/test_sweep.py", "tests/backends")
    run(copy, "pytest", "-p", "no:cacheprovider", *tests, "-k", "ChannelPool or channel_pool")


@pytest.mark.long
def test_a_spec_with_the_new_op_is_checked_built_and_verified(copy: Path) -> None:
    (copy / "attention.yaml").write_text(SPEC, encoding="utf-8")
    assert run(copy, "segcompile", "check", "attention.yaml") == "ok  attention.yaml: 5 layers, 4 claims hold\n"
    run(copy, "segcompile", "build", "attention.yaml", "--backend", "torch", "--backend", "jax", "--verify")
    code = {
        name: (copy / f"generated/attention/{name}/model.py").read_text(encoding="utf-8") for name in ("torch", "jax")
    }
    assert "torch.amax(features, 1, keepdim=True)" in code["torch"] and "\nimport torch\n" in code["torch"]
    assert "jnp.max(features, -1, keepdims=True)" in code["jax"] and "\nimport jax.numpy as jnp\n" in code["jax"]
