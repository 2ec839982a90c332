"""Keras' functional and sequential models: which layer is called on which values, models within models put in place.

Read are the archive `.keras`, the older `.h5` with its model, and tensorflow.js' `model.json` with its files of
weights. Nothing is executed: a Lambda layer, or a class of the user's own, is a call whose class no rule knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

Json = Mapping[str, Any]
_MODELS = ("Functional", "Model", "Sequential")
_DEEPEST = 32  # models within models
_MOST_MODELS = 10_000  # of these, each as often as it is used
_MOST_CALLS = 100_000


class NoModel(Exception):
    """Why a configuration is no model that can be read, and what can be done about it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a layer. `name`: the layer's, behind those of the models that it stands in, with dots between; layers
    used several times share it. `inputs`: the values that it reads; a number where an operator has one."""

    name: str
    kind: str  # its class
    settings: Json
    inputs: tuple[str | float, ...]
    output: str


@dataclass(frozen=True, slots=True)
class Model:
    """Calls in the order of their run, the input values with their shapes (None: any extent) without the batch, and the
    values that it gives."""

    calls: tuple[Call, ...]
    inputs: Mapping[str, tuple[int | None, ...]]
    outputs: tuple[str, ...]


def read_model(config: Json) -> Model:
    """The calls of a configuration (`model_config`, `config.json`). Raises NoModel."""
    inlined = _Inlined([], {}, set(), [])
    outputs = inlined.model(config, "", None, 0)
    return Model(tuple(inlined.calls), inlined.inputs, outputs)


@dataclass(frozen=True, slots=True)
class _Node:
    """One use of an entry of a model: its key (layer, number of the use) and what it reads."""

    key: tuple[str, int]
    entry: Json
    reads: tuple[tuple[str, int, int] | float, ...]


@dataclass(frozen=True, slots=True)
class _Inlined:
    calls: list[Call]
    inputs: dict[str, tuple[int | None, ...]]
    taken: set[str]  # names of values
    scopes: list[str]  # of the models that were put in place

    def model(self, entry: Json, scope: str, values: Sequence[str] | None, depth: int) -> tuple[str, ...]:
        """The values that a model gives of some `values`; None: of the file's own inputs."""
        if depth > _DEEPEST:
            raise NoModel(f"its models are more than {_DEEPEST} deep")
        self.scopes.append(scope)
        if len(self.scopes) > _MOST_MODELS:
            raise NoModel(f"it uses more than {_MOST_MODELS:,} models within models")
        settings = _mapping(entry.get("config"), "a model's config")
        layers = settings.get("layers")
        if not isinstance(layers, list) or not layers:
            raise NoModel(f"its model {entry.get('class_name')} lists no layers")
        entries = [_mapping(each, "a layer") for each in layers]
        if entry.get("class_name") == "Sequential":
            return self._sequence(entries, scope, values, depth)
        return self._functional(settings, entries, scope, values, depth)

    def _sequence(
        self, entries: Sequence[Json], scope: str, values: Sequence[str] | None, depth: int
    ) -> tuple[str, ...]:
        given = tuple(values) if values is not None else None
        for entry in entries:
            if entry.get("class_name") == "InputLayer":
                given = given or (self._input(entry, scope),)
            elif given is None:
                given = (self._shaped_input(entry, scope),)
                given = self._use(entry, scope, given, depth)
            else:
                given = self._use(entry, scope, given, depth)
        if given is None:
            raise NoModel("its model has no input")
        return given

    def _functional(
        self, settings: Json, entries: Sequence[Json], scope: str, values: Sequence[str] | None, depth: int
    ) -> tuple[str, ...]:
        made: dict[tuple[str, int, int], str] = {}
        named = {_name(entry): entry for entry in entries}
        ends = _ends(settings.get("input_layers"))
        if values is not None and len(ends) != len(values):
            raise NoModel(f"its model `{scope}` has {len(ends)} inputs, and is called on {len(values)}")
        for index, end in enumerate(ends):
            if end[0] not in named:
                raise NoModel(f"it has no layer `{end[0]}`, which it names as an input")
            made[end] = values[index] if values is not None else self._input(named[end[0]], scope)
        for node in _in_order([each for each in _nodes(entries) if (*each.key, 0) not in made], made.keys()):
            reads = tuple(made[each] if isinstance(each, tuple) else each for each in node.reads)
            for index, value in enumerate(self._use(node.entry, scope, reads, depth)):
                made[*node.key, index] = value
        wanted = _ends(settings.get("output_layers"))
        missing = next((end for end in wanted if end not in made), None)
        if missing is not None or not wanted:
            raise NoModel(f"nothing makes its output `{missing[0]}`" if missing else "it names no outputs")
        return tuple(made[end] for end in wanted)

    def _use(self, entry: Json, scope: str, values: Sequence[str | float], depth: int) -> tuple[str, ...]:
        """The values that one use of a layer gives: a model is put in its place."""
        kind, name = str(entry.get("class_name")), f"{scope}{_name(entry)}"
        if kind in _MODELS:
            return self.model(entry, f"{name}.", [each for each in values if isinstance(each, str)], depth + 1)
        settings = _mapping(entry.get("config"), f"the config of `{name}`")
        if len(self.calls) >= _MOST_CALLS:
            raise NoModel(f"it has more than {_MOST_CALLS:,} layers")
        output = name if name not in self.taken else f"{name}:{len(self.calls)}"
        self.taken.add(output)
        self.calls.append(Call(name, kind, settings, tuple(values), output))
        return (output,)

    def _input(self, entry: Json, scope: str) -> str:
        settings = _mapping(entry.get("config"), "the config of an input")
        name = f"{scope}{_name(entry)}"
        self.inputs[name] = _shape(settings)
        self.taken.add(name)
        return name

    def _shaped_input(self, entry: Json, scope: str) -> str:
        """The input of a sequence whose first layer says what it reads."""
        settings = _mapping(entry.get("config"), "the config of a layer")
        if entry.get("class_name") in _MODELS or not ("batch_input_shape" in settings or "batch_shape" in settings):
            raise NoModel(f"its first layer `{_name(entry)}` does not say the shape of its input")
        name = f"{scope}{_name(entry)}_input"
        self.inputs[name] = _shape(settings)
        self.taken.add(name)
        return name


def _nodes(entries: Sequence[Json]) -> Iterator[_Node]:
    for entry in entries:
        uses = entry.get("inbound_nodes")
        for number, use in enumerate(uses if isinstance(uses, list) else []):
            yield _Node((_name(entry), number), entry, tuple(_reads(use)))


def _reads(use: object) -> Iterator[tuple[str, int, int] | float]:
    """What a use reads: [layer, use, output, settings] of Keras 2, or the tensors and numbers of Keras 3's `args`."""
    if isinstance(use, dict):
        kwargs = use.get("kwargs")
        if isinstance(kwargs, dict) and any(_is_tensor(value) for value in kwargs.values()):
            raise NoModel("a layer of it reads a tensor by a keyword")
        yield from _arguments(use.get("args"), 0)
    elif isinstance(use, list):
        for each in [use] if use and isinstance(use[0], str) else use:
            if not isinstance(each, list) or len(each) < 3:
                raise NoModel("it does not say what a layer reads")
            yield _end(each)


def _arguments(value: object, depth: int) -> Iterator[tuple[str, int, int] | float]:
    if isinstance(value, list) and depth < 4:
        for each in value:
            yield from _arguments(each, depth + 1)
    elif _is_tensor(value):
        yield _end(_mapping(_mapping(value, "a tensor").get("config"), "a tensor").get("keras_history"))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)
    elif value is not None:
        raise NoModel("a layer of it reads what is neither a tensor nor a number")


def _is_tensor(value: object) -> bool:
    return isinstance(value, dict) and value.get("class_name") == "__keras_tensor__"


def _ends(value: object) -> list[tuple[str, int, int]]:
    """[layer, use, output] or a list of these."""
    if isinstance(value, list) and value and isinstance(value[0], str):
        return [_end(value)]
    return [_end(each) for each in value] if isinstance(value, list) else []


def _end(value: object) -> tuple[str, int, int]:
    if not isinstance(value, list) or len(value) < 3 or not isinstance(value[0], str):
        raise NoModel("it does not say which layer makes a tensor")
    if not isinstance(value[1], int) or not isinstance(value[2], int):
        raise NoModel("it does not say which use of a layer makes a tensor")
    return value[0], value[1], value[2]


def _in_order(nodes: Sequence[_Node], given: Iterable[tuple[str, int, int]]) -> Iterator[_Node]:
    """Every node behind those that it reads, else in their order. Raises NoModel for one that waits for itself, or for
    nothing."""
    known = {node.key for node in nodes}
    have = {(name, use) for name, use, _ in given}
    waits: dict[tuple[str, int], set[tuple[str, int]]] = {}
    readers: dict[tuple[str, int], list[int]] = {}
    for index, node in enumerate(nodes):
        needs = {(each[0], each[1]) for each in node.reads if isinstance(each, tuple)} - have
        missing = next(iter(sorted(needs - known)), None)
        if missing is not None:
            raise NoModel(f"`{node.key[0]}` reads `{missing[0]}`, which it does not have")
        waits[node.key] = needs
        for each in needs:
            readers.setdefault(each, []).append(index)
    ready = [index for index, node in enumerate(nodes) if not waits[node.key]]
    done = 0
    while ready:
        node = nodes[heappop(ready)]
        done += 1
        yield node
        for index in readers.get(node.key, ()):
            waits[nodes[index].key].discard(node.key)
            if not waits[nodes[index].key]:
                heappush(ready, index)
    if done < len(nodes):
        raise NoModel("its layers wait for one another in a circle")


def _shape(settings: Json) -> tuple[int | None, ...]:
    shape = settings.get("batch_shape", settings.get("batch_input_shape"))
    if not isinstance(shape, list) or not 2 <= len(shape) <= 5:
        raise NoModel("an input of it has no shape of a signal, an image or a volume")
    extents = shape[1:]
    if not all(each is None or (type(each) is int and 0 < each < 2**31) for each in extents):
        raise NoModel(f"an input of it has the shape {extents}")
    return tuple(extents)


def _name(entry: Json) -> str:
    settings = entry.get("config")
    name = entry.get("name") or (settings.get("name") if isinstance(settings, dict) else None)
    if not isinstance(name, str) or not name:
        raise NoModel("a layer of it has no name")
    return name


def _mapping(value: object, what: str) -> Json:
    if not isinstance(value, dict):
        raise NoModel(f"{what} is missing or no mapping")
    return value
