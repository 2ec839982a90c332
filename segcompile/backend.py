"""The contract between the compiler and a backend, and how backends are found.

A backend is a distribution of its own. It names one `Backend` value in its entry points:

    [project.entry-points."segcompile.backends"]
    torch = "segcompile_torch:BACKEND"
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from segcompile import interruption
from segcompile.facts.facts import Facts
from segcompile.facts.fit import sizes_of
from segcompile.facts.sizes import Sizes
from segcompile.network.data import Data
from segcompile.network.graph import Graph
from segcompile.network.training import Training
from segcompile.ops import Op
from segcompile.passes.edited import Source
from segcompile.passes.lowerings import LOWERINGS
from segcompile.text.errors import Diagnostic, Findings, did_you_mean, fail

API_VERSION = 2
GROUP = "segcompile.backends"
_OURS = ("torch", "jax", "onnx")  # those whose package is called segcompile-NAME

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class Options:
    """What a build asks for beside the network. A backend gets no lowering that it does not accept."""

    lowerings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trained:
    """The network before the lowerings, which is the one that is trained. `weights`: node of the lowered network ->
    where its tensors come from, if that is not the node of its name as it was."""

    graph: Graph
    weights: Mapping[str, Source]


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """All that a backend gets: no path, no clock, no environment."""

    model: str  # the spec's name, with the variant: "dilated_context_large"
    class_name: str  # its CamelCase
    spec: str  # the spec's file name, for headers
    about: str
    cite: Mapping[str, str]
    graph: Graph
    facts: Facts
    training: Training  # its stages and rates are of no use where `trained` is another network
    options: Options = Options()
    bases: tuple[str, ...] = ()  # the file names of the specs that this one is derived from, the nearest first
    trained: Trained | None = None  # None: this network itself
    data: Data = field(default_factory=Data)
    weights: Mapping[str, bytes] | None = (
        None  # tensor -> its values in float32, little-endian, row by row; all or none
    )
    draft: str = ""  # a line that the header of every file has: how many claims of the spec are false

    def sizes(self) -> Sizes:
        """The sizes of images that the network takes along each axis, where the spec says `any`."""
        return sizes_of(self.graph)


@dataclass(frozen=True, slots=True)
class BuildResult:
    """Relative path -> text or bytes of every file, and what there is to say about them."""

    files: Mapping[str, str | bytes]
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class Backend:
    """A target. `emit` is pure: the same request gives the same result, and nothing is written or imported."""

    name: str
    summary: str  # one line for `segcompile list`
    api_version: int
    ops: frozenset[type[Op]]  # what it can emit
    refuses: Callable[[Op], str | None]  # why one op with these attributes cannot be emitted, or None
    emit: Callable[[BuildRequest], BuildResult]
    ranks: frozenset[int] = frozenset({2})  # of networks that it can emit: 0 vectors, 1 signals, 2 images, 3 volumes
    lowerings: frozenset[str] = frozenset()  # those whose networks it can emit, with what converts their weights
    weighs: bool = False  # whether what it emits holds the values of all tensors, and it takes those of a file
    trains: bool = True  # whether its models have gradients, and run in float64; else they are for inference in float32
    shares: bool = False  # whether it can emit a layer with the weights of another one
    runner: str = ""  # "module:NAME" of a segcompile.testing.runner.Runner; only the conformance kit imports it


def installed() -> dict[str, EntryPoint]:
    """Backend name -> entry point. Raises SegcompileError (SC605) where two distributions claim one name."""
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        other = found.get(point.name)
        if other is not None and other.value != point.value:
            message = f"two backends are called `{point.name}`: {other.value} and {point.value}"
            raise fail("SC605", message, help="uninstall one of the two distributions")
        found[point.name] = point
    return found


def load_backend(name: str) -> Backend:
    """The backend of that name.

    Raises SegcompileError: SC601 unknown, SC602 its import failed (with the cause), SC603 made for another API,
    SC605 two distributions claim the name.
    """
    points = installed()
    if name not in points:
        known = ", ".join(points) or "none"
        other = f"pip install segcompile-{name}" if name in _OURS else "`segcompile list` shows the installed ones"
        help = did_you_mean(name, points) or other
        raise fail("SC601", f"there is no backend `{name}`; installed: {known}", help=help)
    point = points[name]
    try:
        backend = point.load()
    except Exception as cause:  # whatever a plugin's import does, the user must see it
        if interruption.stopped():
            raise
        message = f"backend `{name}` ({point.value}) cannot be loaded: {type(cause).__name__}: {cause}"
        raise fail("SC602", message, help="repair or uninstall its distribution") from cause
    if not isinstance(backend, Backend):
        message = f"backend `{name}`: {point.value} is a {type(backend).__name__}, not a segcompile.backend.Backend"
        raise fail("SC602", message, help="repair or uninstall its distribution")
    if backend.api_version != API_VERSION:
        message = f"backend `{name}` is made for API {backend.api_version}; this segcompile has API {API_VERSION}"
        raise fail("SC603", message, help="install matching versions of segcompile and the backend")
    return backend


def check_capabilities(backend: Backend, graph: Graph, findings: Findings) -> None:
    """SC604 for every layer that the backend cannot emit, all at once and before emission; once for all where it emits
    no network of that rank, or none that shares weights."""
    if graph.rank not in backend.ranks:
        axes = f"maps of {graph.rank} {'axis' if graph.rank == 1 else 'axes'}"
        ranks = " and ".join(map(str, sorted(backend.ranks)))
        message = f"backend `{backend.name}` cannot emit a network of {axes}"
        findings.add("SC604", message, help=f"it emits those of {ranks}; `check` and `rf` know all")
        return
    shared = next((node for node in graph.nodes if node.weights is not None), None)
    if shared is not None and not backend.shares:
        message = f"backend `{backend.name}` cannot emit {shared.layer}: it knows no shared weights"
        findings.add("SC604", message, shared.origin.at("share"), help="build for another backend")
    for node in graph.nodes:
        known = type(node.op) in backend.ops
        reason = _guarded(backend, backend.refuses, node.op) if known else f"no rule for {node.op.title}"
        if reason is not None:
            message = f"backend `{backend.name}` cannot emit {node.layer}: {reason}"
            findings.add("SC604", message, node.origin.span)


def check_lowerings(backend: Backend, names: Iterable[str]) -> None:
    """Raises SegcompileError: SC612 for a lowering that does not exist, SC604 for one that the backend refuses."""
    for name in names:
        if name not in LOWERINGS:
            help = did_you_mean(name, LOWERINGS) or f"known: {', '.join(LOWERINGS)}"
            raise fail("SC612", f"there is no lowering `{name}`", help=help)
        if name not in backend.lowerings:
            accepted = ", ".join(sorted(backend.lowerings)) or "none"
            help = "build without it, or for another backend"
            message = f"backend `{backend.name}` does not take the lowering `{name}`; it takes: {accepted}"
            raise fail("SC604", message, help=help)


def check_weighs(backend: Backend) -> None:
    """Raises SegcompileError (SC604) for a backend that puts no weights into what it emits."""
    if not backend.weighs:
        message = f"backend `{backend.name}` puts no weights into its files"
        help = "build without `--weights`, and give them to the generated programs"
        raise fail("SC604", message, help=help)


def run_backend(backend: Backend, request: BuildRequest) -> BuildResult:
    """Emit twice, compare, and check what came out.

    Raises SegcompileError: SC602 where the backend's own code fails, SC604 and SC612 before emission, SC606 for paths,
    texts or bytes that no folder may hold, SC607 where the two results differ.
    """
    check_lowerings(backend, request.options.lowerings)
    findings = Findings()
    check_capabilities(backend, request.graph, findings)
    findings.stop_on_errors()
    first, second = _guarded(backend, backend.emit, request), _guarded(backend, backend.emit, request)
    if not isinstance(first, BuildResult) or not isinstance(second, BuildResult):
        raise fail("SC606", f"backend `{backend.name}` gave a {type(first).__name__}, not a BuildResult")
    if dict(first.files) != dict(second.files):
        paths = sorted({*first.files, *second.files})
        different = next(path for path in paths if first.files.get(path) != second.files.get(path))
        raise fail("SC607", f"backend `{backend.name}` wrote `{different}` differently the second time")
    for path, content in sorted(first.files.items()):
        problem = _problem(path, content, first.files) or _unsaid(content, request.draft)
        if problem is not None:
            raise fail("SC606", f"backend `{backend.name}` wrote `{path}`: {problem}")
    return first


def _guarded(backend: Backend, function: Callable[[In], Out], argument: In) -> Out:
    """The function's result; whatever a plugin raises becomes SC602 with the cause."""
    try:
        return function(argument)
    except Exception as cause:
        if interruption.stopped():
            raise
        message = f"backend `{backend.name}` failed: {type(cause).__name__}: {cause}"
        raise fail("SC602", message, help="this is a bug of the backend, not of your spec") from cause


def _problem(path: str, content: str | bytes, files: Mapping[str, str | bytes]) -> str | None:
    """What is wrong with one emitted file, or None. Bytes may be any, but code is text."""
    parts = path.split("/")
    if "\\" in path or not path.isprintable() or any(part in ("", ".", "..") for part in parts):
        return "the path leaves the output folder"
    if parts[0].startswith("."):
        return "hidden files are the host's"
    if any(other != path and (other.startswith(f"{path}/") or other.lower() == path.lower()) for other in files):
        return "another file stands in its place"
    if isinstance(content, bytes):
        return "Python code is text, not bytes" if path.endswith(".py") else None
    return _problem_of_text(path, content)


def _unsaid(content: str | bytes, draft: str) -> str | None:
    """That a text hides that it is a draft."""
    return f"it does not say `{draft}`" if isinstance(content, str) and draft not in content else None


def _problem_of_text(path: str, text: str) -> str | None:
    if not isinstance(text, str):
        return f"its content is neither text nor bytes, but {type(text).__name__}"
    if not text.endswith("\n") or any(line != line.rstrip() for line in text.split("\n")):
        return "the text has trailing spaces or no final newline"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"not text that Python reads: {type(error).__name__}"
    return _problem_of_code(text) if path.endswith(".py") else None


@lru_cache(maxsize=256)  # one process often emits folders that have most of their files in common
def _problem_of_code(text: str) -> str | None:
    try:
        compile(text, "<emitted>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return f"not Python: {error.msg} in line {error.lineno}"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"not text that Python reads: {type(error).__name__}"
    return None
