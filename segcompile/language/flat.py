"""What expansion hands over: one flat network in which every name is absolute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segcompile.errors import Span
from segcompile.graph import Origin, Scope
from segcompile.language.derive import Document
from segcompile.language.training import Training
from segcompile.language.values import Values
from segcompile.ops import Op, Shape
from segcompile.source import Node


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer with absolute names: its op, what it reads, and what it carries (`norm`, `act`, `drop`)."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    carried: tuple[tuple[str, Op], ...]
    origin: Origin
    carried_origins: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing the paper says: of a layer (None: of the network), what, and the cell that says it."""

    layer: str | None
    what: str
    node: Node
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A spec used as a layer: it is compiled alone as well, so that its own claims are checked."""

    name: str  # of its scope
    document: Document
    values: Values
    call: Span
    takes: Shape  # what its own `input` says


@dataclass(frozen=True, slots=True)
class Expansion:
    """A whole network, flat."""

    document: Document
    values: Values  # the parameters
    inputs: Mapping[str, Shape]
    layers: tuple[Layer, ...]
    scopes: tuple[Scope, ...]
    outputs: Mapping[str, str]  # head -> layer
    claims: tuple[Claim, ...]
    uses: tuple[Use, ...]
    entries: Mapping[str, str]  # block, used spec or join of branches -> the layer (or input) whose result enters it
    results: Mapping[str, str]  # every name a user can say -> the layer whose result it means
    training: Training
