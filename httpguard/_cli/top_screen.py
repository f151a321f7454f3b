"""What `httpguard top` shows: a page's JSON as tables in a terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from .._model.redaction import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

_KINDS: Final = {
    "dropped": "red",
    "held": "yellow",
    "unreleased": "magenta",
    "open": "cyan",
}
# Lines that are no row: the head, and title, headings and a gap of each table.
_OTHER_LINES: Final = 13
_FEWEST: Final = 3
_FLEXIBLE: Final = frozenset({"site", "request", "oldest request", "pool"})
_MINUTE: Final = 60
_HOUR: Final = 3600
_THOUSAND: Final = 1000


def screen(state: dict[str, Any], height: int, note: str = "") -> RenderableType:
    """The whole screen.

    Args:
        state: The JSON of a page.
        height: Lines of the terminal; 0: as many as it takes.
        note: A line at its end, such as why the figures are old.
    """
    rows = max((height - _OTHER_LINES) // 3, _FEWEST) if height else 0
    parts: list[RenderableType] = [
        _head(state),
        _figures(state),
        Text(),
        *_leaks(state, rows),
        Text(),
        *_open(state, rows),
        Text(),
        *_pools(state, rows),
    ]
    if not state.get("installed"):
        parts.insert(1, Text("httpguard is not installed in this program", "yellow"))
    if note:
        parts.append(Text(printable(note), "red"))
    return Group(*parts)


def _head(state: dict[str, Any]) -> Text:
    """Which program it is."""
    program = state["program"]
    name = printable(str(program["name"]))
    where = f"process {program['pid']} on {printable(str(program['host']))}"
    version = printable(str(state["httpguard"]))
    return Text.assemble((name, "bold"), f" · {where} · httpguard {version}")


def _figures(state: dict[str, Any]) -> Text:
    """The numbers that the page has at its top."""
    process, counters = state["process"], state["counters"]
    leaks = counters.get("leaks", 0)
    lost = sum(pool["lost"] for pool in state["pools"])
    limit = process["fd_limit"]
    parts = [
        Text(f"open {state['open_now']}", "bold"),
        Text(f"leaks {leaks}", "bold red" if leaks else "bold"),
        Text(f"slots lost {lost}", "bold red" if lost else "bold"),
        Text(f"resolved {counters.get('resolved', 0)}"),
        Text(f"fds {_known(process['fds'])}{f' of {limit}' if limit else ''}"),
        Text(f"threads {_known(process['threads'])}"),
        Text(f"memory {size(process['rss'])}"),
        Text(f"up {duration(process['uptime'])}"),
    ]
    return Text("  ").join(parts)


def _leaks(state: dict[str, Any], most: int) -> list[RenderableType]:
    """Leaks by kind and site."""
    table = _table("kind", ">count", "site", "request", ">last")
    leaks = state["leaks"]
    for leak in leaks[: most or None]:
        kind = printable(str(leak["kind"]))
        table.add_row(
            Text(kind, _KINDS.get(kind, "")),
            Text(str(leak["count"])),
            _site(leak),
            _request(leak),
            Text(_time(str(leak["last_seen"]))),
        )
    left_out = state["left_out"]["leaks"]
    hidden = _hidden(len(leaks), most, left_out)
    return _titled("Leaks", table, hidden, "No leak so far.")


def _open(state: dict[str, Any], most: int) -> list[RenderableType]:
    """Open responses by site."""
    table = _table(">open", ">oldest", ">idle", ">read", "site", "oldest request")
    sites = state["open_sites"]
    for row in sites[: most or None]:
        table.add_row(
            Text(str(row["count"])),
            Text(duration(row["age"])),
            Text(duration(row["idle"])),
            Text(size(row["bytes_read"])),
            _site(row),
            _request(row),
        )
    left_out = state["left_out"]["open_sites"]
    hidden = _hidden(len(sites), most, left_out)
    return _titled("Open now", table, hidden, "Nothing is open.")


def _pools(state: dict[str, Any], most: int) -> list[RenderableType]:
    """Pools that have something open or lost."""
    table = _table(">in use", ">lost", "pool", "when full")
    pools = [pool for pool in state["pools"] if pool["open"] or pool["lost"]]
    for pool in pools[: most or None]:
        table.add_row(
            Text(f"{pool['taken']} of {pool['size']}"),
            Text(str(pool["lost"]), "red" if pool["lost"] else ""),
            _line(str(pool["name"])),
            Text("requests wait" if pool["block"] else "opens more"),
        )
    left_out = state["left_out"]["pools"]
    hidden = _hidden(len(pools), most, left_out)
    return _titled("Pools", table, hidden, "None is in use.")


def _hidden(rows: int, most: int, left_out: int) -> int:
    """How many rows there are beside those shown."""
    return left_out + (max(rows - most, 0) if most else 0)


def _table(*names: str) -> Table:
    """An empty table; a name that begins with ``>`` is of numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(
            name.lstrip(">"),
            justify="right" if name.startswith(">") else "left",
            # In a narrow terminal those with texts give way.
            no_wrap=name not in _FLEXIBLE,
        )
    return table


def _titled(
    title: str, table: Table, hidden: int, nothing: str
) -> list[RenderableType]:
    """A table under its title, or a sentence where there is nothing in it."""
    if not table.row_count:
        return [Text(f"{title}: {nothing}")]
    more = f"  ({hidden} more not shown)" if hidden else ""
    return [Text.assemble((title, "bold"), (more, "dim")), table]


def _site(row: dict[str, Any]) -> Text:
    """The file's name, line and function."""
    site = row["site"]
    name = os.path.basename(str(site["filename"]))
    return _line(f"{name}:{site['lineno']} in {site['function']}")


def _request(row: dict[str, Any]) -> Text:
    """Method and URL."""
    return _line(f"{row['method']} {row['url']}")


def _line(text: str) -> Text:
    """A text that is cut where there is no room for it."""
    return Text(printable(text), no_wrap=True, overflow="ellipsis")


def _time(when: str) -> str:
    """The time of day, as this machine's clock shows it."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(when).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return printable(when)


def _known(number: float | None) -> str:
    """A number, or a dash where it is not to be had."""
    return "-" if number is None else str(number)


def duration(seconds: float) -> str:
    """Seconds as a person reads them."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE)} s"
    return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // _MINUTE)} min"


def size(number: float | None) -> str:
    """Bytes as a person reads them."""
    if number is None:
        return "-"
    for unit in ("B", "kB", "MB", "GB"):
        if number < _THOUSAND:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= _THOUSAND
    return f"{number:.1f} TB"
