"""What `httpguard top` shows: a page's JSON as tables in a terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from .._model.redaction import printable
from .._report.terminal import COLOURS
from .._stacks.raw import BEFORE, BEFORE_FILENAME
from .._text.pools import describe_starved
from .top_keys import HELP

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .top_keys import Choice

# Of responses, one by one.
_MOST_ROWS: Final = 10
# Lines that are no row: the head, and title, headings and a gap of each table.
_OTHER_LINES: Final = 15
# In a terminal of so many lines a fix may take more than one.
_TALL: Final = 30
_WRAPPED: Final = 3
_FEWEST: Final = 3
_FLEXIBLE: Final = frozenset({"site", "request", "oldest request", "pool"})
_MINUTE: Final = 60
_HOUR: Final = 3600


def screen(
    state: dict[str, Any], height: int, note: str = "", choice: Choice | None = None
) -> RenderableType:
    """The whole screen.

    Args:
        height: Lines of the terminal; 0: as many as it takes.
        note: A line at its end, such as why the figures are old.
        choice: None where there are no keys.
    """
    before = _what_was_before(state.get("attached", {}))
    tall = height >= _TALL
    other = _OTHER_LINES + (_WRAPPED if tall else 0)
    other += sum(text.plain.count("\n") + 1 for text in before)
    rows = max((height - other) // 3, _FEWEST) if height else 0
    parts: list[RenderableType] = [_head(state)]
    if not state.get("installed"):
        parts.append(Text("httpguard is not installed in this program", "yellow"))
    parts += [_figures(state), *before, Text()]
    if choice is None:
        parts += _leaks(state, state["leaks"], rows, None)
    else:
        leaks = choice.sort(state["leaks"])
        # The last one where there are fewer now.
        selected = min(choice.row, len(leaks) - 1)
        parts += _leaks(state, leaks, rows, selected)
        if leaks:
            parts.append(_fix(leaks[selected], wraps=tall))
    parts += [Text(), *_open(state, rows), Text(), *_pools(state, rows)]
    if choice is not None:
        parts.append(Text(HELP, "dim", no_wrap=True, overflow="ellipsis"))
    if note:
        parts.append(Text(printable(note), "red"))
    return Group(*parts)


def _what_was_before(attached: dict[str, Any]) -> list[Text]:
    """Starved pools, and what was open before httpguard came; nothing of a page."""
    parts: list[Text] = []
    if attached.get("only_shown"):
        parts.append(Text("this program has httpguard itself: it is only shown", "dim"))
    for details in attached.get("starved", ()):
        parts += [Text(), Text(_printable_lines(describe_starved(details)), "red")]
    rows = attached.get("before", [])
    sessions = attached.get("sessions", {})
    if rows or sessions:
        parts += [Text(), Text.assemble(("Open before httpguard came", "bold"))]
    if sessions:
        known = ", ".join(f"{count} of {name}" for name, count in sessions.items())
        parts.append(Text(f"  sessions: {printable(known)}"))
    parts += [Text(_before(row)) for row in rows[:_MOST_ROWS]]
    if len(rows) > _MOST_ROWS:
        parts.append(Text(f"  and {len(rows) - _MOST_ROWS} more", "dim"))
    notes = list(attached.get("notes", ()))
    looked, objects = attached.get("looked_at", 0), attached.get("objects", 0)
    if looked < objects:
        notes.append(f"looked at {looked:,} of {objects:,} objects: see --look")
    parts += [Text(_printable_lines(note), "yellow") for note in notes]
    parts += [Text(printable(other), "dim") for other in attached.get("others", ())]
    return parts


def _printable_lines(text: str) -> str:
    return "\n".join(map(printable, text.splitlines()))


def _before(row: dict[str, Any]) -> str:
    length = row["length"]
    read = (
        f"{row['bytes_read']:,}{'' if length is None else f' of {length:,}'} bytes read"
    )
    what = [f"{row['method']} {row['url']}".strip() or row["pool"], row["client"], read]
    if row["closed"]:
        what.append("closed, and its slot has not come back")
    if row["read_by"]:
        what.append(f"{row['read_by']} waits in a read of it")
    text = "  > " + " · ".join(map(str, what))
    if row["held_by"]:
        text += f"\n      held by: {row['held_by']}"
    return _printable_lines(text)


def _head(state: dict[str, Any]) -> Text:
    program = state["program"]
    name = printable(str(program["name"]))
    where = f"process {program['pid']} on {printable(str(program['host']))}"
    version = printable(str(state["httpguard"]))
    return Text.assemble((name, "bold"), f" · {where} · httpguard {version}")


def _figures(state: dict[str, Any]) -> Text:
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


def _leaks(
    state: dict[str, Any], leaks: list[dict[str, Any]], most: int, selected: int | None
) -> list[RenderableType]:
    table = _table("kind", ">count", "site", "request", ">last")
    # The selected row is always among those that there is room for.
    first = max((selected or 0) - most + 1, 0) if most else 0
    for number, leak in enumerate(leaks[first : first + most if most else None], first):
        kind = printable(str(leak["kind"]))
        table.add_row(
            Text(kind, COLOURS.get(kind, "")),
            Text(str(leak["count"])),
            _site(leak),
            _request(leak),
            Text(_time(str(leak["last_seen"]))),
            style="reverse" if number == selected else "",
        )
    rows = len(leaks) + state["left_out"]["leaks"]
    return _titled("Leaks", table, rows, "No leak so far.")


def _fix(leak: dict[str, Any], *, wraps: bool) -> Text:
    hint = printable(str(leak.get("hint", "")))
    overflow: Any = "fold" if wraps else "ellipsis"
    return Text.assemble(("fix: ", "green"), hint, no_wrap=not wraps, overflow=overflow)


def _open(state: dict[str, Any], most: int) -> list[RenderableType]:
    table = _table(">open", ">oldest", ">idle", ">read", "site", "oldest request")
    sites = state["open_sites"]
    for row in sites[: most or None]:
        table.add_row(
            Text(str(row["count"])),
            Text(_age(row)),
            Text(duration(row["idle"])),
            Text(size(row["bytes_read"])),
            _site(row),
            _request(row),
        )
    rows = len(sites) + state["left_out"]["open_sites"]
    return _titled("Open now", table, rows, "Nothing is open.")


def _pools(state: dict[str, Any], most: int) -> list[RenderableType]:
    """Pools that have something open or lost."""
    table = _table(">in use", ">lost", "pool", "when full")
    pools = [pool for pool in state["pools"] if pool["open"] or pool["lost"]]
    for pool in pools[: most or None]:
        times = f" ({pool['count']} pools)" if pool["count"] > 1 else ""
        table.add_row(
            Text(f"{pool['taken']} of {pool['size']}"),
            Text(str(pool["lost"]), "red" if pool["lost"] else ""),
            _line(f"{pool['name']}{times}"),
            Text("requests wait" if pool["block"] else "opens more"),
        )
    rows = len(pools) + state["left_out"]["pools"]
    return _titled("Pools", table, rows, "None is in use.")


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


def _titled(title: str, table: Table, rows: int, nothing: str) -> list[RenderableType]:
    if not table.row_count:
        return [Text(f"{title}: {nothing}")]
    hidden = rows - table.row_count
    more = f"  ({hidden} more not shown)" if hidden else ""
    return [Text.assemble((title, "bold"), (more, "dim")), table]


def _site(row: dict[str, Any]) -> Text:
    site = row["site"]
    if site["filename"] == BEFORE_FILENAME:
        return Text(f"({BEFORE})", "italic", no_wrap=True)
    name = os.path.basename(str(site["filename"]))
    return _line(f"{name}:{site['lineno']} in {site['function']}")


def _request(row: dict[str, Any]) -> Text:
    return _line(f"{row['method']} {row['url']}")


def _age(row: dict[str, Any]) -> str:
    """Of what was opened before httpguard came, no more is known."""
    before = row["site"]["filename"] == BEFORE_FILENAME
    return f"{'> ' if before else ''}{duration(row['age'])}"


def _line(text: str) -> Text:
    return Text(printable(text), no_wrap=True, overflow="ellipsis")


def _time(when: str) -> str:
    """The time of day, as this machine's clock shows it."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(when).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return printable(when)


def _known(number: float | None) -> str:
    return "-" if number is None else str(number)


def duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE)} s"
    return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // _MINUTE)} min"


def size(number: float | None) -> str:
    return "-" if number is None else decimal(int(number))
