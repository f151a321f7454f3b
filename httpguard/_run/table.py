"""The table of what leaked in a run."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from .._model.kinds import CODES
from .._model.redaction import MOST_SOURCE, printable_within
from .._model.words import many
from .._report.result import shorten, what_leaked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from .._report.result import Site

_MOST_ROWS: Final = 50
_NARROWEST: Final = 24
_OPENED: Final = "opened at, and the latest request"
_LOST: Final = "lost in"


def show_leaks(console: Console, found: Sequence[Site], processes: int) -> None:
    """The sites, out of so many processes that leaked."""
    console.print(_title(found, processes), style="bold", markup=False)
    shown = found[:_MOST_ROWS]
    root = os.getcwd()
    columns: dict[str, Callable[[Site], str | Text]] = {
        "leaks": _count,
        "kind": lambda site: Text(site.kind, "yellow"),
        _OPENED: lambda site: _place(site, root),
    }
    # The title says of one process that it is one.
    if processes > 1:
        columns["processes"] = lambda site: str(site.processes)
    if any(site.example.status for site in shown):
        columns["status"] = lambda site: site.example.status
    if any(site.example.culprit for site in shown):
        columns[_LOST] = lambda site: Text(shorten(site.example.culprit, root))
    table = Table(show_lines=len(found) > 1)
    for name in columns:
        if name in {_OPENED, _LOST}:
            table.add_column(name, overflow="fold", min_width=_NARROWEST)
        else:
            table.add_column(name, justify="left" if name == "kind" else "right")
    for site in shown:
        table.add_row(*(show(site) for show in columns.values()))
    console.print(table)
    if len(found) > _MOST_ROWS:
        console.print(f"… and {len(found) - _MOST_ROWS:,} more places")
    if any(site.at_least for site in shown):
        console.print(
            "+: at least; a process was killed before it could sum up, or left by"
            " os._exit"
        )
    _show_fixes(console, shown, root)


def _show_fixes(console: Console, shown: Sequence[Site], root: str) -> None:
    """How to fix them: said once where it is the same for many lines."""
    sites: dict[tuple[str, str, str], list[Site]] = {}
    for site in shown:
        client = dict(site.example.fields).get("client", "")
        sites.setdefault((site.kind, client, site.example.hint), []).append(site)
    several = Counter((kind, client) for kind, client, _ in sites)
    for (kind, client, hint), alike in sites.items():
        where = ""
        if several[kind, client] > 1:
            lines = (f"{shorten(s.filename, root)}:{s.lineno}" for s in alike)
            where = f" at {', '.join(lines)}"
        console.print(
            f"fix [yellow]{kind}[/yellow] ({client}){escape(where)}: {escape(hint)}"
        )
    codes = dict.fromkeys(CODES[kind] for kind, _, _ in sites if kind in CODES)
    console.print(f"more: httpguard explain {' '.join(codes)}")


def _title(found: Sequence[Site], processes: int) -> str:
    counts = Counter[str]()
    for site in found:
        counts[what_leaked(site.kind)] += site.leaks
    leaked = " and ".join(many(counts[noun], noun) for noun in sorted(counts))
    return (
        f"httpguard: {leaked} leaked, opened at {many(len(found), 'place')},"
        f" in {many(processes, 'process', 'processes')}"
    )


def _count(site: Site) -> str:
    resolved = f"\n({site.resolved:,} resolved)" if site.resolved else ""
    return f"{site.count}{resolved}"


def _place(site: Site, root: str) -> Text:
    text = Text(shorten(site.place, root), style="bold")
    source = printable_within(site.source, MOST_SOURCE)
    if source:
        text.append(f"\n  {source}", style="not bold")
    example = site.example
    request = example.request or dict(example.fields).get("pool", "")
    text.append(f"\n  {request}", style="not bold dim")
    if example.held_by:
        text.append(f"\n  held by {example.held_by}", style="not bold dim")
    return text
