"""`segcompile rf --stream`: what a network keeps in rows, as people and programs read of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from segcompile.cli import cli

PAGE = (Path(__file__).parents[2] / "docs/streams.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"^```console\n\$ segcompile rf (.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def rf(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ("rf", *arguments), standalone_mode=False)
    assert result.return_value == 0, result.output
    return result.output


def data(*arguments: str) -> dict:
    return json.loads(rf(*arguments, "--stream", "--format", "json"))["asked"]["stream"]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_page_shows_what_is_printed(block: str) -> None:
    command, _, shown = block.partition("\n")
    assert rf(*command.split()) == shown


def test_buffers_do_not_grow_with_the_rows_of_the_image() -> None:
    few, many = (data("blue_marble", "--size", f"{rows}x4000")["stored"] for rows in (4000, 40000))
    assert many["runs"][0]["layers"] == few["runs"][0]["layers"] and many["bytes"] == few["bytes"]
    assert many["whole"] == many["macs"] > 9 * few["macs"]


def test_runs_as_data() -> None:
    told = data("aspp")
    assert told["cuts"] == [{"layer": "aspp.image.pool", "op": "global avg pool"}] and told["forbidden"] is None
    first, last = told["stored"]["runs"]
    assert first["gathers"] == ["aspp.image.pool"] and not last["gathers"]
    assert first["stores"] == ["aspp.b0", "aspp.b6", "aspp.b12", "aspp.b18"]
    assert told["stored"]["disk"] == 4 * 256 * 33 * 33 * 4  # four maps of 256 channels
    assert told["stored"]["macs"] == told["stored"]["whole"] <= told["again"]["macs"] and told["again"]["disk"] == 0


def test_the_layer_that_forbids_rows() -> None:
    assert data("segformer", "--variant", "b0")["forbidden"] == {
        "layer": "stage1_1.attn", "op": "attention", "reason": "relates all rows, and no sum over them tells it",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--block", "8"], "--block and --size are of --stream"),
        (["--stream", "--size", "512"], "`512` is no size of 2 axes, as 512x512"),
    ],
)
def test_flags_of_rows(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(cli, ("rf", "unet", *arguments))
    assert result.exit_code == 2 and told in result.output


def test_a_size_that_the_network_does_not_take() -> None:
    result = CliRunner().invoke(cli, ("rf", "nnunet2d", "--stream", "--size", "513x512"), standalone_mode=False)
    assert result.return_value == 1 and "513 is not a height this network takes" in result.output
