"""The report in a terminal, by rich."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .._model.words import many
from .result import per, shorten

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import TextIO

    from .notice import Notice
    from .result import Report, Site

_BARS: Final = "▁▂▃▄▅▆▇█"
_WIDEST: Final = 24
# Where the output is no terminal and nobody has set COLUMNS.
_WIDTH: Final = 120
# From so many columns on there is room for all that belongs to a site.
_ROOMY: Final = 110
_NARROWEST: Final = 20
COLOURS: Final = {
    "dropped": "red",
    "held": "yellow",
    "unreleased": "magenta",
    "open": "cyan",
    "session": "green",
}
"""Of the kinds of leaks."""
_PROGRAMS: Final = 3
_DAMAGED: Final = 5


def show(report: Report, console: Console, root: str, top: int) -> None:
    """Print it, file names relative to `root`, and so many sites; 0: all."""
    shown = report.sites[:top] if top else report.sites
    if shown:
        console.print(_overview(shown, root, console.width))
        for number, site in enumerate(shown, 1):
            console.print()
            text = Text(f"{number}. ", "bold", overflow="fold")
            text.append(f"{site.kind} ", COLOURS.get(site.kind, ""))
            console.print(text.append(shorten(site.place, root)))
            console.print(Padding(_details(site, root), (0, 0, 0, 3)))
    rest = len(report.sites) - len(shown)
    if rest:
        console.print(f"\n… and {rest:,} more; `--top 0` shows all.")
    if shown:
        console.print()
    for notice in report.notices:
        console.print(Padding(_notice(notice), (0, 0, 0, 2)))
    console.print(_totals(report))
    _notes(report, console)


def console_on(stream: TextIO) -> Console:
    """A console that writes a table wide enough to be read, also into a file."""
    wide = stream.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return Console(file=stream, width=None if wide else _WIDTH, highlight=False)


def _overview(sites: tuple[Site, ...], root: str, width: int) -> Table:
    """One line for each site; what is least needed goes where there is no room."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns: dict[str, Callable[[int, Site], str | Text]] = {
        "#": lambda number, _: str(number),
        "harm": lambda _, site: f"{site.harm:,}",
        "leaks": lambda _, site: site.count,
        "kind": lambda _, site: Text(site.kind, COLOURS.get(site.kind, "")),
        "site": lambda _, site: Text(shorten(site.place, root)),
        "processes": lambda _, site: f"{site.processes:,}",
    }
    if any(site.example.status for site in sites):
        columns["status"] = lambda _, site: site.example.status
    if any(site.example.culprit for site in sites) and width >= _WIDTH:
        columns["lost in"] = lambda _, site: shorten(site.example.culprit, root)
    if width >= _ROOMY:
        trend = sites[0].trend
        heading = per(trend.minutes * _together(trend.leaks))
        columns[heading] = lambda _, site: sparkline(site.trend.leaks)
        columns["last seen, UTC"] = lambda _, site: _minute(site.last_seen)
    for name in columns:
        if name in {"site", "lost in"}:
            table.add_column(name, overflow="fold", ratio=1, min_width=_NARROWEST)
        else:
            right = name in {"#", "harm", "leaks", "processes", "status"}
            table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for number, site in enumerate(sites, 1):
        table.add_row(*(show(number, site) for show in columns.values()))
    return table


def sparkline(numbers: tuple[int, ...]) -> str:
    """Numbers as bars, a space for none; of too many, neighbours are added up."""
    size = _together(numbers)
    sums = [sum(numbers[at : at + size]) for at in range(0, len(numbers), size)]
    top = max(sums, default=0)
    return "".join(
        _BARS[(number * len(_BARS) - 1) // top] if number else " " for number in sums
    )


def _together(numbers: tuple[int, ...]) -> int:
    """How many neighbours one bar stands for."""
    return -(-len(numbers) // _WIDEST) or 1


def _details(site: Site, root: str) -> Text:
    text = Text(f"{_figures(site)}\n{_where(site)}\n", overflow="fold")
    if site.first_seen or site.last_seen:
        text.append(
            f"first seen {_second(site.first_seen)},"
            f" last seen {_second(site.last_seen)} UTC\n"
        )
    example = site.example
    if example.request:
        about = [f"{name} {value}" for name, value in example.fields]
        text.append("for example " + " · ".join([example.request, *about]) + "\n")
    if example.culprit:
        text.append(f"lost in {shorten(example.culprit, root)}\n", "bold")
    if example.held_by:
        text.append(f"held by {example.held_by}\n", "bold")
    for step in example.stack:
        mark = ">" if step.application else " "
        style = "" if step.application else "dim"
        name = shorten(step.filename, root)
        text.append(f"{mark} {name}:{step.lineno} in {step.function}\n", style)
        if step.source:
            text.append(f"      {step.source}\n", style)
    if example.hint:
        text.append("fix: ", "green")
        text.append(example.hint)
    text.rstrip()
    return text


def _figures(site: Site) -> str:
    resolved = f", {site.resolved:,} resolved" if site.resolved else ""
    processes = many(site.processes, "process", "processes")
    return (
        f"{many(site.leaks, 'leak')}{resolved} in {processes},"
        f" at most {site.most:,} in one · harm {site.harm:,}"
    )


def _where(site: Site) -> str:
    named = [program for program in site.programs if program.name]
    parts = [f"{one.name} ({one.leaks:,})" for one in named[:_PROGRAMS]]
    if len(named) > _PROGRAMS:
        parts.append(f"{len(named) - _PROGRAMS} more")
    hosts = many(site.hosts, "host") if site.hosts else ""
    said = many(site.events, "line") + " of the log"
    return " · ".join(filter(None, [", ".join(parts), hosts, said]))


def _totals(report: Report) -> Text:
    reading = report.reading
    since = f" since {_minute(report.since)} UTC" if report.since else ""
    found = (
        f"{many(report.leaks, 'leak')} at {many(len(report.sites), 'site')}{since}"
        if report.sites
        else f"no leaks{since}"
    )
    if report.known:
        found += f", {len(report.known)} more that the baseline tolerates"
    if report.hidden:
        found += f", {report.hidden:,} more left out by --kind and --site"
    files = many(len(reading.files), "file")
    text = Text(f"{found}; read {many(reading.lines, 'line')} of {files}", "bold")
    events = [f"{n:,} {name}" for name, n in reading.events.items()]
    if events:
        text.append("\n" + ", ".join(events), "not bold")
    return text


def _notice(notice: Notice) -> Text:
    times = f" · {many(notice.times, 'time')}, last {_minute(notice.last_seen)} UTC"
    text = Text(notice.event.replace("_", " "), "bold", overflow="fold")
    text.append(f" {notice.subject}", "not bold")
    text.append(times if notice.last_seen else times.partition(",")[0], "not bold")
    if notice.says:
        text.append(f"\n{notice.says}", "not bold dim")
    if notice.hint:
        text.append("\nfix: ", "not bold green").append(notice.hint, "not bold")
    return text


def _notes(report: Report, console: Console) -> None:
    for entry in report.fixed:
        console.print(f"fixed, and can leave the baseline: {escape(entry)}")
    reading = report.reading
    if any(site.at_least for site in report.sites):
        console.print(
            "+: at least; a process was killed or is running, and has not summed up"
        )
    for file in reading.foreign:
        console.print(f"[yellow]no line of httpguard[/] in {escape(file)}")
    for problem, count in reading.problems.items():
        console.print(f"[yellow]{many(count, 'damaged line')}[/]: {escape(problem)}")
    for line in reading.damaged[:_DAMAGED]:
        console.print(f"  {escape(str(line))}", soft_wrap=True)
    if sum(reading.problems.values()) > _DAMAGED < len(reading.damaged):
        console.print("  …")


def _minute(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else ""


def _second(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}" if time else "?"
