"""A class as strings: what the template of a model loops over."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from segcompile.emit.body import COUNTER
from segcompile.emit.calls import WIDTH, Rules
from segcompile.emit.classes import Class
from segcompile.emit.constructors import Construction
from segcompile.emit.counted import stem_of
from segcompile.emit.lines import call_lines, statement_lines
from segcompile.emit.parameters import Parameter
from segcompile.emit.templates import one_line
from segcompile.network.graph import Graph

_METHOD, _BODY = 4, 8  # spaces before a method, and before what it does


def print_class(found: Class, graph: Graph, is_model: bool, rules: Rules) -> dict[str, Any]:
    """The class, whose result is a dict of the graph's heads if it is the model's and they are several."""
    returns, tensor = found.returns, rules.tensor
    if is_model and len(returns) > 1:
        pairs = [f'"{head}": {name}' for head, name in zip(graph.outputs, returns, strict=True)]
        result, annotation = call_lines("return ", pairs, "", _BODY, "{}"), f"dict[str, {tensor}]"
    else:
        result = [] if found.statements[-1].returns else [f"return {', '.join(returns)}"]
        annotation = tensor if len(returns) == 1 else f"tuple[{', '.join([tensor] * len(returns))}]"
    handed_on = ["*", *(f"{name}: {kind}" for name, kind in rules.handed_on)] if rules.handed_on else []
    parameters = ["self", *map(_declared, found.parameters), *handed_on]
    arguments = ["self", *(f"{name}: {tensor}" for name in found.arguments)]
    members = map(_member_lines, found.members)
    return {
        "name": found.name,
        "about": _about(found),
        "constructor": call_lines("def __init__", parameters, " -> None:", _METHOD),
        "members": [line for lines in members for line in lines],
        "forward": call_lines(f"def {rules.forward}", arguments, f" -> {annotation}:", _METHOD),
        "statements": statement_lines(found.statements, tensor),
        "result": result,
        "is_model": is_model,
    }


def _member_lines(member: Construction) -> list[str]:
    """The lines of a member in the constructor."""
    if member.opens and member.arguments is None:
        return [f"if {member.function}:"]
    if member.arguments is None:
        return [f"self.{member.attribute} = {member.function}"]
    if member.opens:
        return [f"for {COUNTER} in {member.function}({', '.join(member.arguments)}):"]
    if not member.inside:
        tail, step = f"  # {member.reason}" if member.reason else "", 4 if member.optional else 0
        lines = call_lines(f"self.{member.attribute} = {member.function}", member.arguments, tail, _BODY + step)
        return [" " * step + line for line in lines]
    head = f'setattr(self, f"{member.attribute}", {member.function}'
    return [f"    {line}" for line in call_lines(head, member.arguments, ")", _BODY + 4)]


def _about(found: Class) -> list[str]:
    """The docstring: what the class stands for, and whose sizes its comments say if there are several."""
    about = one_line(found.about) or f"{_listed(found.titles)} of the spec."
    if len(found.instances) == 1:
        return [f'"""{about}"""']
    sizes = f"Sizes in comments: `{found.instances[0]}`."
    whole = f'"""{about} {sizes}"""'
    return [whole] if _METHOD + len(whole) <= WIDTH else [f'"""{about}', "", sizes, '"""']


def _listed(titles: Sequence[str]) -> str:
    """`a`, `b` and `c`; of many the first ones; `in1` to `in4` of those that are counted up or down."""
    stems, numbers = zip(*map(stem_of, titles), strict=True)
    steps = {after - before for before, after in pairwise(numbers)}
    if len(titles) > 2 and len({*stems}) == 1 and steps in ({1}, {-1}):
        return f"`{titles[0]}` to `{titles[-1]}`"
    *more, last = [f"`{title}`" for title in titles[:4]]
    if len(titles) > 4:
        return f"{', '.join(more)} and {len(titles) - 3} more"
    return f"{', '.join(more)} and {last}" if more else last


def _declared(parameter: Parameter) -> str:
    """A constructor's argument as the constructor says it."""
    value = parameter.values[0]
    kind = f"tuple[{', '.join(['int'] * len(value))}]" if isinstance(value, tuple) else type(value).__name__
    return f"{parameter.name}: {kind}{'' if parameter.default is None else f' = {parameter.default}'}"
