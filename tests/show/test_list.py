"""`segcompile list`: the table of the bundled networks, its filters, and the index that it is read from."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from segcompile import index
from segcompile.cli import cli
from segcompile.cli.outcome import guarded
from segcompile.library import bundled, bundled_networks
from segcompile.show.list import table


def listed(*arguments: str) -> str:
    return CliRunner().invoke(cli, ["list", *arguments], standalone_mode=False).output


def networks(*arguments: str) -> list[str]:
    """The first column of a table."""
    return [line.split()[0] for line in listed(*arguments).splitlines()[2:]]


# --- the index


@pytest.mark.long  # `make check` compares them, too
def test_the_index_is_what_the_specs_say(nets: SimpleNamespace) -> None:
    found = [index.entry(name, variant, nets.compiled(path.name, variant)) for name, path, variant in index.networks()]
    assert bundled_networks() == found, "`make generated` brings the index up to date"
    lines = (nets.root / "specs/index.json").read_text(encoding="utf-8").splitlines()
    assert lines == ["[", *(json.dumps(each, ensure_ascii=False) + "," for each in found[:-1]), lines[-2], "]"]


def test_a_stale_index_is_told_and_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "unet.yaml"
    spec.write_text(bundled()["unet"].read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(index, "bundled", lambda: {"unet": spec})
    place = tmp_path / "index.json"
    assert index.main(["--check"]) == 3 and not place.exists()
    assert capsys.readouterr().err == f"{place} is not what the specs say: `make generated` brings it up to date\n"
    assert (index.main([]), index.main(["--check"])) == (0, 0)
    assert capsys.readouterr().out == f"wrote {place}\n{place}: up to date\n"
    assert json.loads(place.read_text(encoding="utf-8")) == [
        each for each in bundled_networks() if each["spec"] == "unet"
    ]
    spec.write_text(spec.read_text(encoding="utf-8").replace("about: ", "about: The "), encoding="utf-8")
    assert index.main(["--check"]) == 3


@pytest.mark.parametrize(
    ("cite", "year"),
    [
        ({"arxiv": "1511.07122"}, 2015),
        ({"arxiv": "0904.1234v2"}, 2009),
        ({"arxiv": "hep-th/9711200"}, None),
        ({"doi": "10.1007/978-3-319-24574-4_28"}, None),
        ({}, None),
    ],
)
def test_a_year_is_read_from_the_arxiv_number_or_not_at_all(cite: dict[str, str], year: int | None) -> None:
    assert index.year(cite) == year


# --- the table


def test_volumes_and_signals_are_listed_as_a_whole_table() -> None:
    assert listed("--rank", "3") == (
        "network       year  paper             rank  parameters     MACs  receptive field  stride         size\n"
        "────────────  ────  ────────────────  ────  ──────────  ───────  ───────────────  ──────  ───────────\n"
        "nnunet3d      2019  arXiv 1904.08128     3  31,197,204  477.5 G     whole volume       1          128\n"
        "unet3d        2016  arXiv 1606.06650     3  19,072,291  266.7 G              100       1  116x132x132\n"
        "vnet@paper    2016  arXiv 1606.04797     3  65,175,314  502.1 G              548       1   128x128x64\n"
        "vnet@release  2016  arXiv 1606.04797     3  61,982,682  384.6 G              492       1   128x128x64\n"
    )
    assert listed("--rank", "1") == (
        "network  year  paper             rank  parameters     MACs  receptive field  stride   size\n"
        "───────  ────  ────────────────  ────  ──────────  ───────  ───────────────  ──────  ─────\n"
        "tcn      2018  arXiv 1803.01271     1      66,510  270.6 M             3061       1   4096\n"
        "wavenet  2016  arXiv 1609.03499     1   1,072,704   16.9 G             3071       1  16000\n"
    )


def test_variants_have_a_row_each_and_what_is_not_known_is_left_out() -> None:
    assert listed("--about", "context", "--max-parameters", "29k") == (
        "network                year  paper             rank  parameters     MACs  receptive field  stride  size\n"
        "─────────────────────  ────  ────────────────  ────  ──────────  ───────  ───────────────  ──────  ────\n"
        "blue_marble                                       2      17,395   39.7 M              138       1    96\n"
        "dilated_basic          2015  arXiv 1511.07122     2      28,392  115.6 M               67       1    64\n"
        "dilated_basic_kitti    2015  arXiv 1511.07122     2       6,732   27.3 M               35       1    64\n"
        "dilated_context@basic  2015  arXiv 1511.07122     2      28,392  115.6 M               67       1    64\n"
    )
    assert listed("--about", "caffenet", "--max-parameters", "100M").splitlines()[2:] == [
        "alexnet            github.com/BVLC/caffe     2  60,965,224  724.4 M      whole image           227",
        "fcn_alexnet  2014  arXiv 1411.4038           2  58,704,590   21.4 G              387       1   500",
    ]


SYMBOLIC = """\
segcompile: 1
model: net
cite: {doi: 10.1000/1}
input: {channels: 3, size: [any, 64]}
layers:
  - c: {conv: 8, kernel: 3, stride: 2}
"""


def test_a_symbolic_size_is_any(tmp_path: Path, nets: SimpleNamespace) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(SYMBOLIC, encoding="utf-8")
    assert table([index.entry("net", None, nets.compiled(spec))]) == (
        "network  year  paper          rank  parameters  MACs  receptive field  stride      size\n"
        "───────  ────  ─────────────  ────  ──────────  ────  ───────────────  ──────  ────────\n"
        "net            doi 10.1000/1     2         224   any                3       2  any x 64"
    )


def test_without_filters_backends_and_ops_are_listed_too() -> None:
    text = listed()
    assert text.startswith(table(bundled_networks()) + "\n\nbackends\n") and "\n\nops\n  conv " in text


# --- filters


def test_about_asks_for_every_word_in_any_case() -> None:
    assert networks("--about", "driving") == [
        "bisenet", "denseaspp121", "dilated10_cityscapes", "dilated7_kitti", "dilated8_camvid",
        "dilated_basic_cityscapes", "dilated_basic_kitti", "enet", "erfnet", "fcdensenet103", "hdc_duc", "hrnet",
        "hrnet_w18", "icnet", "segnet",
    ]  # fmt: skip
    assert networks("--about", "KITTI Driving context") == ["dilated7_kitti", "dilated_basic_kitti"]
    assert networks("--about", "1606.06650") == ["unet3d"]


@pytest.mark.parametrize("most", ["19072291", "19.072291M", "0.02G", "19073k"])
def test_a_number_of_parameters_may_have_a_unit(most: str) -> None:
    assert networks("--rank", "3", "--max-parameters", most) == ["unet3d"]
    assert listed("--rank", "3", "--max-parameters", "19072290") == "no bundled spec is such a network\n"


@pytest.mark.parametrize("most", ["5m", "5 M", "-1", "1e6", "6,803,139", "lots", ""])
def test_what_is_no_number_of_parameters_is_refused(most: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: cli.main(["list", "--max-parameters", most], standalone_mode=False)) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"Error: Invalid value for --max-parameters: `{most}` is not a number like 5M, 500k, 1.2G or 5000000"
    )


def test_json_tells_the_networks_that_are_asked_for() -> None:
    data = json.loads(listed("--about", "u2net", "--max-parameters", "5M", "--format", "json"))
    assert data["specs"] == ["u2net"] and {*data} == {"specs", "networks", "backends", "ops"}
    assert data["networks"] == [each for each in bundled_networks() if each["variant"] == "small"]
