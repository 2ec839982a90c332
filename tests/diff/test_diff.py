"""`segcompile diff`: its verdicts, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from segcompile.cli import cli

ROOT = Path(__file__).parents[2]
CONTEXT = (ROOT / "specs/dilated_context.yaml").read_text(encoding="utf-8")
TWO = """segcompile: 1
model: two
input: {channels: 3, size: SIZE}
layers:
  - a: {conv: 4, kernel: 3, pad: 1, act: relu}
  - b: {conv: 2, kernel: 3, stride: 2, pad: 1}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def diff(*specs: str) -> tuple[int, str]:
    """Exit status and output."""
    result = CliRunner().invoke(cli, ["diff", *specs], standalone_mode=False)
    assert result.exception is None
    return result.return_value, result.output


def two(name: str, size: str = "32", **changes: str) -> str:
    """A file with TWO, some of its text changed."""
    text = TWO.replace("SIZE", size)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_basic_and_large_see_the_same_and_have_other_parameters() -> None:
    assert diff("dilated_basic", "dilated_large") == (1, """\
different: parameters 28,392 -> 6,803,139

                 dilated_basic  dilated_large
───────────────  ─────────────  ─────────────
input            21 x 64 x 64   21 x 64 x 64   =
output           21 x 64 x 64   21 x 64 x 64   =
receptive field  67             67             =
stride           1              1              =
parameters       28,392         6,803,139      ≠

dilated_basic  dilated_large  differs
─────────────  ─────────────  ───────
layer1         layer1         channels 21 -> 42
layer2         layer2         channels 21 -> 42
layer3         layer3         channels 21 -> 84
layer4         layer4         channels 21 -> 168
layer5         layer5         channels 21 -> 336
layer6         layer6         channels 21 -> 672
layer7         layer7         channels 21 -> 672
""")  # fmt: skip


def padded_twice(size: str) -> tuple[str, str]:
    """The large context network padded in each layer, and padded once, for images of a size."""
    for name in ("dilated_large", "dilated_large_padded_once"):
        Path(f"{name}.yaml").write_text(
            f"segcompile: 1\nmodel: net\nbase: {ROOT}/specs/{name}.yaml\ninput: {{size: {size}}}\n", encoding="utf-8"
        )
    return "dilated_large.yaml", "dilated_large_padded_once.yaml"


def test_the_two_paddings_of_the_context_network_differ_at_the_border() -> None:
    assert diff(*padded_twice("200")) == (1, """\
border: equal but for padding
output: the first 32 and the last 32 of 200 rows and columns can differ; 136 x 136 pixels agree

dilated_large.yaml  dilated_large_padded_once.yaml  differs
──────────────────  ──────────────────────────────  ───────
layer1              layer1                          pad 1 -> 33
layer2              layer2                          pad 1 -> 0
layer3              layer3                          pad 2 -> 0
layer4              layer4                          pad 4 -> 0
layer5              layer5                          pad 8 -> 0
layer6              layer6                          pad 16 -> 0
layer7              layer7                          pad 1 -> 0
""")  # fmt: skip


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ("64", "the first 32 and the last 32 of 64 rows and columns can differ; at this size that is all"),
        ("[64, 90]", "the first 32 and the last 32 of 64 rows, the first 32 and the last 32 of 90 columns can differ; "
                     "at this size that is all"),
        ("any", "the first 32 and the last 32 rows and columns can differ"),
    ],
)  # fmt: skip
def test_the_border_of_images_of_other_sizes(size: str, told: str) -> None:
    assert diff(*padded_twice(size))[1].splitlines()[:2] == ["border: equal but for padding", f"output: {told}"]


def test_strides_decide_how_many_rows_differ_of_an_image_of_any_size() -> None:
    a, b = two("a.yaml", "any"), two("b.yaml", "any", **{"stride: 2, pad: 1": "stride: 2, pad: 1, mode: edge"})
    assert diff(a, b)[1].splitlines()[1] == "output: the first 1 and the last 0 or 1 rows and columns can differ"


def test_zeros_that_stand_elsewhere_change_no_number() -> None:
    b = two("b.yaml", **{"kernel: 3, pad: 1, act": "kernel: 3, act", "  - a:": "  - zeros: {pad: 1}\n  - a:"})
    assert diff(two("a.yaml"), b) == (1, """\
border: equal but for padding
output: no pixel can differ

a.yaml  b.yaml  differs
──────  ──────  ───────
        zeros   pad
a       a       pad 1 -> 0, from input -> zeros
""")  # fmt: skip


def test_a_spec_and_itself_written_otherwise() -> None:
    assert diff("unet", "unet") == (0, "equal: one graph\n")
    same = two("b.yaml", **{"kernel: 3, pad: 1, act": "kernel: 3x3, mode: zero, pad: same, groups: 1, act"})
    assert diff(two("a.yaml"), same) == (0, "equal: one graph\n")


def test_a_derived_spec_and_its_written_out_form() -> None:
    assert diff("dilated_large", "dilated_context@large") == (0, "equal: one graph\n")
    derived = "segcompile: 1\nmodel: derived\nbase: a.yaml\ntransform: [set: {b: {stride: 1}}, remove: [a]]\n"
    Path("derived.yaml").write_text(derived)
    written = two("b.yaml", **{"stride: 2, ": "", "  - a: {conv: 4, kernel: 3, pad: 1, act: relu}\n": ""})
    assert two("a.yaml") and diff("derived.yaml", written) == (0, "equal: one graph\n")


def test_a_renamed_copy() -> None:
    b = two("b.yaml", **{"- a:": "- conv1:", "- b:": "- score:"})
    assert diff(two("a.yaml"), b) == (0, """\
renamed: one graph, under other names

a.yaml  b.yaml
──────  ──────
a       conv1
b       score
""")  # fmt: skip


def test_weights_that_are_shared_are_no_copy_of_two_that_are_alike() -> None:
    """The same tree of ops read from the output backwards; one has a convolution less."""
    head = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 9}\nlayers:\n"
    conv = "{conv: 3, kernel: 1, from: input}"
    Path("one.yaml").write_text(f"{head}  - a: {conv}\n  - s: {{add: [a, a]}}\n")
    Path("two.yaml").write_text(f"{head}  - a: {conv}\n  - b: {conv}\n  - s: {{add: [a, b]}}\n")
    status, told = diff("one.yaml", "two.yaml")
    assert (status, told.splitlines()[0]) == (1, "different: parameters 12 -> 24")
    assert diff("two.yaml", "one.yaml")[0] == 1


def test_what_differs_first_is_told_first() -> None:
    b = two("b.yaml", **{"stride: 2, pad: 1": "stride: 1, dilation: 2, init: zeros", "relu": "elu"})
    assert diff(two("a.yaml"), b) == (1, """\
different: output 2 x 16 x 16 -> 2 x 28 x 28

                 a.yaml       b.yaml
───────────────  ───────────  ───────────
input            3 x 32 x 32  3 x 32 x 32  =
output           2 x 16 x 16  2 x 28 x 28  ≠
receptive field  5            7            ≠
stride           2            1            ≠
parameters       186          186          =

a.yaml  b.yaml  differs
──────  ──────  ───────
a       a       act relu -> elu
b       b       stride 2 -> 1, dilation 1 -> 2, pad 1 -> 0, init he -> zeros
""")  # fmt: skip


def test_where_only_layers_differ_these_are_told() -> None:
    status, told = diff(two("a.yaml"), two("b.yaml", relu="{leaky_relu: {slope: 0.1}}"))
    assert (status, told.splitlines()[0]) == (1, "different: the layers")
    assert told.splitlines()[-1] == "a       a       act relu -> leaky_relu"


def test_fields_of_one_extent_that_start_elsewhere() -> None:
    b = two("b.yaml", **{"kernel: 3, pad: 1, act": "kernel: 3, pad: [0, 2, 1, 1], act"})
    assert diff(two("a.yaml"), b)[1].splitlines()[0] == "different: receptive field 5 from -2 -> 5 from -1,-2"


def test_json_has_all_of_it() -> None:
    a, b = two("a.yaml"), two("b.yaml", **{"kernel: 3, pad: 1, act": "kernel: 3, pad: 1, mode: edge, act"})
    status, told = diff(a, b, "--format", "json")
    assert (status, json.loads(told)) == (1, {
        "a": {"spec": "a.yaml", "model": "two"},
        "b": {"spec": "b.yaml", "model": "two"},
        "verdict": "border",
        "at_inference": False,
        "first": None,
        "facts": [
            {"what": "input", "a": "3 x 32 x 32", "b": "3 x 32 x 32", "same": True},
            {"what": "output", "a": "2 x 16 x 16", "b": "2 x 16 x 16", "same": True},
            {"what": "receptive field", "a": "5", "b": "5", "same": True},
            {"what": "stride", "a": "2", "b": "2", "same": True},
            {"what": "parameters", "a": 186, "b": 186, "same": True},
        ],
        "renamed": [],
        "layers": [
            {"a": "a", "b": "a", "op": "conv + relu", "changes": [{"what": "mode", "a": "zero", "b": "edge"}]},
        ],
        "borders": {
            "output": {
                "height": {"before": [1], "after": [1], "proven": True},
                "width": {"before": [1], "after": [1], "proven": True},
            },
        },
        "diagnostics": [],
    })  # fmt: skip


def test_what_cannot_be_compiled_is_told_of_both() -> None:
    Path("empty.yaml").write_text("")
    assert diff("dilated_context", "nope") == (1, """\
error[SC110 variant-choice]: `dilated_context` has variants, and none is chosen
   = help: dilated_context@basic or dilated_context@large

error[SC009 unreadable-file]: there is no file and no bundled spec `nope`
   = help: `segcompile list` shows the bundled specs
""")  # fmt: skip
    assert diff("@large", "dilated_large") == (1, """\
error[SC009 unreadable-file]: there is no spec before the `@` of `@large`
   = help: SPEC or SPEC@VARIANT, for example dilated_context@large
""")  # fmt: skip
    status, told = diff("unet", "empty.yaml", "--format", "json")
    found = json.loads(told)
    assert (status, found["verdict"], [entry["code"] for entry in found["diagnostics"]]) == (1, None, ["SC012"])


def test_a_false_claim_is_no_difference() -> None:
    Path("wrong.yaml").write_text(CONTEXT.replace("33x33", "35x35"), encoding="utf-8")
    assert diff("wrong.yaml@large", "dilated_large") == (0, "equal: one graph\n")


def test_fields_of_one_extent_and_start_say_where_they_part() -> None:
    assert diff("fcn8s", "fcn16s")[1].splitlines()[0] == (
        "different: receptive field 468 (row 1 sees -221 to 246) -> 468 (row 1 sees -221 to 214)"
    )


def test_another_sharing_of_weights_is_a_difference() -> None:
    own = two(
        "own.yaml", **{"conv: 2": "conv: 4", "stride: 2, ": "", "b: {": "b: {from: a, ", "{channels: 3": "{channels: 4"}
    )
    shared = Path("shared.yaml")
    shared.write_text(Path(own).read_text().replace("from: a", "share: a"))
    status, told = diff(own, "shared.yaml")
    assert status == 1
    assert told.splitlines()[-1].split() == ["b", "b", "share", "none", "->", "a"]
    shared.write_text(shared.read_text().replace("a:", "first:").replace("share: a", "share: first"))
    status, told = diff("shared.yaml", own)
    assert status == 1 and told.splitlines()[-1].endswith("share first -> none")
