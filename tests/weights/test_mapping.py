"""Names or order: whichever places more is taken and said, a guess is called a guess, and --names settles it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from segcompile.text.errors import SourceText, Span
from segcompile.weights.naming import Rename, captured

from .conftest import drawn, save_torch

Run = Callable[..., tuple[int, str, str]]
Save = Mapping[str, Callable[..., None]]
CASES = Path(__file__).parents[1] / "data/cases"
FLAGS = ("--channels", "rgb", "-o", "out.safetensors")


def told(run: Run, file: Path | str, spec: Path | str, *flags: str) -> dict[str, Any]:
    """The report of an import, as data."""
    status, said, _ = run("import", file, "--spec", spec, *FLAGS, *flags, "--format", "json")
    assert status == 0, said
    report: dict[str, Any] = json.loads(said)
    return report


def places(report: Mapping[str, Any]) -> dict[str, str | None]:
    return {entry["name"]: entry["from"] for entry in report["parameters"]}


# --- which rule


def test_order_guess_two_branches_of_one_shape_are_called_a_guess(run: Run) -> None:
    case = CASES / "order_guess"
    status, said, _ = run("import", case / "a.pth", "--spec", case / "a.yaml", *FLAGS)
    assert (
        status == 0
        and (
            "\nplaced by order: 6 of 6 tensors; by name it would be 0\n"
            "a guess: 4 tensors could be swapped, and every shape would still fit; for example those of\n"
            "  `skip.weight` (W_g.weight) and `gate.weight` (W_x.weight)\n"
            "  --names FILE says which is which\n"
        )
        in said
    )
    report = told(run, case / "a.pth", case / "a.yaml")
    assert (report["placed_by"], report["by_other_rule"]) == ("order", 0)
    assert report["swappable"] == [
        [
            {"skip.weight": "W_g.weight", "skip.bias": "W_g.bias"},
            {"gate.weight": "W_x.weight", "gate.bias": "W_x.bias"},
        ]
    ]


def test_order_guess_is_settled_by_names(run: Run, tmp_path: Path) -> None:
    case = CASES / "order_guess"
    (tmp_path / "names.txt").write_text("W_x: skip\nW_g: gate\n")
    report = told(run, case / "a.pth", case / "a.yaml", "--names", "names.txt", "--strict")
    assert places(report) == {
        "skip.weight": "W_x.weight", "skip.bias": "W_x.bias", "gate.weight": "W_g.weight", "gate.bias": "W_g.bias",
        "psi2.weight": "psi.weight", "psi2.bias": "psi.bias",
    }  # fmt: skip
    assert (report["placed_by"], report["by_names_file"], report["swappable"]) == ("order", 4, [])


@pytest.mark.parametrize(("spec", "by_name"), [("conv1", 1), ("stem", 0)])
def test_one_name_that_fits_by_chance_does_not_keep_24_tensors_out(spec: str, by_name: int, run: Run) -> None:
    case = CASES / "one_name"
    report = told(run, case / "resnet.pth", case / f"{spec}.yaml", "--strict")
    assert (report["placed_by"], report["by_other_rule"]) == ("order", by_name)
    found = places(report)
    assert None not in found.values() and len(found) == 25
    assert found["l1_0.proj_norm.running_var"] == "layer1.0.downsample.1.running_var"
    assert next(iter(report["swappable"][0][0])) == "l1_0.c3.weight"


def test_of_two_rules_that_place_as_much_it_is_the_name(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    save["torch"](tmp_path / "a.pth", tensors)
    status, said, _ = run("import", "a.pth", "--spec", spec, *FLAGS)
    assert status == 0 and "\nplaced by name: 6 of 6 tensors; by order it would be 6\n" in said and "guess" not in said
    save["safetensors"](tmp_path / "a.safetensors", tensors)
    assert "\nplaced by name: 6 of 6 tensors\n" in run("import", "a.safetensors", "--spec", spec, *FLAGS)[1]


def test_not_in_the_file_is_said_only_of_what_is_not_there(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    values = list(tensors.values())
    values[3] = np.zeros(7, np.float32)
    save["torch"](tmp_path / "a.pth", {f"layer{i}": value for i, value in enumerate(values)})
    report = told(run, "a.pth", spec)
    assert {entry["name"]: entry["why"] for entry in report["parameters"] if entry["from"] is None} == {
        "c2.weight": "`layer2` is another layer", "c2.bias": "by order `layer3`: 7",
        "fc.weight": "behind `c2.weight`, where the order ends", "fc.bias": "behind `c2.weight`, where the order ends",
    }  # fmt: skip
    save["torch"](tmp_path / "a.pth", {f"layer{i}": value for i, value in enumerate(values[:2])})
    assert {entry.get("why") for entry in told(run, "a.pth", spec)["parameters"]} == {None, "the file ends before it"}


NET = """\
segcompile: 1
model: net
input: {channels: 3, size: 16}
defaults: {conv: {kernel: 3, pad: same, norm: batch, act: relu, bias: no}}
layers:
"""


def test_what_is_no_weight_is_skipped_in_order(run: Run, tmp_path: Path) -> None:
    """A normalisation of the image, thop's counters, a mask of one image: between layers, and none of them."""
    import torch
    from torch import nn

    (tmp_path / "net.yaml").write_text(f"{NET}  - a: {{conv: 4}}\n  - b: {{conv: 4}}\n")
    theirs = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, bias=False))
    state = {"mean": torch.zeros(1, 3, 1, 1), "norm.shift": torch.zeros(1, 3, 1, 1)}
    for index, (name, value) in enumerate({**theirs.state_dict(), **nn.BatchNorm2d(4).state_dict(prefix="3.")}.items()):
        state |= {f"net.{name}": value, f"{index}.total_ops": torch.zeros(1), f"mask{index}": torch.zeros(1, 1, 8, 8)}
    torch.save(state, tmp_path / "a.pth")
    report = told(run, "a.pth", "net.yaml")
    found = places(report)
    assert list(found.values())[:6] == [f"net.{name}" for name in (
        "0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var", "2.weight")]  # fmt: skip
    assert found["b_norm.running_var"] == "net.3.running_var"
    assert {"name": "norm.shift", "shape": [1, 3, 1, 1], "why": None} in report["no_place"]


@pytest.mark.parametrize("metric", [(1,), (4,), (7,)])
@pytest.mark.parametrize("at", ["first", "between", "last"])
def test_a_curve_of_losses_beside_the_layers_ends_no_order(
    at: str, metric: tuple[int, ...], run: Run, tmp_path: Path
) -> None:
    import torch
    from torch import nn

    (tmp_path / "net.yaml").write_text(f"{NET}  - a: {{conv: 4, norm: none}}\n  - b: {{conv: 4, norm: none}}\n")
    state = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Conv2d(4, 4, 3, bias=False)).state_dict()
    items = [(f"net.{name}", value) for name, value in state.items()]
    items.insert(("first", "between", "last").index(at), ("val_loss", torch.zeros(metric)))
    torch.save(dict(items), tmp_path / "a.pth")
    assert list(places(told(run, "a.pth", "net.yaml")).values()) == ["net.0.weight", "net.1.weight"]


@pytest.mark.parametrize("names", [
    "weight bias running_mean running_var", "bias running_mean running_var weight",
    "running_var running_mean bias weight", "beta gamma moving_mean moving_variance",
    "gamma beta moving_var moving_mean",
])  # fmt: skip
def test_a_layer_has_its_tensors_in_any_order_if_they_are_named(names: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(f"{NET}  - a: {{conv: 4, bias: yes}}\n")
    norm = {f"n.{name}": np.full(4, index, np.float32) for index, name in enumerate(names.split())}
    kernel = {"c.bias": np.ones(4, np.float32), "c.weight": np.ones((4, 3, 3, 3), np.float32)}
    save_torch(tmp_path / "a.pth", {**kernel, **norm})
    found = places(told(run, "a.pth", "net.yaml", "--strict"))
    words = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_var": "running_var"}
    roles = {name: words.get(name, name) for name in names.replace("variance", "var").split()}
    assert {place: str(name).replace("variance", "var") for place, name in found.items()} == {
        "a.weight": "c.weight", "a.bias": "c.bias", **{f"a_norm.{role}": f"n.{name}" for name, role in roles.items()},
    }  # fmt: skip


def test_tensors_of_which_only_some_are_named_keep_to_their_names(run: Run, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(f"{NET}  - a: {{conv: 4}}\n")
    names = ("s", "b", "running_var", "running_mean")
    held = {"c.weight": np.ones((4, 3, 3, 3), np.float32), **{f"n.{name}": np.ones(4, np.float32) for name in names}}
    save_torch(tmp_path / "a.pth", held)
    report = told(run, "a.pth", "net.yaml")
    why = {entry["name"]: entry["why"] for entry in report["parameters"] if entry["from"] is None}
    assert why["a_norm.running_mean"] == "by order `n.running_var`, which its name says it is not"
    assert places(report)["a.weight"] == "c.weight" and len(why) == 4


@pytest.mark.parametrize("loss", ["criterion.weight", "seg_loss.weight", "loss_fn.ce.weight", "losses.0.weight"])
def test_the_class_weights_of_a_loss_are_no_part_of_the_network(loss: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(f"{NET}  - a: {{conv: 4}}\n  - b: {{conv: 2, norm: none, bias: yes}}\n")
    norm = {f"net.1.{name}": np.ones(4, np.float32) for name in ("weight", "bias", "running_mean", "running_var")}
    kernels = {f"net.{i}.weight": np.ones((o, c, 3, 3), np.float32) for i, o, c in ((0, 4, 3), (2, 2, 4))}
    body = {"net.0.weight": kernels["net.0.weight"], **norm, "net.2.weight": kernels["net.2.weight"]}
    body |= {"net.2.bias": np.ones(2, np.float32)}
    weights = {loss: np.ones(2, np.float32)}
    for held in ({**weights, **body}, {**body, **weights}):
        save_torch(tmp_path / "a.pth", held)
        report = told(run, "a.pth", "net.yaml")
        assert list(places(report).values()) == list(body)
        assert [entry["name"] for entry in report["no_place"]] == [loss]


@pytest.mark.parametrize(("first", "second"), [("student.", "teacher."), ("", "copy."), ("m.net.", "old.net.")])
def test_a_file_that_holds_the_network_twice(first: str, second: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(f"{NET}  - a: {{conv: 4, norm: none}}\n  - b: {{conv: 2, norm: none}}\n")
    kernels = {"x.weight": np.ones((4, 3, 3, 3), np.float32), "y.weight": np.ones((2, 4, 3, 3), np.float32)}
    save_torch(
        tmp_path / "a.pth", {f"{start}{name}": each for start in (first, second) for name, each in kernels.items()}
    )
    mine, theirs = (text.replace("net.", "") for text in (first, second))
    line = f"a guess: the file holds this network twice, as `{mine}*` and as `{theirs}*`; took `{mine}*`"
    assert line in told(run, "a.pth", "net.yaml")["notes"]
    save_torch(tmp_path / "a.pth", {f"{first}{name}": each for name, each in kernels.items()})
    assert not any("twice" in note for note in told(run, "a.pth", "net.yaml")["notes"])


def test_all_convolutions_before_all_norms_go_in_by_the_order_of_each(run: Run, tmp_path: Path) -> None:
    import torch
    from torch import nn

    (tmp_path / "net.yaml").write_text(f"{NET}  - a: {{conv: 4}}\n  - b: {{conv: 6}}\n  - c: {{conv: 2, norm: none}}\n")
    convs = [nn.Conv2d(i, o, 3, bias=False) for i, o in ((3, 4), (4, 6), (6, 2))]
    theirs = nn.ModuleDict({"convs": nn.ModuleList(convs), "bns": nn.ModuleList(map(nn.BatchNorm2d, (4, 6)))})
    torch.save(theirs.state_dict(), tmp_path / "a.pth")
    report = told(run, "a.pth", "net.yaml", "--strict")
    assert places(report)["b_norm.running_mean"] == "bns.1.running_mean"
    assert report["placed_by"] == "order"
    torch.save({**theirs.state_dict(), **nn.BatchNorm2d(6).state_dict(prefix="more.")}, tmp_path / "a.pth")
    status, _, errors = run("import", "a.pth", "--spec", "net.yaml", *FLAGS)
    assert status == 1 and "SC802" in errors  # one norm too many: which one is not ours is not known


def test_in_a_file_that_has_the_order_of_the_run_only_branches_are_a_guess(
    save: Save, run: Run, tmp_path: Path
) -> None:
    chain = "".join(f"  - c{i}: {{conv: 3, norm: none, bias: yes}}\n" for i in range(3))
    (tmp_path / "chain.yaml").write_text(NET + chain)
    branches = "  - a: {conv: 3, norm: none, bias: yes}\n  - b: {conv: 3, norm: none, bias: yes, from: input}\n"
    end = "  - sum: {add: [a, b]}\n  - c: {conv: 3, norm: none, bias: yes}\n"
    (tmp_path / "branches.yaml").write_text(NET + branches + end)
    tensors = {f"x{i}.{part}": np.zeros(shape, np.float32) for i in range(3)
               for part, shape in (("weight", (3, 3, 3, 3)), ("bias", (3,)))}  # fmt: skip
    for form, file in (("caffe", "a.caffemodel"), ("torch", "a.pth")):
        save[form](tmp_path / file, tensors)
    counts = {
        (file, spec): [len(group) for group in told(run, file, spec)["swappable"]]
        for file in ("a.caffemodel", "a.pth") for spec in ("chain.yaml", "branches.yaml")
    }  # fmt: skip
    assert counts == {
        ("a.caffemodel", "chain.yaml"): [], ("a.caffemodel", "branches.yaml"): [2],
        ("a.pth", "chain.yaml"): [3], ("a.pth", "branches.yaml"): [3],
    }  # fmt: skip
    first = told(run, "a.pth", "branches.yaml")["swappable"][0][:2]
    assert [next(iter(layer)) for layer in first] == ["a.weight", "b.weight"]


def test_the_one_slope_of_a_prelu_is_that_of_every_channel(run: Run, tmp_path: Path) -> None:
    import torch
    from torch import nn

    (tmp_path / "net.yaml").write_text(
        f"{NET}  - a: {{conv: 4, norm: none, act: prelu}}\n  - b: {{conv: 2, norm: none}}\n"
    )
    theirs = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.PReLU(), nn.Conv2d(4, 2, 3, bias=False))
    torch.save(theirs.state_dict(), tmp_path / "a.pth")
    status, said, _ = run("import", "a.pth", "--spec", "net.yaml", *FLAGS, "--strict")
    assert status == 0 and "1.weight    one slope for all channels\n" in said
    assert np.array_equal(load_file(tmp_path / "out.safetensors")["a_act.weight"], np.full(4, 0.25, "f"))


@pytest.mark.parametrize(("shape", "taken"), [((3, 1, 1), True), ((1, 3, 1), False), ((3, 1, 3), False)])
def test_a_scale_a_channel_may_be_a_map_of_one_pixel(
    shape: tuple[int, ...], taken: bool, save: Save, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "net.yaml").write_text(f"{NET}  - a: {{affine: channels, bias: no}}\n")
    scale = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    save["torch"](tmp_path / "a.pth", {"a.weight": scale})
    status, *_ = run("import", "a.pth", "--spec", "net.yaml", *FLAGS, "--strict")
    assert status == (0 if taken else 1)
    if taken:
        assert np.array_equal(load_file(tmp_path / "out.safetensors")["a.weight"], scale.ravel())


@pytest.mark.parametrize(("size", "ones"), [("6", (1, 1)), ("[6]", (1,)), ("[6, 6, 6]", (1, 1, 1))])
@pytest.mark.parametrize(("one", "two", "rule"), [("mlp.fc1", "mlp.fc2", "name"), ("0", "2", "order")])
def test_a_matrix_of_a_linear_layer_is_the_kernel_of_one_pixel(
    size: str, ones: tuple[int, ...], one: str, two: str, rule: str, save: Save, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "net.yaml").write_text(
        f"segcompile: 1\nmodel: net\ninput: {{channels: 3, size: {size}}}\n"
        "layers:\n  - fc1: {conv: 12, kernel: 1, act: gelu}\n  - fc2: {conv: 3, kernel: 1}\n"
    )
    shapes = {f"{one}.weight": (12, 3), f"{one}.bias": (12,), f"{two}.weight": (3, 12), f"{two}.bias": (3,)}
    tensors = drawn(shapes)
    save["torch"](tmp_path / "a.pth", tensors)
    report = told(run, "a.pth", "net.yaml", "--strict")
    assert report["placed_by"] == rule
    assert [each["reshaped_from"] for each in report["parameters"]] == [[12, 3], None, [3, 12], None]
    found = load_file(tmp_path / "out.safetensors")
    assert found["fc1.weight"].shape == (12, 3, *ones)
    for ours, theirs in zip(("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"), tensors.values(), strict=True):
        assert np.array_equal(found[ours].reshape(theirs.shape), theirs)


@pytest.mark.parametrize(("shape", "taken"), [((2, 3), True), ((2, 3, 1, 1), True), ((2, 1, 3), False)])
def test_a_kernel_of_a_list_may_be_that_of_a_map(
    shape: tuple[int, ...], taken: bool, save: Save, run: Run, tmp_path: Path
) -> None:
    layers = "  - t: {token: 1}\n  - a: {conv: 2, kernel: 1, pad: 0, norm: none, act: none}\n"
    (tmp_path / "net.yaml").write_text(f"{NET}{layers}outputs: {{a: a}}\n")
    kernel = np.arange(6, dtype=np.float32).reshape(shape)
    save["torch"](tmp_path / "a.pth", {"t.weight": np.zeros((1, 1, 3), np.float32), "a.weight": kernel})
    status, *_ = run("import", "a.pth", "--spec", "net.yaml", *FLAGS, "--strict")
    assert status == (0 if taken else 1)
    if taken:
        assert np.array_equal(load_file(tmp_path / "out.safetensors")["a.weight"], kernel.reshape(2, 3, 1))


def test_learned_tokens_may_be_the_table_of_an_embedding(save: Save, run: Run, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(f"{NET}  - q: {{token: 2}}\noutputs: {{q: q}}\n")
    table = np.arange(6, dtype=np.float32).reshape(2, 3)
    save["torch"](tmp_path / "a.pth", {"q.weight": table})
    assert run("import", "a.pth", "--spec", "net.yaml", *FLAGS, "--strict")[0] == 0
    assert np.array_equal(load_file(tmp_path / "out.safetensors")["q.weight"], table[None])
    save["torch"](tmp_path / "a.pth", {"q.weight": table.T.copy()})
    assert run("import", "a.pth", "--spec", "net.yaml", *FLAGS, "--strict")[0] == 1


# --- --names


@pytest.mark.parametrize(("pattern", "text", "found"), [
    ("a.b", "a.b", []), ("a.b", "a.c", None), ("a.*", "a.b.c", ["b.c"]), ("*.c", "a.b.c", ["a.b"]),
    ("l*.*.conv*", "l1.0.conv2", ["1", "0", "2"]), ("l*.*.conv*", "l1.0.x.conv2", ["1", "0.x", "2"]),
    ("a*a", "a", None), ("a*a", "aa", [""]), ("*", "", [""]), ("**", "ab", ["", "ab"]), ("x*y*z", "xyz", ["", ""]),
    ("x*y*yz", "xyz", None),
])  # fmt: skip
def test_what_a_star_stands_for(pattern: str, text: str, found: list[str] | None) -> None:
    assert captured(pattern, text) == found


@pytest.mark.parametrize(("pattern", "place", "name", "renamed"), [
    ("l*.*.conv", "l{*+1}_*", "l0.9.conv.weight", "l1_9.weight"), ("l*", "l{*-2}", "l9.bias", "l7.bias"),
    ("l*", "l{*+1}", "l09.bias", "l10.bias"), ("l*", "l{*-1}", "l0.bias", "l-1.bias"),
    ("l*", "l{*+1}", "la.bias", None), ("l*", "l{*+1}", "l.bias", None), ("l*", "l{*+1}", "l²", None),
    ("l*", "l{*+1}", f"l{'9' * 5000}.bias", None),
    ("*.gamma", "u{*+1}.g.weight", "0.gamma", "u1.g.weight"), ("l*", "l{*}", "l1.bias", "l{1}.bias"),
])  # fmt: skip
def test_a_star_is_counted_on_from_if_it_stands_for_a_number(
    pattern: str, place: str, name: str, renamed: str | None
) -> None:
    assert Rename(pattern, place, Span(SourceText("names.txt", ()), 1, 1, 1)).renamed(name) == renamed


def test_names_place_what_neither_names_nor_order_do(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    renamed = {"enc.1.conv.weight": "c1.weight", "enc.1.conv.bias": "c1.bias", "enc.2.conv.weight": "c2.weight",
               "enc.2.conv.bias": "c2.bias", "head": "fc.weight", "shift": "fc.bias"}  # fmt: skip
    save["safetensors"](tmp_path / "a.safetensors", {theirs: tensors[mine] for theirs, mine in renamed.items()})
    lines = "# ours\nenc.*.conv: c*   # two of them\n\nhead: fc.weight\nshift:  fc.bias\n"
    (tmp_path / "names.txt").write_text(lines)
    status, said, _ = run("import", "a.safetensors", "--spec", spec, *FLAGS, "--names", "names.txt", "--strict")
    assert status == 0 and "\nplaced by name: 6 of 6 tensors, 6 of them by --names\n" in said
    found = load_file(tmp_path / "out.safetensors")
    assert all(np.array_equal(found[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize(("lines", "said"), [
    ("c1: c1\nc1.wait: c1\n", "`c1.wait` is no tensor of `a.pth`\n  --> names.txt:2:1\n"
                         " 2 | c1.wait: c1\n   | ^^^^^^^^^^^\n"
                         "   = help: did you mean `c1.weight`?\n"),
    ("c1: c9\n", "`c9.weight` is no tensor of the network\n  --> names.txt:1:1\n 1 | c1: c9\n   | ^^^^^^\n"
                 "   = help: did you mean `fc.weight`?\n"),
    ("c*: c*\n  c1: c2\n", "`c1.weight` has a place by another line\n  --> names.txt:2:3\n"
                           " 1 | c*: c*\n   | - this is the other\n 2 |   c1: c2\n   |   ^^^^^^\n"),
    ("c1: c1\nc2: c1\n", "`c1.weight` and `c2.weight` would both be `c1.weight`\n  --> names.txt:2:1\n"
                         " 1 | c1: c1\n   | - this is the other\n 2 | c2: c1\n   | ^^^^^^\n"),
    ("c*: c1\n", "`c1.weight` and `c2.weight` would both be `c1.weight`\n  --> names.txt:1:1\n"
                 " 1 | c*: c1\n   | ^^^^^^\n   = help: make the pattern narrower\n"),
    ("c1: c*\n", "`c*` has more `*` than `c1`, which fill them\n  --> names.txt:1:1\n"
                 " 1 | c1: c*\n   | ^^^^^^\n   = help: for example `backbone.*.conv: enc*`\n"),
    ("c1\n", "`c1` is no line `pattern: layer`\n  --> names.txt:1:1\n 1 | c1\n   | ^^\n"
             "   = help: for example `backbone.*.conv: enc*`\n"),
    ("# none\n", "`names.txt` names nothing\n   = help: lines `pattern: layer`, for example `backbone.*.conv: enc*`\n"),
    ("\udcff\n", "`names.txt` is no text in UTF-8\n"
                 "   = help: lines `pattern: layer`, for example `backbone.*.conv: enc*`\n"),
])  # fmt: skip
def test_lines_that_cannot_be_followed(
    lines: str, said: str, spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    save["torch"](tmp_path / "a.pth", tensors)
    (tmp_path / "names.txt").write_bytes(lines.encode("utf-8", "surrogateescape"))
    status, _, errors = run("import", "a.pth", "--spec", spec, *FLAGS, "--names", "names.txt")
    assert status == 1 and errors == f"error[SC807 names-file]: {said}"
    assert not (tmp_path / "out.safetensors").exists()


def test_no_file_of_names(spec: Path, run: Run, tmp_path: Path) -> None:
    status, _, errors = run("import", "a.pth", "--spec", spec, *FLAGS, "--names", "none.txt")
    said = "error[SC009 unreadable-file]: `none.txt` cannot be read: no such file or directory\n"
    assert (status, errors) == (1, said)
    os.mkfifo(tmp_path / "pipe")  # which would be waited for
    status, _, errors = run("import", "a.pth", "--spec", spec, *FLAGS, "--names", "pipe")
    assert (status, errors) == (1, "error[SC009 unreadable-file]: `pipe` is no file\n")


# --- --strict


def test_strict_writes_nothing_unless_all_of_both_is_there(
    spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    tensors["fc.weight"] = np.zeros((7, 1536), np.float32)
    save["torch"](tmp_path / "a.pth", tensors)
    status, _, errors = run("import", "a.pth", "--spec", spec, *FLAGS, "--strict")
    assert status == 1 and errors == (
        "error[SC808 incomplete-weights]: `a.pth` is not the whole network and nothing else: 1 of 6 tensors start "
        "fresh, and 1 of the file find no place\n"
        "   = note: `fc.weight` starts fresh: `fc.weight` is 7 x 1536\n"
        "   = note: `fc.weight`, 7 x 1536, finds no place\n"
    )
    assert not (tmp_path / "out.safetensors").exists()
    assert run("import", "a.pth", "--spec", spec, *FLAGS)[0] == 0
