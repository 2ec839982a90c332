"""What `data` says of the labels: of one head or of several, by itself, through a base, a variant and `--set`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segcompile.compiler import compile_spec
from segcompile.language.write import mapping
from segcompile.language.write_data import write_data
from segcompile.network.data import Class, Data, Ignored, Labels, Renamed
from segcompile.text.errors import Findings, SourceText, Span

from .conftest import Workbench

AT = Span(SourceText("net.yaml", ("",)), 1, 1, 1)
ONE = "layers: [score: {conv: K, kernel: 1}]\n"
TWO = "layers: [a: {conv: 3, kernel: 1}, b: {conv: 1, kernel: 1, from: input}]\noutputs: {sem: a, geo: b}\n"


def classes(*names: str) -> tuple[Class, ...]:
    return tuple(Class(*name.split("#")[:1], AT, "#" + name.split("#")[1] if "#" in name else "") for name in names)


def ignored(*labels: int | str) -> tuple[Ignored, ...]:
    """Numbers, and classes as `class:0`."""
    return tuple(Ignored(int(str(each).removeprefix("class:")), isinstance(each, str), AT) for each in labels)


def renamed(pairs: dict[int | str, int]) -> tuple[Renamed, ...]:
    return tuple(Renamed(source, label, AT) for source, label in pairs.items())


def heads(bench: Workbench, network: str, data: str, **options: object) -> dict[str, Labels]:
    return dict(bench.compile(f"{network}data: {data}\n", **options).spec.data.heads)


def test_the_example_of_the_design(bench: Workbench) -> None:
    text = "params: {K: 3}\nlayers: [s: {conv: K, kernel: 1}]\n"
    said = '{classes: [road, {sky: "#4682B4"}, wood], ignore: [255], map: {254: 1, "#800000": 2}}'
    labels = Labels(classes("road", "sky#4682b4", "wood"), ignored(255), renamed({254: 1, "#800000": 2}))
    assert heads(bench, text, said) == {"output": labels}


@pytest.mark.parametrize(
    ("said", "sem", "geo"),
    [
        ("{ignore: 255}", Labels((), ignored(255)), Labels((), ignored(255))),
        ("{ignore: {geo: class:1}}", Labels(), Labels((), ignored("class:1"))),
        ("{classes: {geo: [up, down]}}", Labels(), Labels(classes("up", "down"))),
        (
            "{classes: {sem: [a, b, c], geo: [c, d]}, ignore: [255, c], map: {7: c}}",
            Labels(classes("a", "b", "c"), ignored(255, "class:2"), renamed({7: 2})),
            Labels(classes("c", "d"), ignored(255, "class:0"), renamed({7: 0})),
        ),
        ("{map: {sem: {7: 2}}}", Labels(map=renamed({7: 2})), Labels()),
        ("{}", Labels(), Labels()),
    ],
)
def test_what_is_written_once_is_of_every_head(bench: Workbench, said: str, sem: Labels, geo: Labels) -> None:
    assert heads(bench, TWO, said) == {"sem": sem, "geo": geo}


def test_numbers_may_be_parameters_and_are_set(bench: Workbench) -> None:
    network, said = f"params: {{K: 5, V: 255}}\n{ONE}", "{ignore: [V, class:0], map: {V-1: K-1, 2*V: V}}"
    for size in (5, 9):
        found = heads(bench, network, said, overrides={"K": size})["output"]
        assert found == Labels((), ignored(255, "class:0"), renamed({254: size - 1, 510: 255}))


def test_a_variant_chooses_classes(bench: Workbench) -> None:
    network = "variants: [few, many]\nlayers: [s: {conv: {few: 2, many: 3}, kernel: 1}]\n"
    said = "{classes: {few: [a, b], many: [a, b, c]}, map: {9: {few: b, many: c}}}"
    for variant, names in {"few": "ab", "many": "abc"}.items():
        found = heads(bench, network, said, variant=variant)["output"]
        assert found == Labels(classes(*names), (), renamed({9: len(names) - 1}))


def test_a_derived_spec_adds_keys_and_replaces_them(bench: Workbench) -> None:
    text = f"params: {{K: 2}}\n{ONE}data: {{classes: [a, b], ignore: 255, map: {{9: b}}}}\n"
    bench.write(f"segcompile: 1\nmodel: base\ninput: {{channels: 3, size: 8}}\n{text}", "base.yaml")
    head = "segcompile: 1\nmodel: own\nbase: base.yaml\n"
    found = heads(bench, f"{head}params: {{K: 3}}\n", "{classes: [x, b, y], map: {}}")
    assert found == {"output": Labels(classes("x", "b", "y"), ignored(255))}
    assert heads(bench, head, "{ignore: [a, 254]}")["output"].ignore == ignored("class:0", 254)


def test_a_loss_of_a_base_that_ignores_comes_before_the_data_of_its_own(bench: Workbench) -> None:
    loss = "training: {loss: {cross_entropy: {ignore: 255}}}\n"
    text = f"segcompile: 1\nmodel: base\ninput: {{channels: 3, size: 8}}\nlayers: [s: {{conv: 2, kernel: 1}}]\n{loss}"
    bench.write(text, "base.yaml")
    head = "segcompile: 1\nmodel: own\nbase: base.yaml\n"
    (found,) = bench.findings(f"{head}data: {{ignore: 254}}\n")
    assert (str(found.span), [str(label.span) for label in found.labels]) == ("net.yaml:4:8", ["base.yaml:5:43"])
    assert heads(bench, f"{head}training: {{loss: cross_entropy}}\n", "{ignore: 254}") == {
        "output": Labels((), ignored(254))
    }


def test_a_used_spec_keeps_its_data_to_itself_and_is_checked(bench: Workbench) -> None:
    bench.write("layers: [a: {conv: 3, kernel: 1}]\ndata: {classes: [x, y]}\n", "part.yaml")
    text = "layers: [p: {use: part.yaml}]\n"
    (found,) = bench.findings(text)
    assert found.message == "head `output` has 3 classes, and `classes` names 2: `a` has 3 channels"
    bench.write("layers: [a: {conv: 3, kernel: 1}]\ndata: {classes: [x, y, z]}\n", "part.yaml")
    assert bench.compile(text).spec.data == Data()


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (
            f"ignore: {{{', '.join(f'h{n}: [1]' for n in range(33))}}}",
            "`ignore` has 33 heads of its own; 32 is the most",
        ),
        (f"map: {{{', '.join(f'{n}: 1' for n in range(4097))}}}", "a `map` of 4,097 labels; 4,096 is the most"),
    ],
)
def test_heads_and_maps_are_bounded(bench: Workbench, said: str, wrong: str) -> None:
    assert bench.errors(f"params: {{K: 2}}\n{ONE}data: {{{said}}}\n") == [f"SC111 {wrong}"]


def test_reading_does_not_take_the_heads_times_the_classes(bench: Workbench) -> None:
    """A list of all heads is read once: 500 heads of 500 classes are no 250,000."""
    count = 500
    layers = "\n".join(f"  - h{n}: {{conv: {count}, kernel: 1, from: input}}" for n in range(count))
    outputs = ", ".join(f"h{n}: h{n}" for n in range(count))
    names = ", ".join(f"c{n}" for n in range(count))
    found = heads(bench, f"layers:\n{layers}\noutputs: {{{outputs}}}\n", f"{{classes: [{names}], ignore: 65535}}")
    assert len(found) == count and len({id(labels) for labels in found.values()}) == 1


# --- written and read again ------------------------------------------------------------------------------------------

NAMES = st.from_regex(r"\A[a-zA-Zäß日][\w .,()/&'+-]{0,12}\Z").filter(lambda name: name == name.strip() and name != "K")
COLOURS = st.integers(0, 2**24 - 1).map("#{:06x}".format)


@st.composite
def labels_of(draw: st.DrawFn, count: int) -> Labels:
    """Labels of a head with so many classes, with or without names."""
    names = draw(st.lists(NAMES, min_size=count, max_size=count, unique=True)) if draw(st.booleans()) else []
    colours = draw(st.lists(COLOURS, min_size=count, max_size=count, unique=True))
    own = tuple(
        Class(name, AT, colour if draw(st.booleans()) else "") for name, colour in zip(names, colours, strict=False)
    )
    none = draw(st.lists(st.integers(count, 65535), max_size=2))
    some = tuple(Ignored(label, True, AT) for label in draw(st.lists(st.integers(0, count - 1), max_size=2)))
    ignore = (*some, *(Ignored(label, False, AT) for label in none))
    sources = draw(st.lists(st.integers(0, 65535) | COLOURS, max_size=3, unique=True))
    map = tuple(Renamed(source, draw(st.integers(0, count - 1)), AT) for source in sources)
    return Labels(own, ignore, map)


@settings(max_examples=60)
@given(st.data())
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    sem = data.draw(labels_of(3))
    expected = {"sem": sem, "geo": sem if data.draw(st.booleans()) else data.draw(labels_of(3))}
    path = tmp_path_factory.mktemp("net") / "net.yaml"
    layers = "layers: [a: {conv: 3, kernel: 1}, b: {conv: 3, kernel: 1, from: input}]\noutputs: {sem: a, geo: b}\n"
    said = mapping(write_data(Data(expected)))
    text = f"segcompile: 1\nmodel: net\ninput: {{channels: 3, size: 8}}\n{layers}data: {said}\n"
    path.write_text(text, encoding="utf-8")
    findings = Findings()
    assert compile_spec(path, findings).spec.data.heads == expected, text
    assert findings.diagnostics == []
