"""A paper's architecture table -> layers, and a claim for every cell of a row that claims something."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass

from segcompile.language.expressions import Values
from segcompile.language.ledger import MAX_LAYERS
from segcompile.language.ranges import written_out
from segcompile.language.values import read_flag
from segcompile.language.words import Meant, called
from segcompile.ops import ALL_OPS, BY_KIND, SPELLINGS
from segcompile.text.errors import Diagnostic, Label, Span, finding, gathering
from segcompile.text.source import Mapping, Node, Scalar, Sequence, describe

PAPER_NAMES = {"convolution": "kernel", "truncation": "act", "output_channels": "main", "channels": "main"}
CLAIM_ROWS = ("receptive_field", "size", "margin", "parameters", "macs")
_ATTRIBUTES = frozenset(name for op in ALL_OPS for name in op.model_fields) | {
    "from",
    "share",
    "norm",
    "act",
    "drop",
    "main",
    "op",
    "layer",
}
_EMPTY = ("-", "–", "")


@dataclass(frozen=True, slots=True)
class Table:
    """The same network as `layers:` would say it, and the claims: (layer, what, cell).

    `whole` is False if a column could not be read, so that its layer is missing.
    """

    layers: Sequence
    claims: tuple[tuple[str, str, Node], ...] = ()
    whole: bool = True


def read_table(table: Mapping, values: Values, wrong: list[Diagnostic]) -> Table:
    """The layers of a table, and its claims; `values` are for the ranges in its rows. What is wrong goes to `wrong`:
    SC004 or SC008 for a column that is no layer; SC002, SC003 and SC004 for a row, SC007 for its length, SC012 for no
    row at all, and then there is no layer.
    """
    outline: list[Diagnostic] = []
    rows = _rows(table, values, outline)
    width = _width(table, rows, outline)
    wrong += outline
    if outline:
        return Table(Sequence((), table.span), whole=False)
    layers: list[Node] = []
    claims: list[tuple[str, str, Node]] = []
    for column in range(width):
        every = {name: _cell(row, column) for name, row in rows.items()}
        cells = {name: cell for name, cell in every.items() if not _is_empty(cell)}
        if not _are_words(cells, wrong):
            continue
        name = _layer_name(cells.pop("layer", None), column, next(iter(every.values())).span)
        claims += [(name.text, key, cells.pop(key)) for key in CLAIM_ROWS if key in cells]
        layer = _layer(name, cells, every, wrong)
        if layer is not None:
            layers.append(layer)
    return Table(Sequence(tuple(layers), table.span), tuple(claims), len(layers) == width)


def _rows(table: Mapping, values: Values, wrong: list[Diagnostic]) -> dict[str, Node]:
    """Row name in our words -> the row, with its ranges written out."""
    rows: dict[str, Node] = {}
    written_as: dict[str, Scalar] = {}
    for key, value in table.entries.values():
        written = key.text.replace(" ", "_")
        name = PAPER_NAMES.get(written, written)
        if name not in _ATTRIBUTES and name not in CLAIM_ROWS:
            known = [*PAPER_NAMES, *sorted(_ATTRIBUTES), *CLAIM_ROWS]
            help = _row_help(written, value, known)
            wrong.append(finding("SC003", f"a table has no row `{key.text}`", key.span, help=help))
        elif name in rows:
            labels = [Label(written_as[name].span, "first written here")]
            message = f"`{key.text}` says the same row a second time"
            wrong.append(finding("SC002", message, key.span, labels=labels, help="keep one of them"))
        elif isinstance(value, Mapping):
            message = f"row `{key.text}` is a list of cells, not a mapping"
            wrong.append(finding("SC004", message, value.span, help="are these `variants`?"))
        else:
            rows[name] = value
            with gathering(wrong):
                rows[name] = written_out(value, values)
            written_as[name] = key
    return rows


def _row_help(written: str, row: Node, known: list[str]) -> str | Meant:
    paper = called("row", written, [name.replace("_", " ") for name in known])
    return paper or Meant("attribute", written, tuple(known), row, otherwise="any attribute of an op is a row")


def _width(table: Mapping, rows: MappingOf[str, Node], wrong: list[Diagnostic]) -> int:
    """How many columns there are: what most of the rows agree on."""
    lists = {name: row for name, row in rows.items() if isinstance(row, Sequence)}
    if not lists:
        wrong.append(finding("SC012", "a table needs at least one row with a list of cells", table.span))
        return 0
    lengths = [len(row.items) for row in lists.values()]
    width = max(lengths, key=lambda length: (lengths.count(length), length))
    if width > MAX_LAYERS:
        wrong.append(finding("SC111", f"a table of {width:,} columns; {MAX_LAYERS:,} is the most", table.span))
    agreed = next(row for row in lists.values() if len(row.items) == width)
    for name, row in lists.items():
        if len(row.items) != width:
            message = f"row `{name.replace('_', ' ')}` has {len(row.items)} cells; the table has {width} columns"
            wrong.append(finding("SC007", message, row.span, labels=[Label(agreed.span, f"{width} cells here")]))
    return width


def _cell(row: Node, column: int) -> Node:
    return row.items[column] if isinstance(row, Sequence) else row


def _is_empty(cell: Node) -> bool:
    return isinstance(cell, Scalar) and not cell.quoted and cell.text in _EMPTY


def _are_words(cells: MappingOf[str, Node], wrong: list[Diagnostic]) -> bool:
    """Whether the cells that say a layer's name and op are words; SC004 for one that is not."""
    odd = [(name, cells[name]) for name in ("layer", "op") if not isinstance(cells.get(name), Scalar | None)]
    for name, cell in odd:
        message = f"a cell of row `{name}` is a word or a number, not {describe(cell)}"
        wrong.append(finding("SC004", message, cell.span, help="one cell a column"))
    return not odd


def _layer_name(cell: Node | None, column: int, span: Span) -> Scalar:
    """A number n in the `layer` row names layer<n>; without that row the columns are numbered."""
    if not isinstance(cell, Scalar):
        return Scalar(f"layer{column + 1}", span)
    return Scalar(f"layer{cell.text}" if cell.text.isascii() and cell.text.isdigit() else cell.text, cell.span)


def _layer(name: Scalar, cells: dict[str, Node], every: dict[str, Node], wrong: list[Diagnostic]) -> Mapping | None:
    """One column as `- name: {op: main, attribute: value}`; `every` has its empty cells as well."""
    op = _op(cells.pop("op", None), name)
    kind = cells.pop("kind", None)
    main = cells.pop("main", None) or kind
    if " " in op.text.strip():  # `max pool`, `pool max`: the main argument beside the op
        words = op.text.split()
        spelling = next((word for word in words if word in SPELLINGS), words[0])
        rest = " ".join(word for word in words if word != spelling)
        op, main = Scalar(spelling, op.span), main or Scalar(rest, op.span)
    if main is None:
        row = "kind" if BY_KIND.get(op.text) else "output channels"
        empty = every.get("main") or every.get("kind")
        help = "fill this cell" if empty is not None else f"add a row `{row}` to the table"
        wrong.append(finding("SC008", f"{name.text} has no `{row}`", (empty or name).span, help=help))
        return None
    entries: dict[str, tuple[Scalar, Node]] = {op.text: (op, main)}
    for attribute, cell in cells.items():
        value = _truncation(cell) if attribute == "act" else cell
        entries[attribute] = (Scalar(attribute, cell.span), value)
    return Mapping({name.text: (name, Mapping(entries, name.span))}, name.span)


def _op(cell: Node | None, name: Scalar) -> Scalar:
    return cell if isinstance(cell, Scalar) else Scalar("conv", name.span)


def _truncation(cell: Node) -> Node:
    """Truncation is max(., 0): `yes` is a ReLU, `no` is nothing; any activation's own name is one too."""
    if isinstance(cell, Scalar) and cell.text in ("yes", "Yes", "true", "True", "no", "No", "false", "False"):
        return Scalar("relu" if read_flag(cell, {}) else "none", cell.span)
    return cell
