"""The table of the field's other words names only what the language has, and its rows can be reached.

What is said of them in every place stands in tests/data/invalid, under `..._of_other_tools`.
"""

from __future__ import annotations

import re
from typing import get_args

import pytest
from ruamel.yaml import YAML

from segcompile.language.attributes import CALLS, COMMON
from segcompile.language.claims import OF_LAYERS
from segcompile.language.schema import Data, Edit, Spec, Training
from segcompile.language.table import _ATTRIBUTES, CLAIM_ROWS, PAPER_NAMES
from segcompile.language.words import Meant, called, plain, table
from segcompile.ops import ALL_OPS, BY_KIND, SPELLINGS
from segcompile.text.errors import SourceText, Span
from segcompile.text.source import Mapping, Node, Scalar, Sequence

FIELDS = {name for op in ALL_OPS for name in (*op.model_fields, *op.also_reads)}
KNOWN = {
    "op": {*SPELLINGS, *CALLS},
    "value": {"channels"},
    "layer": {"input"},
    "resize": {"..."},
    "attribute": {*FIELDS, *COMMON, *SPELLINGS},
    "pad": {"same", "0"},
    "norm": {*BY_KIND["norm"], "none"},
    "act": {*BY_KIND["act"], "none"},
    "pool": {*BY_KIND["pool"]},
    "drop": {"none"},
    "mode": {"zero", "reflect", "edge", "circular", "nearest", "bilinear", "nearest_exact", "cubic"},
    "round": {"floor", "ceil"},
    "align": {"none", "center_crop", "pad"},
    "init": {"identity", "bilinear", "zeros", "normal", "he", "xavier"},
    "spec": {*Spec.model_fields},
    "input": {"channels", "size"},
    "data": {*Data.model_fields},
    "training": {*Training.model_fields, "weight", "class_weights", "at", "ignore"},
    "loss": {"cross_entropy", "dice"},
    "class_weights": {"balanced"},
    "optimizer": {"sgd", "adamw"},
    "schedule": {"fixed", "step", "poly"},
    "reduction": {"mean", "sum"},
    "edit": {*get_args(Edit)},
    "claim": {*OF_LAYERS},
    "row": {name.replace("_", " ") for name in {*PAPER_NAMES, *_ATTRIBUTES, *CLAIM_ROWS}},
}
ROWS = [(section, word, row) for section, words in table().items() for word, rows in words.items() for row in rows]
AT = Span(SourceText("net.yaml", ("",)), 1, 1, 1)


def scalar(text: str) -> Scalar:
    return Scalar(text, AT)


def test_the_table_has_the_sections_that_places_ask_for() -> None:
    assert {*table()} == {*KNOWN}


@pytest.mark.parametrize("section", KNOWN)
def test_every_row_names_what_the_language_has_or_says_why_there_is_nothing(section: str) -> None:
    rows = [row for own, _, row in ROWS if own == section]
    assert rows
    for row in rows:
        named = {plain(row.target)} <= {*map(plain, KNOWN[section])}
        assert named or row.ours.startswith("<value>") or (row.ours == "-" and row.why), row


@pytest.mark.parametrize("section", KNOWN)
def test_every_word_is_written_as_words_are_compared(section: str) -> None:
    assert [word for word in table()[section] if plain(word) != word] == []


@pytest.mark.parametrize("section", sorted({*KNOWN} - {"attribute", "training", "mode"}))  # these know fewer at a place
def test_no_row_is_of_a_word_that_the_language_has(section: str) -> None:
    assert {*table()[section]} & {*map(plain, KNOWN[section])} == set()


def test_what_the_help_says_to_write_can_be_read() -> None:
    """A mapping or a word, as YAML reads it, with the user's value in it."""
    for section, word, row in ROWS:
        said = called(section, word, KNOWN[section] - {word}, scalar("3"), "conv")
        assert said is not None
        for quoted in re.findall(r"^write `([^`]*)`", said):
            assert YAML(typ="safe", pure=True).load(f"{{{quoted.replace('...', 'x')}}}"), row


@pytest.mark.parametrize(
    ("section", "word", "value", "said"),
    [
        ("attribute", "activation", scalar("ReLU"), "write `act: relu`"),
        ("attribute", "activation", scalar("leakyReLU"), "write `act: leaky_relu`"),
        ("attribute", "act_cfg", Mapping({"type": (scalar("type"), scalar("GELU"))}, AT), "write `act: gelu`"),
        ("attribute", "padding", scalar("SAME"), "write `pad: same`"),
        ("attribute", "padding", scalar("VALID"), "write `pad: 0`"),
        ("attribute", "padding", Sequence((scalar("1"), scalar("2")), AT), "write `pad: [1, 2]`"),
        ("attribute", "batch_norm", scalar("False"), "write `norm: none`"),
        ("attribute", "filters", None, "write `conv: ...`"),
        ("op", "tf.keras.layers.Conv2D", scalar("W"), "write `conv: W`"),
        ("op", "upsample", scalar("bilinear"), "write `resize: ...`, by a ratio or to the size of a layer; "
         "`mode` is bilinear, nearest or nearest_exact"),
        ("op", "CONV", None, "write `conv`"),
        ("op", "cnov", None, "did you mean `conv`?"),
        ("op", "xyzzy", None, None),
    ],
)  # fmt: skip
def test_the_help_is_this(section: str, word: str, value: Node | None, said: str | None) -> None:
    assert Meant(section, word, (*KNOWN[section],), value, "conv").line() == said


def test_a_row_counts_only_where_the_place_knows_what_it_names() -> None:
    assert called("attribute", "filters", {"kernel", "stride"}, scalar("64"), "pool") is None
    assert called("attribute", "filters", {"kernel", "linear"}, scalar("64"), "linear") == "write `linear: 64`"
