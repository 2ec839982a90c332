"""`accept`: warnings that are meant, on the spec, a block, a layer or a call, and what is told of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from segcompile.build import build_each
from segcompile.cli import cli
from segcompile.text.acceptance import take_accepted
from segcompile.text.errors import Findings

HOLES = "conv: 4, kernel: 3, pad: same, dilation: 2"  # SC407
BARE = re.compile(r", accept: {SC407: so}|accept: {SC407: so}(, |\n)")


def warned(bench: Any, body: str, **options: object) -> list[str]:
    return [found.code.code for found in bench.findings(body, **options)]


def told(folder: Path, *arguments: str) -> list[str]:
    """What `check` prints of the spec net.yaml, but for the quoted lines."""
    output = CliRunner().invoke(cli, ["check", str(folder / "net.yaml"), *arguments]).output
    return [line.replace(f"{folder}/", "") for line in output.splitlines() if line[:2] in ("ok", "wa", "er", "  ")]


@pytest.mark.parametrize(
    "body",
    [
        f"accept: {{SC407: so}}\nlayers: [a: {{{HOLES}}}]",
        f"layers: [a: {{{HOLES}, accept: {{SC407: so}}}}]",
        f"layers: [{{{HOLES}, accept: {{SC407: so}}}}]",
        f"layers: [a: {{block: b, accept: {{SC407: so}}}}]\nblocks: {{b: {{layers: [c: {{{HOLES}}}]}}}}",
        f"layers: [{{block: b, accept: {{SC407: so}}}}]\nblocks: {{b: {{layers: [c: {{{HOLES}}}]}}}}",
        f"layers: [a: {{block: b}}]\nblocks: {{b: {{accept: {{SC407: so}}, layers: [c: {{{HOLES}}}]}}}}",
        f"layers: [a: {{block: b}}]\nblocks: {{b: {{layers: [c: {{{HOLES}, accept: {{SC407: so}}}}]}}}}",
        f'layers: [{{for: {{i: 1..2}}, layers: ["a{{i}}": {{{HOLES}, accept: {{SC407: so}}}}]}}]',
        f"layers: [a: [c: {{{HOLES}, accept: {{SC407: so}}}}]]",
        f"layers: [j: {{concat: [x: {{{HOLES}, accept: {{SC407: so}}}}, input]}}]",
        f'layers: ["a{{i}}": {{{HOLES}, repeat: 2, accept: {{SC407: so}}}}]',
    ],
)
def test_a_warning_is_accepted_wherever_what_has_it_stands(bench: Any, body: str) -> None:
    assert warned(bench, BARE.sub("", body)) == ["SC407"]
    assert warned(bench, body) == []
    (accepted,) = bench.compile(body).accepted
    assert (accepted.found.code.code, [one.reason for one in accepted.by]) == ("SC407", ["so"])


def test_another_layer_and_another_code_are_not_accepted(bench: Any) -> None:
    layers = f"layers: [a: {{{HOLES}, accept: {{%s: so}}}}, b: {{conv: 4, kernel: 1, dilation: 2}}]"
    assert warned(bench, layers % "SC407") == ["SC409"]
    assert warned(bench, layers % "SC409") == ["SC409", "SC407"]


def test_a_base_hands_on_what_it_accepts_but_not_through_a_transform(bench: Any) -> None:
    bench.write(f"accept: {{SC407: so}}\nlayers: [a: {{{HOLES}}}]", "top.yaml")
    bench.write(f"layers: [a: {{{HOLES}, accept: {{SC407: so}}}}]", "layer.yaml")
    for base in ("top", "layer"):
        head = f"segcompile: 1\nmodel: net\nbase: {base}.yaml\n"
        assert warned(bench, head) == []
        edited = head + "transform: [{append: [s: {conv: 2, kernel: 1}]}]\n"
        assert warned(bench, edited) == ["SC407"]
        assert warned(bench, edited + "accept: {SC407: so}\n") == []


def test_a_used_spec_accepts_for_itself(bench: Any) -> None:
    bench.write(f"accept: {{SC407: so}}\nlayers: [a: {{{HOLES}}}]", "part.yaml")
    assert warned(bench, "layers: [a: {use: part.yaml}]") == []
    assert warned(bench, "layers: [a: {use: part.yaml}, b: {conv: 4, kernel: 1, dilation: 2}]") == ["SC409"]


def test_what_needs_it_is_looked_for_in_every_variant(tmp_path: Path, bench: Any) -> None:
    text = """
    variants: [narrow, wide]
    accept: {SC407: "as published"}
    layers: [a: {conv: 4, kernel: 3, pad: same, dilation: {narrow: 1, wide: 2}}]
    """
    bench.write(text)
    assert told(tmp_path) == ["ok  net.yaml (narrow, wide): 1 + 1 layers, no claims, 1 warning accepted"]
    assert told(tmp_path, "--variant", "narrow") == ["ok  net.yaml: 1 layer, no claims"]


def test_what_nothing_needs_is_warned_of(tmp_path: Path, bench: Any) -> None:
    bench.write("params: {D: 1}\naccept: {SC407: so, SC608: so}\nlayers: [a: {conv: 4, kernel: 3, dilation: D}]")
    assert told(tmp_path)[0] == "warning[SC118 idle-acceptance]: there is no SC407 here to accept"
    assert len([line for line in told(tmp_path) if line.startswith("warning")]) == 1  # SC608 is a build's
    assert told(tmp_path, "--set", "D=2") == ["ok  net.yaml: 1 layer, no claims, 1 warning accepted"]
    assert told(tmp_path, "--set", "D=1") == ["ok  net.yaml: 1 layer, no claims"]  # of a spec that is not the file's
    bench.write("segcompile: 1\nmodel: net\nbase: base.yaml\n")
    bench.write("accept: {SC407: so}\nlayers: [a: {conv: 4, kernel: 3}]", "base.yaml")
    assert told(tmp_path) == ["ok  net.yaml: 1 layer, no claims"]  # the base's own


def test_json_has_what_was_accepted_and_why(tmp_path: Path, bench: Any) -> None:
    bench.write(f"accept: {{SC407: as published}}\nlayers: [a: {{{HOLES}}}]")
    output = CliRunner().invoke(cli, ["check", str(tmp_path / "net.yaml"), "--format", "json"]).output
    (report,) = json.loads(output)["specs"]
    assert report["diagnostics"] == []
    assert [(found["code"], found["reasons"]) for found in report["accepted"]] == [("SC407", ["as published"])]


def test_a_backends_warning_can_be_accepted(tmp_path: Path, bench: Any) -> None:
    text = "%slayers: [a: {conv: 1, kernel: 3, act: relu}]"
    for accept, expected in (("", ["SC611"]), ("accept: {SC611: at least 50 % is meant}\n", [])):
        (build,) = build_each(str(bench.write(text % accept)), ["torch"], out=str(tmp_path / "out"))
        assert [found.code.code for found in build.findings.diagnostics] == expected


def test_a_false_claim_is_no_warning_that_a_draft_could_accept(bench: Any) -> None:
    text = "accept: {SC401: so}\nlayers: [a: {conv: 4, kernel: 3}]\nclaims: {a: {receptive_field: 5}}"
    assert bench.errors(text) == ["SC011 SC401 (receptive-field) is an error, and only warnings are accepted"]


def test_nothing_is_taken_out_where_nothing_is_accepted() -> None:
    findings = Findings()
    findings.add("SC106", "nothing uses parameter `C`")
    assert take_accepted((), findings) == ()
    assert len(findings.diagnostics) == 1
