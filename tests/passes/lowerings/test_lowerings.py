"""Each lowering does to a network what its folder says: a spec, the network after the lowering, and what was said.

`python -m tests.passes.lowerings.test_lowerings` writes both anew; read the difference before you commit it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segcompile.compiler import compile_spec
from segcompile.facts.facts import analyse
from segcompile.facts.shapes import infer_shapes
from segcompile.language.write import write_spec
from segcompile.network.graph import Graph
from segcompile.ops import Deconv
from segcompile.passes.edited import Edited, Source
from segcompile.passes.lowerings import LOWERINGS, lower
from segcompile.testing.parameters import by_node, drawn
from segcompile.testing.reference import run
from segcompile.text.errors import Findings
from segcompile.text.report import render_text
from segcompile.weights.parameters import tensors

HERE = Path(__file__).parent
CASES = sorted(path for path in HERE.glob("*/*.yaml") if not path.name.endswith(".after.yaml"))
EACH = pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")


def before(path: Path) -> Graph:
    return compile_spec(path, Findings(), name=path.name).graph


def lowered(path: Path) -> Edited:
    return lower(before(path), [path.parent.name])


@EACH
def test_the_network_after_the_lowering_is_this(path: Path) -> None:
    assert write_spec(lowered(path).graph) == path.with_suffix(".after.yaml").read_text()


@EACH
def test_what_stays_is_said(path: Path) -> None:
    assert render_text(lowered(path).findings) + "\n" == path.with_suffix(".txt").read_text()


def test_every_lowering_has_a_folder() -> None:
    assert {path.parent.name for path in CASES} == set(LOWERINGS)


def by_node_of(graph: Graph) -> dict[str, dict[str, Any]]:
    """Node -> random tensors."""
    known = list(tensors(graph, analyse(graph, infer_shapes(graph, Findings()))))
    return by_node(known, drawn(known, seed=3))


@pytest.mark.parametrize("name", ["a_network", "norms_of_their_own"])
def test_a_folded_norm_changes_no_value(name: str) -> None:
    """In float64, where a layer's weights are made by the formula of the page, and not by the generated code."""
    path = HERE / "fold_batch_norm" / f"{name}.yaml"
    graph, after = before(path), lowered(path)
    trained, folded = by_node_of(graph), {}
    for node in after.graph.nodes:
        source = after.weights.get(node.name, Source(node.name))
        held = dict(trained.get(source.node, {}))
        if source.norm is not None:
            norm = trained[source.norm]
            factor = norm["weight"] / np.sqrt(norm["running_var"] + graph.by_name[source.norm].op.eps)
            if isinstance(node.op, Deconv):  # (in, out / groups, ...)
                each = np.repeat(factor.reshape(node.op.groups, -1), len(held["weight"]) // node.op.groups, axis=0)
                held["weight"] = held["weight"] * each[..., None, None]
            else:
                held["weight"] = (held["weight"].T * factor).T
            held["bias"] = norm["bias"] + (held.get("bias", 0) - norm["running_mean"]) * factor
        folded[node.name] = held
    shape = graph.inputs["input"]
    image = {"input": np.random.default_rng(5).normal(size=(2, shape.channels, *shape.size))}
    want, have = run(graph, trained, image), run(after.graph, folded, image)
    assert want.keys() == have.keys()
    for head in want:
        np.testing.assert_allclose(have[head], want[head], rtol=1e-9, atol=1e-9)


if __name__ == "__main__":
    for case in CASES:
        case.with_suffix(".after.yaml").write_text(write_spec(lowered(case).graph))
        case.with_suffix(".txt").write_text(render_text(lowered(case).findings) + "\n")
