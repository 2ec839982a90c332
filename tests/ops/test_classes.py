"""Who looks at the class of an op: those that are about that op, and nobody else. Read from the sources."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from segcompile.ops import ALL_OPS, Op

ROOT = Path(__file__).parents[2]
OPS = {op.__name__ for op in ALL_OPS} | {"Join"}

# A file outside `ops/` that is about one op, and why no other op could be meant.
ABOUT = {
    "checks/causes.py": {"Deconv": "its pad and output_pad trade", "Resize": "it alone stretches by a fraction"},
    "checks/claim_errors.py": {"Conv": "its dilation or kernel can be chosen so that a claimed field is true"},
    "checks/no_effect.py": {"Crop": "a crop that cuts nothing"},
    "checks/rounding.py": {"Resize": "it alone has a ratio of two sizes"},
    "emit/folding.py": {"BatchNorm": "its epsilon", "Deconv": "its weight has the outputs along the second axis"},
    "emit/reasons.py": {"Conv": "a padding that makes the image larger", "Crop": "its derived offset"},
    "passes/derive_crops.py": {"Crop": "the pass of crops"},
    "passes/lists.py": {"Token": "it alone makes a list of a map"},
    "passes/unpools.py": {"Pool": "what an unpool undoes", "Unpool": "the pass of unpools"},
    "passes/edits/atrous.py": {"Pool": "`remove_stride` takes pools out, and `round` is theirs"},
    "passes/edits/convolutionalize.py": {"Linear": "the edit of linear layers"},
    "diff/inference.py": {
        "AdaptivePool": "bins of whole ratios are windows",
        "Add": "its weights",
        "Attention": "its projections are convolutions",
        "BatchNorm": "momentum is of training",
        "Crop": "a reference whose size is a number is that",
        "GroupNorm": "of one channel a group it is an instance norm",
        "Join": "an aligned one is its crops and pads",
        "Mul": "it takes two at a time in files",
        "Pool": "by the padding that it reads",
        "Resize": "as Crop",
        "a ladder": "dropout does nothing in evaluation",
    },
    "importers/bench.py": {"Linear": "behind a global pool it is a convolution of one pixel"},
    "importers/resizing.py": {"Resize": "files resize one axis behind another"},
    "importers/tidied.py": {
        "Affine": "files write biases and scales as steps of their own",
        "Scale": "as Affine",
        "a ladder": "which layers carry norms and activations is a table of ops",
    },
    "importers/windows.py": {"Pad": "files pad before a window"},
    "importers/written_attention.py": {"Scale": "files scale the scores"},
    "importers/written_bins.py": {"AdaptivePool": "bins along one axis behind those along another"},
    "passes/lowerings/fold_batch_norm.py": {"BatchNorm": "the pass of batch norms"},
    "prove/evaluate.py": {
        "Activation": "a relu is a maximum with zero",
        "Attention": "its reduction is a convolution within",
        "Conv": "large kernels are drawn by rows",
        "Linear": "as Conv",
        "a ladder": "maxima are sets of what they read, whatever moves them",
    },
    "prove/pairing.py": {"BatchNorm": "what is folded into a layer", "Deconv": "the groups of its folded kernel"},
    "prove/terms.py": {"a ladder": "dropout does nothing in evaluation"},
    "prove/weights.py": {"Deconv": "a frozen bilinear kernel is constants"},
    "show/dims.py": {"Pool": "PyTorch cannot prove its guards of pools that round up"},
    "testing/checks/fields.py": {"Pool": "as in testing/networks.py"},
    "testing/checks/numbers.py": {"Unpool": "it asks where the maxima of its pool are, and those may be equal"},
    "testing/networks.py": {
        "Add": "its weights",
        "AdaptivePool": "means for maxima",
        "GlobalPool": "means for maxima",
        "PadChannels": "the channels that it adds",
        "PixelShuffle": "its channels",
        "Pool": "means for maxima",
        "Slice": "which channels it takes",
        "Token": "it alone makes a list of a map",
    },
    "weights/comparing.py": {"BatchNorm": "a file may fold it", "Deconv": "files reckon its cut with its output_pad"},
    "weights/folding.py": {"BatchNorm": "the norm that files fold"},
    "weights/images.py": {"BatchNorm": "the norm that an image's mean goes into"},
    "weights/ordering.py": {"Conv": "Keras has a depthwise one"},
    "weights/parameters.py": {"Conv": "an image of other channels widens it"},
    "weights/placing.py": {
        "Affine": "files have scales as maps of one pixel",
        "PRelu": "files have one slope for all channels",
        "Token": "files have it as the table of an embedding",
    },
}


def looks(path: str, text: str) -> Iterator[str]:
    """`path:line: class` for every look at an op's class; `path:line: a ladder` for one at several, or at a name that
    stands for some."""
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            value, kind = node.args
            named = {part.id for part in ast.walk(kind) if isinstance(part, ast.Name)}
            if isinstance(kind, ast.Name) and kind.id in OPS:
                yield f"{path}:{node.lineno}: {kind.id}"
            elif named & OPS or ast.unparse(value).rpartition(".")[2] == "op":
                yield f"{path}:{node.lineno}: a ladder"


def test_outside_ops_nobody_looks_at_the_class_of_an_op_but_who_is_about_that_op() -> None:
    house = ROOT / "segcompile"
    files = {path.relative_to(house).as_posix(): path.read_text() for path in sorted(house.rglob("*.py"))}
    found = [look for path, text in files.items() if not path.startswith("ops/") for look in looks(path, text)]
    assert len(files) > 100
    seen = {(path, kind) for path, _, kind in (look.split(":") for look in found)}
    assert seen == {(path, f" {kind}") for path, kinds in ABOUT.items() for kind in kinds}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("isinstance(node.op, Conv | Deconv)", "a ladder"),
        ("isinstance(op, (Conv, Pool))", "a ladder"),
        ("isinstance(node.op, _NOT_LINEAR)", "a ladder"),
        ("isinstance(main.op, Linear)", "Linear"),
    ],
)
def test_a_planted_look_at_a_class_is_found(text: str, told: str) -> None:
    assert list(looks("x.py", text)) == [f"x.py:1: {told}"]


@pytest.mark.parametrize("op", ALL_OPS, ids=lambda op: op.__name__)
def test_the_annotations_of_an_op_are_no_texts(op: type[Op]) -> None:
    # pydantic evaluates texts anew for each op, those of the classes above it too: 5 % of a check that has just started
    ours = (kind for kind in op.__mro__ if kind.__module__.startswith("segcompile"))
    texts = [name for kind in ours for name, said in inspect.get_annotations(kind).items() if isinstance(said, str)]
    assert texts == []
