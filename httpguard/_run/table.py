"""The table of what leaked in a run."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from .._model.leak import Frame, LeakKind
from .._model.redaction import printable
from .._stacks.capture import source_line
from .._text.words import place
from .outcome import many

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from .outcome import Found, Outcome

# Where the output is no terminal and nobody has set COLUMNS.
_WIDTH: Final = 120
_MOST_ROWS: Final = 50
_MOST_SOURCE: Final = 200


def console_on(stream: TextIO) -> Console:
    """A console that writes a table wide enough to be read, also into a file.

    Args:
        stream: Standard error.
    """
    wide = stream.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return Console(
        file=stream, width=None if wide else _WIDTH, highlight=False, soft_wrap=False
    )


def show_leaks(console: Console, outcome: Outcome, shown: Sequence[Found]) -> None:
    """Print what leaked, and how to fix it.

    Args:
        console: Where.
        outcome: Of the run.
        shown: What of it is to be shown.
    """
    console.print(_title(outcome, shown), style="bold", markup=False)
    table = Table(show_lines=len(shown) > 1)
    table.add_column("leaks", justify="right")
    table.add_column("kind", style="yellow")
    table.add_column("opened at, and the latest request", overflow="fold")
    table.add_column("processes", justify="right")
    for found in shown[:_MOST_ROWS]:
        leak = found.leak
        table.add_row(
            _count(found),
            leak["kind"],
            _place(leak),
            str(found.runs),
        )
    console.print(table)
    if len(shown) > _MOST_ROWS:
        console.print(f"… and {len(shown) - _MOST_ROWS:,} more places")
    if any(found.at_least for found in shown[:_MOST_ROWS]):
        console.print("+: at least; a process was killed before it could sum up")
    hints: dict[tuple[str, str], str] = {}
    for found in shown:
        hints[found.leak["kind"], found.leak["client"]] = found.leak["hint"]
    for (kind, client), hint in hints.items():
        console.print(f"fix [yellow]{kind}[/yellow] ({client}): {escape(hint)}")


def _title(outcome: Outcome, shown: Sequence[Found]) -> str:
    """One sentence."""
    counts = Counter[str]()
    for found in shown:
        session = found.leak["kind"] == LeakKind.SESSION
        counts["session" if session else "response"] += found.count
    leaked = " and ".join(many(counts[noun], noun) for noun in sorted(counts))
    return (
        f"httpguard: {leaked} leaked, opened at"
        f" {many(len(shown), 'place')}, in {many(outcome.leaking, 'process')}"
    )


def _count(found: Found) -> str:
    """How many, and how many of them ended well after all."""
    text = f"{found.count:,}{'+' if found.at_least else ''}"
    return f"{text}\n({found.resolved:,} resolved)" if found.resolved else text


def _place(leak: dict[str, Any]) -> Text:
    """The site, its line where it can be read, and the request."""
    site = leak["site"]
    frame = Frame(site["filename"], site["lineno"], site["function"])
    text = Text(place(frame), style="bold")
    source = printable(source_line(frame), _MOST_SOURCE)
    if source:
        text.append(f"\n  {source}", style="not bold")
    request = f"{leak['method']} {leak['url']}".strip() or leak["pool"]
    text.append(f"\n  {request}", style="not bold dim")
    if leak.get("held_by"):
        text.append(f"\n  held by {leak['held_by']}", style="not bold dim")
    return text
