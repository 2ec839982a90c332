"""ONNX's own node tests as networks of one layer: all inputs but the first are constants, and what the language holds
gives the outputs that come with the tests."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from segcompile.backend import load_backend
from segcompile.importers.network_file import import_network
from segcompile.testing.bench import Bench
from segcompile.testing.networks import request_of
from segcompile.text.errors import SegcompileError

from .agreement import ours

RESULTS = Path(__file__).parent / "data" / "suite.txt"
NODES = "onnx.backend.test.case.node"
SAMPLE = ("conv", "convtranspose", "gemm", "depthtospace", "groupnormalization", "softmax", "argmax")  # files of theirs


def cases(*files: str) -> Iterator[tuple[str, Any, list[Any], list[Any]]]:
    """Name, model, inputs and outputs: of some files, or of all."""
    with warnings.catch_warnings(action="ignore"):  # what they reckon with on purpose: overflows, and old types
        if not files:
            found = load_model_tests(kind="node")
        else:
            for file in files:
                import_module(f"{NODES}.{file}")
            found = import_module(NODES)._NodeTestCases
    for case in found:
        if case.data_sets and (not files or case.name.split("_")[1] in files):
            inputs, outputs = case.data_sets[0]
            yield case.name, case.model or onnx.load(Path(case.model_dir) / "model.onnx"), inputs, outputs


def outcome(model: Any, inputs: list[Any], outputs: list[Any], path: Path) -> str:
    """`held`, `WRONG`, or why the model has no form here."""
    arrays = [np.asarray(each) for each in inputs if isinstance(each, np.ndarray | np.generic)]
    if len(arrays) < len(inputs) or not arrays or arrays[0].dtype not in (np.float32, np.float64):
        return "its first input is no tensor of floats"
    onnx.save(frozen(model, arrays[1:]), path)
    try:
        found = import_network(path)
    except SegcompileError as error:
        first = error.diagnostics[0].message.replace(f"`{path}` ", "")
        return first.partition(": ")[2]
    return "held" if agree(ours(found, [arrays[0].astype(np.float64)]), model, outputs) else "WRONG"


def frozen(model: Any, arrays: list[Any]) -> Any:
    """The model with these constants in the place of its inputs but the first."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    del found.graph.input[1:]
    names = [value.name for value in model.graph.input][1:]
    found.graph.initializer.extend(map(numpy_helper.from_array, arrays, names))
    return found


def agree(found: list[Any], model: Any, outputs: list[Any]) -> bool:
    """Whether these are the outputs that come with a test, in the order in which its steps make them."""
    made = [name for node in model.graph.node for name in node.output]
    results = sorted((value.name for value in model.graph.output), key=made.index)
    wanted = dict(zip((value.name for value in model.graph.output), outputs, strict=True))
    return all(
        mine.size == wanted[name].size and np.allclose(mine.reshape(wanted[name].shape), wanted[name], 1e-3, 1e-5)
        for mine, name in zip(found, results, strict=True)
    )


def op_of(model: Any) -> str:
    return str(model.graph.node[-1].op_type) if len(model.graph.node) == 1 else "several steps"


def test_a_sample_is_held_or_refused(tmp_path: Path) -> None:
    found = Counter(outcome(*rest, tmp_path / "x.onnx") for _, *rest in cases(*SAMPLE))
    assert found["held"] >= 30 and not found["WRONG"]
    assert found["it gives places, and no values"] == 16  # of ArgMax


@pytest.mark.long
def test_of_all_at_least_120_are_held_and_none_is_wrong(tmp_path: Path) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for _, model, inputs, outputs in cases():
        counts[op_of(model), outcome(model, inputs, outputs, tmp_path / "x.onnx")] += 1
    assert not [op for op, why in counts if why == "WRONG"]
    assert sum(count for (_, why), count in counts.items() if why == "held") >= 120
    lines = [f"{op}: {count} {why}" for (op, why), count in sorted(counts.items())]
    assert "\n".join([f"onnx {onnx.__version__}", *lines, ""]) == RESULTS.read_text()


@pytest.mark.long
@pytest.mark.parametrize("backend", ["torch", "jax", "onnx"])
def test_the_code_of_what_is_held_gives_the_same(backend: str, tmp_path: Path) -> None:
    bench, tried = Bench(load_backend(backend)), 0
    for name, model, inputs, outputs in cases():
        if outcome(model, inputs, outputs, tmp_path / "x.onnx") == "held":
            found = import_network(tmp_path / "x.onnx")
            request = request_of(found.graph, f"case_{tried}")
            subject = bench.subject(request, double=False, fresh=True)
            subject.assign({each.name: found.tensors[each.node.owner, each.parameter.name] for each in subject.tensors})
            image = dict(zip(request.graph.inputs, [inputs[0]], strict=True))
            assert agree([*subject.outputs(image).values()], model, outputs), name
            tried += 1
    assert tried >= 120
