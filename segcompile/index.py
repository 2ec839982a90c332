"""The index of the bundled specs: what `segcompile list` tells of each network, so that it need compile none.

`python -m segcompile.index` writes it beside the specs, `python -m segcompile.index --check` exits 3 if it is not what
they say.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from segcompile.compiler import Compiled, compile_spec
from segcompile.language.derive import variants_of
from segcompile.library import INDEX, bundled, locate
from segcompile.show.architecture import field_json, inputs_json
from segcompile.text.errors import Findings
from segcompile.text.source import Scalar

_ARXIV = re.compile(r"(\d\d)\d\d\.\d{4,5}(v\d+)?", re.ASCII)  # year, month, number, version


def networks() -> Iterator[tuple[str, Path, str | None]]:
    """Name, file and variant of every network that the bundled specs are: one, or one a variant."""
    for name, path in bundled().items():
        for variant in variants_of(path, locate) or (None,):
            yield name, path, variant


def entry(spec: str, variant: str | None, compiled: Compiled) -> dict[str, Any]:
    """What the index says of one network. Of several outputs it tells of the one that sees most."""
    cite = compiled.document.section("cite")
    cited = {key: node.text for key, (_, node) in cite.entries.items() if isinstance(node, Scalar)} if cite else {}
    parameters, macs = compiled.cost(compiled.graph.nodes)
    output = max(compiled.graph.outputs.values(), key=lambda name: _extent(compiled, name))
    return {
        "spec": spec,
        "variant": variant,
        "about": compiled.document.about,
        "cite": cited,
        "year": year(cited),
        "rank": compiled.graph.rank,
        "inputs": inputs_json(compiled.graph),
        "parameters": parameters,
        "macs": macs,
        "output": compiled.graph.layer_of(output),
        **field_json(compiled.facts[output]),
    }


def _extent(compiled: Compiled, name: str) -> tuple[bool, int]:
    """How much an output sees: the whole image is more than any extent, an unknown one is less."""
    found = compiled.facts[name]
    return any(field.whole for field in found.fields), max(extent or 0 for extent in found.receptive_field)


def year(cite: Mapping[str, str]) -> int | None:
    """When a paper was first on arXiv, by its number there; None where `cite` has none."""
    found = _ARXIV.fullmatch(cite.get("arxiv", ""))
    return 2000 + int(found[1]) if found is not None else None


def text() -> str:
    """The index as it is written, a line a network. Raises SegcompileError for a spec that cannot be compiled."""
    found = (entry(name, variant, _compiled(path, variant)) for name, path, variant in networks())
    return "[\n" + ",\n".join(json.dumps(each, ensure_ascii=False) for each in found) + "\n]\n"


def _compiled(path: Path, variant: str | None) -> Compiled:
    findings = Findings()
    compiled = compile_spec(path, findings, variant=variant)
    findings.stop_on_errors()
    return compiled


def main(arguments: Sequence[str]) -> int:
    """Write the index, or check it."""
    place = next(iter(bundled().values())).with_name(INDEX)
    due = text()
    if place.is_file() and place.read_text(encoding="utf-8") == due:
        print(f"{place}: up to date")
        return 0
    if "--check" in arguments:
        print(f"{place} is not what the specs say: `make generated` brings it up to date", file=sys.stderr)
        return 3
    place.write_text(due, encoding="utf-8")
    print(f"wrote {place}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
