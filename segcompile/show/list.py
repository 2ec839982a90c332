"""What `segcompile list` tells: the networks of the bundled specs, the installed backends, and the ops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

from segcompile.ops import MEDIUM
from segcompile.show.numbers import short

Network = Mapping[str, Any]  # an entry of the index
Op = tuple[str, str, str]  # its name in a spec, its kinds, and what it is

_HEAD = ("network", "year", "paper", "rank", "parameters", "MACs", "receptive field", "stride", "size")
_LEFT = ("network", "paper")  # columns of words; the others are numbers


def chosen(
    networks: Sequence[Network], rank: int | None = None, most: Fraction | None = None, about: str = ""
) -> list[Network]:
    """The networks of a rank, with at most so many parameters, that speak of every word of `about`."""
    return [
        network
        for network in networks
        if rank in (None, network["rank"])
        and (most is None or network["parameters"] <= most)
        and all(word in _prose(network) for word in about.casefold().split())
    ]


def _prose(network: Network) -> str:
    """All that the words of a question are looked for in."""
    return "\n".join((_title(network), network["about"], *network["cite"].values())).casefold()


def table(networks: Sequence[Network]) -> str:
    """A row a network, with its parameters, its cost and what its output sees."""
    rows = [_HEAD, *map(_row, networks)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    rule = "  ".join("─" * width for width in widths)
    head, *lines = (_line(row, widths) for row in rows)
    return "\n".join([head, rule, *lines])


def _line(row: tuple[str, ...], widths: Sequence[int]) -> str:
    cells = zip(_HEAD, row, widths, strict=True)
    return "  ".join(cell.ljust(w) if column in _LEFT else cell.rjust(w) for column, cell, w in cells).rstrip()


def _row(network: Network) -> tuple[str, ...]:
    size = next(iter(network["inputs"].values()))["size"]
    return (
        _title(network),
        str(network["year"] or ""),
        _paper(network["cite"]),
        str(network["rank"]),
        f"{network['parameters']:,}",
        "any" if network["macs"] is None else short(network["macs"]),
        _field(network),
        _each(network["stride"] or [""]),
        _each(size),
    )


def _title(network: Network) -> str:
    """`dilated_context@large`, as `segcompile diff` takes it."""
    return f"{network['spec']}@{network['variant']}" if network["variant"] else network["spec"]


def _paper(cite: Mapping[str, str]) -> str:
    """`arXiv 1511.07122`; otherwise the DOI, or of an address the host and what is first there."""
    if "arxiv" in cite:
        return f"arXiv {cite['arxiv']}"
    if "doi" in cite:
        return f"doi {cite['doi']}"
    url = urlsplit(cite.get("url", ""))
    return "/".join([url.netloc, *url.path.split("/")[1:3]])


def _field(network: Network) -> str:
    if network.get("whole_image"):
        return f"whole {MEDIUM[network['rank']]}"
    if network["receptive_field"] is None:  # as `rf` says of one size, too many phases to list
        return "any" if network["macs"] is None else "not listed"
    return ("≤ " if network.get("data_dependent") else "") + _each(network["receptive_field"])


def _each(numbers: Sequence[int | float | str]) -> str:
    """`500`, or `425x560` where the axes differ, `any x 64` where one is left open."""
    said = ["any" if isinstance(number, str) and number.isalpha() else f"{number}" for number in numbers]
    return said[0] if len(set(said)) == 1 else (" x " if "any" in said else "x").join(said)


def list_text(networks: Sequence[Network], backends: Mapping[str, str], ops: Sequence[Op]) -> str:
    """The three lists, one under the other."""
    lines = [table(networks), "", "backends"]
    lines += [f"  {name:<12}{value}" for name, value in backends.items()] or ["  none: pip install segcompile-torch"]
    lines += ["", "ops"]
    width = max(len(op) for op, _, _ in ops) + 2
    for op, kind, summary in ops:
        lines.append(f"  {op:<{width}}{summary}" + (f" ({kind})" if kind else ""))
    return "\n".join(lines)


def list_json(networks: Sequence[Network], backends: Mapping[str, str], ops: Sequence[Op]) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "specs": sorted({network["spec"] for network in networks}),
        "networks": list(networks),
        "backends": dict(backends),
        "ops": [{"op": op, "kinds": kind, "summary": summary} for op, kind, summary in ops],
    }
