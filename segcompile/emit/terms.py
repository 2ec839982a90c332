"""Sums as equations have them: a call of an inner module that nothing else reads is written where it is added.

`out1 = relu(in1 + self.f21(in2, in1) + self.f31(in3, in1))`, in the place of a line for each term. A call that only
goes on with what no other line reads is a link of a chain, and keeps its line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from segcompile.emit.options import Step
from segcompile.facts.facts import Facts
from segcompile.network.scope_tree import node_of


def with_terms(steps: Sequence[Step], kept: Set[str], facts: Facts) -> list[Step]:
    """The steps, terms within those that join them. What is `kept`, a step by its name or a value, has its own line."""
    read = Counter(value for step in steps for value in step.reads)
    single = {
        step.makes[0]: step for step in steps if kept.isdisjoint((step.name, *step.makes)) and _is_term(step, read)
    }
    every = [_with_its_terms(step, single, facts) for step in steps]
    written = {term.name for step in every for term in step.terms}
    return [step for step in every if step.name not in written]


def _is_term(step: Step, read: Mapping[str, int]) -> bool:
    """Whether a step may be a term of a sum: a call whose one result is read once, of what is also read elsewhere."""
    return isinstance(step.item, str) and [read[value] for value in step.makes] == [1] and read[step.reads[0]] > 1


def _with_its_terms(step: Step, single: Mapping[str, Step], facts: Facts) -> Step:
    """A step that joins values of one shape, with those of them that are `single` as its terms."""
    if isinstance(step.item, str) or not step.item[0].op.joins:
        return step
    shape = facts[step.item[0].name].shape
    terms = {value: single[value] for value in step.reads if value in single and facts[node_of(value)].shape == shape}
    reads = [read for value in step.reads for read in (terms[value].reads if value in terms else [value])]
    return replace(step, reads=list(dict.fromkeys(reads)), terms=tuple(terms.values()))
