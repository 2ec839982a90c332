"""What most layers of an op say: the `defaults` of a spec, and what a layer then still has to say."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from segcompile.language.outline import Form
from segcompile.language.write import default
from segcompile.network.graph import Role
from segcompile.ops import Op

_CARRIED = (str(Role.NORM), str(Role.ACT), str(Role.DROP))
_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Usual:
    """Op's key -> attribute -> text."""

    by_op: Mapping[str, Mapping[str, str]]

    def said(self, form: Form, filled: Mapping[str, str]) -> dict[str, str]:
        """What a layer says besides the defaults, of all that it means."""
        key, usual = form.op.spelling, self.by_op.get(form.op.spelling, {})
        said = {name: text for name, text in filled.items() if name == key or text != _expected(form.op, name, usual)}
        missing = {name: _unsaid(form.op, name) for name in usual if name not in filled and _has(form.op, name)}
        return said | {name: text for name, text in missing.items() if text != usual[name]}


def _has(op: type[Op], name: str) -> bool:
    return name in (*op.beside(), *_CARRIED)


def _is_required(op: type[Op], name: str) -> bool:
    return name in op.model_fields and op.model_fields[name].is_required()


def _unsaid(op: type[Op], name: str) -> str:
    """What an attribute is where neither the layer nor the defaults say it; "" for one that must be said."""
    if name in _CARRIED:
        return "none"
    if name not in op.model_fields or _is_required(op, name) or op.model_fields[name].default is None:
        return ""
    return default(op, name)


def _expected(op: type[Op], name: str, usual: Mapping[str, str]) -> str:
    return usual.get(name) or _unsaid(op, name)


def usual_of(layers: Sequence[tuple[Form, Sequence[str], Collection[str]]]) -> Usual:
    """The defaults with which the layers say least. With each layer go the words that mean something there alone."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for form, texts, own in layers:
        values = iter(texts[1:])
        filled = {name: text.replace("$", next(values)) if "$" in text else text for name, text in form.entries}
        for name in (*form.op.beside(), *_CARRIED):
            text = filled.get(name, _unsaid(form.op, name))
            if (
                form.op.spelling not in _CARRIED
                and name != form.op.told_by
                and "@" not in text
                and not {*_WORD.findall(text)} & {*own, "channels"}
            ):
                each = counts.setdefault((form.op.spelling, name), {})
                each[text] = each.get(text, 0) + 1
    found: dict[str, dict[str, str]] = {}
    ops = {form.op.spelling: form.op for form, _, _ in layers}
    for (key, name), each in counts.items():
        best = max(each, key=lambda text: each[text])
        if (
            best
            and ("" not in each or _is_required(ops[key], name))
            and each[best] > each.get(_unsaid(ops[key], name), 0) + 1
        ):
            found.setdefault(key, {})[name] = best
    return Usual(found)
