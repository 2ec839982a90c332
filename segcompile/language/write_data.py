"""What the labels of a data set mean -> the text of a spec's `data`, which is read as the same again."""

from __future__ import annotations

import re

from segcompile.language.write import mapping, quoted
from segcompile.network.data import Class, Data, Labels, Renamed

_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9_ /-]*[A-Za-z0-9])?")  # what YAML needs no quotes for in a list


def write_data(data: Data) -> dict[str, str]:
    """What is under each key of `data`: once for all heads, where they say the same, or head by head."""
    said: dict[str, dict[str, str]] = {}
    for head, labels in data.heads.items():
        for key, text in _labels(labels).items():
            said.setdefault(key, {})[head] = text
    return {key: _of_all(heads, len(data.heads)) for key, heads in said.items()}


def _of_all(heads: dict[str, str], count: int) -> str:
    texts = {*heads.values()}
    return texts.pop() if len(texts) == 1 and len(heads) == count else mapping(heads)


def _labels(labels: Labels) -> dict[str, str]:
    """What is under each key, of one head."""
    names = [_name(each) for each in labels.classes]
    known = dict(enumerate(names))
    coloured = [
        f'{{{name}: "{each.colour}"}}' if each.colour else name
        for name, each in zip(names, labels.classes, strict=True)
    ]
    ignored = [known.get(each.label, str(each)) if each.named else str(each) for each in labels.ignore]
    renamed = {_source(each): known.get(each.label, str(each.label)) for each in labels.map}
    said = {"classes": _listed(coloured), "ignore": _listed(ignored), "map": mapping(renamed) if renamed else ""}
    return {key: text for key, text in said.items() if text}


def _listed(texts: list[str]) -> str:
    return f"[{', '.join(texts)}]" if texts else ""


def _source(renamed: Renamed) -> str:
    return f'"{renamed.source}"' if isinstance(renamed.source, str) else str(renamed.source)


def _name(each: Class) -> str:
    return each.name if _PLAIN.fullmatch(each.name) else quoted(each.name)
