"""`segcompile fix`: the computed numbers in the place of false claims, and no other character."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from segcompile import fix as fixing
from segcompile import library
from segcompile.cli import cli
from segcompile.cli.outcome import guarded
from segcompile.compiler import Compiled, compile_spec
from segcompile.language.rewrite import replaced
from segcompile.library import bundled
from segcompile.text.errors import Findings

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 64x48}\n"
LAYERS = "layers:\n  - a: {conv: 8, kernel: 3x5, stride: 2}\n  - up: {deconv: 4, kernel: 4, stride: 4}\n"


def run(*arguments: str) -> tuple[int, str]:
    """Exit status, and all that was said."""
    told: list[Any] = []

    def call() -> Any:
        result = CliRunner().invoke(cli, arguments, standalone_mode=False)
        told.append(result.output)
        if result.exception is not None:
            raise result.exception
        return result.return_value

    return guarded(call), told[0]


def write(folder: Path, text: str, name: str = "net.yaml") -> Path:
    (folder / name).write_bytes(text.encode())
    return folder / name


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mended(folder: Path, claims: str, layers: str = LAYERS, head: str = HEAD) -> str:
    """The section `claims` after a fix that leaves nothing."""
    path = write(folder, f"{head}{layers}claims: {claims}")
    status, said = run("fix", str(path))
    assert status == 0, said
    assert run("check", str(path))[0] == 0
    before, _, after = path.read_bytes().decode().partition("claims: ")
    assert before == f"{head}{layers}"
    return after


@pytest.mark.parametrize(
    ("claims", "after"),
    [
        ("{a: {receptive_field: [3, 3], stride: 1}}", "{a: {receptive_field: [3, 5], stride: 2}}"),
        ("{a: {receptive_field: 3}}", "{a: {receptive_field: [3, 5]}}"),
        ("{a: {receptive_field: 3 x3 , kernel: 5×5}}", "{a: {receptive_field: 3 x5 , kernel: 3×5}}"),
        ("{a: {dilation: 2x2}, up: {kernel: [ 3 , stride]}}", "{a: {dilation: 1x1}, up: {kernel: [ 4 , stride]}}"),
        ("{up: {stride: 1, margin: [1, 13/4]}}", "{up: {stride: 1/2, margin: [5/4, 9/4]}}"),
        ("{up: {stride: 0.25}}", "{up: {stride: 1/2}}"),
        ("{a: {size: input, channels: 2*4+1}}", "{a: {size: [31, 22], channels: 8}}"),
        ("{a: {size: {64x48: 31, 33: [16, 16]}}}", "{a: {size: {64x48: [31, 22], 33: [16, 15]}}}"),
        ("{a: {channels: '9', parameters: \"1\"}}", "{a: {channels: 8, parameters: 368}}"),
        ("{parameters: 1, weights: 2, macs: 3}", "{parameters: 884, weights: 872, macs: 594704}"),
        ("{count: {conv: 2, conv+deconv: 2}}", "{count: {conv: 1, conv+deconv: 2}}"),
        ("#\n  a:\n    size:\n    - 31 # y\n    - 31 # x\n", "#\n  a:\n    size:\n    - 31 # y\n    - 22 # x\n"),
        ("\n  output:   {channels:   5}   # out\n\n# end", "\n  output:   {channels:   4}   # out\n\n# end"),
        ("\r\n  a: {channels: 9, size: [31,  2]}\r\n\r\n", "\r\n  a: {channels: 8, size: [31,  22]}\r\n\r\n"),
    ],
)  # fmt: skip
def test_a_false_number_is_replaced_and_no_other_character(tmp_path: Path, claims: str, after: str) -> None:
    assert mended(tmp_path, claims) == after


def test_a_table_keeps_its_style_and_its_spaces(tmp_path: Path) -> None:
    rows = "  channels: [8, 4]\n  kernel: [3x5, 1x3]\n  receptive field: [ 3x3,    3]\n  size: [ 62 , 1]  # of maps\n"
    path = write(tmp_path, f"{HEAD}table:\n{rows}")
    assert run("fix", str(path))[0] == 0
    fixed = rows.replace("[ 3x3,    3]", "[ 3x5,    3x7]").replace("[ 62 , 1]", "[ 62x44 , 62x42]")
    assert path.read_text() == f"{HEAD}table:\n{fixed}"
    assert run("fix", str(path)) == (0, "nothing to fix\n")


def test_the_difference_is_printed_and_with_dry_run_nothing_is_written(tmp_path: Path) -> None:
    path = write(tmp_path, f"{HEAD}{LAYERS}claims: {{up: {{channels: 5}}}}")
    before, expected = path.read_bytes(), (
        f"--- {path}\n+++ {path}\n@@ -4,4 +4,4 @@\n"
        " layers:\n   - a: {conv: 8, kernel: 3x5, stride: 2}\n   - up: {deconv: 4, kernel: 4, stride: 4}\n"
        "-claims: {up: {channels: 5}}\n\\ No newline at end of file\n"
        "+claims: {up: {channels: 4}}\n\\ No newline at end of file\n"
    )  # fmt: skip
    assert run("fix", str(path), "--dry-run") == (0, expected)
    assert path.read_bytes() == before
    data = json.loads(run("fix", str(path), "--dry-run", "--format", "json")[1])
    assert data == {"spec": str(path), "diff": expected, "written": False, "diagnostics": []}
    assert run("fix", str(path)) == (0, expected)
    assert path.read_bytes() == before.replace(b"channels: 5", b"channels: 4")


def test_mode_and_byte_order_mark_stay_and_nothing_is_left_in_the_folder(tmp_path: Path) -> None:
    path = write(tmp_path, f"\ufeff{HEAD}{LAYERS}claims: {{a: {{channels: 9}}}}\n".replace("\n", "\r\n"))
    path.chmod(0o640)
    before = path.read_bytes()
    assert run("fix", str(path))[0] == 0
    assert path.read_bytes() == before.replace(b"channels: 9", b"channels: 8")
    assert path.stat().st_mode & 0o7777 == 0o640
    assert names(tmp_path) == ["net.yaml"]


# --- variants --------------------------------------------------------------------------------------------------------

VARIED = """\
segcompile: 1
model: net
variants: [small, large]
input: {channels: 3, size: 64}
layers: [c: {conv: {small: 4, large: 8}, kernel: 3}]
claims: {c: {channels: {small: 5, large: 8}, kernel: 1, parameters: 112}}
"""


def test_each_variant_is_looked_at_and_what_cannot_be_both_is_left(tmp_path: Path) -> None:
    path = write(tmp_path, VARIED)
    status, said = run("fix", str(path))
    assert status == 1
    assert path.read_text() == VARIED.replace("small: 5", "small: 4").replace("kernel: 1", "kernel: 3")
    assert said.partition("error")[2] == (
        "[SC405 count]: c claims parameters 112, computed 224\n"
        f"  --> {path}:6:69\n"
        " 6 | claims: {c: {channels: {small: 4, large: 8}, kernel: 3, parameters: 112}}\n"
        "   |                                                                     ^^^\n"
        "   = note: one text stands for several numbers: 112 (small), 224 (large)\n"
    )


def test_of_one_variant_only_its_own_claims_are_fixed_and_none_of_another_broken(tmp_path: Path) -> None:
    path = write(tmp_path, VARIED)
    assert run("fix", str(path), "--variant", "small")[0] == 0
    assert path.read_text() == VARIED.replace("small: 5", "small: 4").replace("kernel: 1", "kernel: 3")
    status, said = run("fix", str(path), "--variant", "large")
    assert (status, "nothing to fix" in said, "112 (small)" in said) == (1, True, True)
    assert "there is no variant `huge`" in run("fix", str(path), "--variant", "huge")[1]


# --- what is left ----------------------------------------------------------------------------------------------------


def test_claims_of_other_files_are_told_and_left(tmp_path: Path) -> None:
    base = write(tmp_path, f"{HEAD}{LAYERS}claims: {{a: {{channels: 9}}}}\n", "base.yaml")
    path = write(tmp_path, "segcompile: 1\nmodel: net\nbase: base.yaml\nclaims: {up: {channels: 9}}\n")
    before = base.read_bytes()
    status, said = run("fix", str(path))
    assert (status, base.read_bytes()) == (1, before)
    assert path.read_text().endswith("claims: {up: {channels: 4}}\n")
    assert said.partition("error")[2] == (
        "[SC403 shape]: a claims channels 9, computed 8\n"
        f"  --> {base}:7:24\n"
        " 5 |   - a: {conv: 8, kernel: 3x5, stride: 2}\n"
        "   |               - 8\n"
        " 7 | claims: {a: {channels: 9}}\n"
        "   |                        ^\n"
        f"  ::: {path}:3:7\n"
        " 3 | base: base.yaml\n"
        "   |       - in the base named here\n"
        f"   = note: `{base}` is another file, and stays as it is\n"
    )


def test_claims_of_a_used_spec_are_told_and_left(tmp_path: Path) -> None:
    used = write(tmp_path, f"{HEAD}{LAYERS}claims: {{a: {{channels: 9}}}}\n", "used.yaml")
    text = f"{HEAD}layers: [u: {{use: used.yaml}}]\nclaims: {{u: {{channels: 3}}}}\n"
    path, before = write(tmp_path, text), used.read_bytes()
    status, said = run("fix", str(path))
    assert (status, used.read_bytes()) == (1, before)
    assert path.read_text() == text.replace("u: {channels: 3}", "u: {channels: 4}")
    assert said.count("error[") == 1 and "a claims channels 9" in said


@pytest.mark.parametrize(
    ("claims", "size", "note"),
    [
        ("{g: {receptive_field: 3}}", "64", "behind a whole-image op"),
        ("{a: {size: 64}}", "any", "(H-2) x (W-2) is not written: it depends on the size of the input"),
        ("{a: {channels: 3 +\n  4}}", "64", "8 is not written: it is written over several lines"),
        ('{a: {channels: "3 +\n  4"}}', "64", "8 is not written: it is written over several lines"),
    ],
)
def test_what_cannot_be_written_is_told_and_left(tmp_path: Path, claims: str, size: str, note: str) -> None:
    head = f"segcompile: 1\nmodel: net\ninput: {{channels: 3, size: {size}}}\n"
    text = f"{head}layers: [a: {{conv: 8, kernel: 3}}, g: {{pool: global_avg}}]\nclaims: {claims}"
    path = write(tmp_path, text)
    status, said = run("fix", str(path))
    assert (status, path.read_text()) == (1, text)
    assert note in said and said.startswith("nothing to fix\n")


def test_a_cell_that_serves_every_column_is_left_unless_they_are_all_alike(tmp_path: Path) -> None:
    rows = "table:\n  channels: [8, 8]\n  kernel: [3, 3]\n  parameters: 224\n  size: 60\n  pad: [1, 1]\n"
    path = write(tmp_path, f"segcompile: 1\nmodel: net\ninput: {{channels: 3, size: 64}}\n{rows}")
    status, said = run("fix", str(path))
    assert status == 1 and path.read_text().endswith(rows.replace("60", "64"))
    assert "one text stands for several numbers: 224 (layer1), 584 (layer2)" in said


def test_another_mistake_stops_it(tmp_path: Path) -> None:
    text = f"{HEAD}{LAYERS}  - b: {{add: [a, up]}}\nclaims: {{a: {{channels: 9}}}}\n"
    path = write(tmp_path, text)
    status, said = run("fix", str(path))
    assert (status, path.read_text()) == (1, text)
    assert said.startswith("error[SC30")
    unread = write(tmp_path, f"{HEAD}{LAYERS}claims: {{a: {{channels: 9, size: x}}}}\n")
    assert run("fix", str(unread))[1].startswith("error[SC101")
    assert run("fix", str(tmp_path / "none.yaml"))[1].startswith("error[SC009")
    assert run("fix", str(tmp_path))[1].startswith("error[SC009")


# --- where nothing is written ----------------------------------------------------------------------------------------

FALSE = f"{HEAD}{LAYERS}claims: {{a: {{channels: 9}}}}\n"


def test_a_spec_that_comes_with_segcompile_is_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, FALSE)
    monkeypatch.setattr(library, "_COLLECTIONS", (tmp_path.resolve(), *library._COLLECTIONS[1:]))
    status, said = run("fix", "net")
    assert (status, path.read_text()) == (1, FALSE)
    assert said == (
        f"error[SC013 unwritable-place]: `{path.resolve()}` comes with segcompile and cannot be changed\n"
        "   = help: copy it: `segcompile show net > my_net.yaml`, and fix the copy\n"
    )


def test_a_link_is_not_replaced(tmp_path: Path) -> None:
    target, link = write(tmp_path, FALSE, "real.yaml"), tmp_path / "net.yaml"
    link.symlink_to(target)
    status, said = run("fix", str(link))
    assert (status, target.read_text(), link.is_symlink()) == (1, FALSE, True)
    assert "is a symbolic link and cannot be replaced" in said


def test_a_file_that_changed_meanwhile_is_not_written(tmp_path: Path) -> None:
    path = write(tmp_path, FALSE)
    found = fixing.fix(path)
    path.write_text(FALSE + "# mine\n")
    with pytest.raises(fixing.SegcompileError, match="changed meanwhile"):
        fixing.write(found)
    assert path.read_text() == FALSE + "# mine\n"
    assert names(tmp_path) == ["net.yaml"]


def test_a_file_that_changes_while_it_is_compiled_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, FALSE)
    monkeypatch.setattr(fixing, "_bytes", lambda path: (FALSE + "# mine\n").encode())
    with pytest.raises(fixing.SegcompileError, match="changed meanwhile"):
        fixing.fix(path)


# --- every claim of a published network ------------------------------------------------------------------------------


def compiled(path: Path) -> Compiled:
    return compile_spec(path, Findings())


@pytest.mark.parametrize("name", ["dilated8_voc", "fcn32s", "resnet50", "unet", "unet3d", "tcn", "vgg16"])
def test_claims_that_are_all_wrong_become_what_they_were(name: str, tmp_path: Path) -> None:
    text = bundled()[name].read_text()
    path = write(tmp_path, text)
    right = compiled(path)
    own = right.document.root.span.source
    places = {each.claim.span for each in right.verdicts if each.claim.span.source is own}
    wrong = replaced(text, [(span, "7") for span in places if span.text[0] != "["])
    path.write_text(wrong)
    assert not all(each.ok for each in compiled(path).verdicts)
    status, said = run("fix", str(path))
    assert status == 0, said
    assert all(each.ok for each in compiled(path).verdicts)
    found = [(each.claim.layer, each.what, each.computed) for each in right.verdicts]
    assert [(each.claim.layer, each.what, each.claimed) for each in compiled(path).verdicts] == found
    shown = {each.claim.span.line for each in right.verdicts}
    assert [line for n, line in enumerate(path.read_text().split("\n"), 1) if n not in shown] == [
        line for n, line in enumerate(text.split("\n"), 1) if n not in shown
    ]


def test_a_number_in_a_loop_is_left_unless_it_is_the_same_in_every_turn(tmp_path: Path) -> None:
    layers = 'layers: [{for: {i: 1..3}, layers: ["c{i}": {conv: 4i, kernel: 3}]}]\n'
    claims = 'claims: [{c3: {size: 9}}, {for: {i: 1..3}, claims: {"c{i}": {channels: 4, kernel: 5}}}]\n'
    path = write(tmp_path, f"segcompile: 1\nmodel: net\ninput: {{channels: 3, size: 64}}\n{layers}{claims}")
    status, said = run("fix", str(path))
    assert status == 1
    assert path.read_text().endswith(claims.replace("9", "58").replace("kernel: 5", "kernel: 3"))
    assert "one text stands for several numbers: 4 (c1), 8 (c2), 12 (c3)" in said
