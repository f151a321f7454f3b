"""The demo as it is seen: logs as they come, and a sentence before each report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .program import find_marks, judge, read_source, run
from .shop import open_shop

if TYPE_CHECKING:
    from rich.console import Console

    from .program import Outcome

# Of the lines of a log that have such words.
_MEANINGS: Final = {
    "leak dropped": (
        "the last reference to the response went while it still held its"
        " connection, which its pool never gets back."
    ),
    "leak unreleased": (
        "`with` closed the response, but a pool with block=True waits for a"
        " release: one of its slots is lost, and when all are, requests hang."
    ),
    "leak open": (
        "the scope of `no_leaks` ended with a response open; it raises LeakError,"
        " so that a test or a job fails where the leak is."
    ),
    "leak held": (
        "still referenced, and nothing read from it for `max_idle` seconds:"
        " parked and forgotten. (The stream of prices, open as long, is being read.)"
    ),
    "pool starved": (
        "all connections of the pool are taken: a request waits for one, and who has"
        " them is said while it does."
    ),
    "summary": "what was found, once more, as the program exits.",
}


@dataclass(frozen=True, slots=True)
class Show:
    """A program, by its file. Its comments say which of its lines leak."""

    program: str
    what: str
    needs: tuple[str, ...]


SHOWS: Final = {
    "requests": Show(
        "nightly.py",
        "a shop's nightly job that leaks in four ways",
        ("requests", "urllib3"),
    ),
    "httpx": Show(
        "watcher.py",
        "a shop's watcher that starves its own pool",
        ("httpx",),
    ),
    "aiohttp": Show(
        "mirror.py",
        "a shop's mirror that starves its own connector",
        ("aiohttp",),
    ),
}
"""By client."""


def show_demo(console: Console, show: Show) -> list[str]:
    """Run the program as it is, and repaired, and show its logs.

    Returns what went otherwise than promised, a sentence each; empty if all is well.
    """
    with open_shop() as url:
        leaky, wrong = _run(console, [show.program, url], show.what)
        if wrong:
            return wrong
        counters = leaky.counters
        console.print(
            f"\n[bold]{counters['leaks']} of {counters['opened']} responses leaked,"
            " each named by the line that opened it.[/bold] Its innocent twin, a few"
            " lines below it, is not mentioned.\n"
        )
        repaired = [show.program, url, "--repaired"]
        fixed, wrong = _run(console, repaired, "the same, repaired")
    if not wrong:
        counters = fixed.counters
        client = "" if show is SHOWS["requests"] else f" --client {show.needs[0]}"
        ended = counters["released"] + counters["closed"]
        console.print(
            f"\n[bold]Not a word from httpguard:[/bold] {counters['opened']} responses"
            f" opened, {ended} given back, {counters['leaks']} leaks.\n"
            "\nIn your program: `import httpguard; httpguard.install()` at its start."
            f"\nTo read the program: `httpguard demo{client} --source`.",
            highlight=False,
        )
    return wrong


def show_source(console: Console, show: Show) -> None:
    marked = {place.line for place in find_marks(show.program)}
    console.rule(f"[bold]{show.program}[/bold]", align="left")
    for number, line in enumerate(read_source(show.program), 1):
        style = "bold red" if number in marked else None
        _print_plain(console, f"{number:4}  {line}".rstrip(), style)


def _run(
    console: Console, arguments: list[str], what: str
) -> tuple[Outcome, list[str]]:
    """Run the program, and say what went otherwise than promised."""
    name = arguments[0]
    console.rule(f"[bold]{name}[/bold]: {what}", align="left")
    _print_plain(console, f"$ python {' '.join(arguments)}", "dim")
    outcome = run(arguments, lambda line: _show_line(console, line))
    promised = [] if "--repaired" in arguments else find_marks(name)
    return outcome, judge(name, outcome, promised)


def _show_line(console: Console, line: str) -> None:
    """A line of a log, as it is; a report is explained before it."""
    for words, meaning in _MEANINGS.items():
        if f" httpguard: {words}" in line:
            word = words.removeprefix("leak ")
            console.print(
                f"\n[bold yellow]{word}:[/bold yellow] [yellow]{meaning}[/yellow]"
            )
    _print_plain(console, line)


def _print_plain(console: Console, line: str, style: str | None = None) -> None:
    """A line that is nobody's markup and is not wrapped."""
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
