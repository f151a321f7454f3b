"""`httpguard top`: the live page in a terminal."""

from __future__ import annotations

import contextlib
import math
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from .._model.errors import HTTPGuardError
from .._model.extras import require
from .values import Interval  # noqa: TC001  # typer looks at it.

if TYPE_CHECKING:
    from rich.console import Console


_WIDE: Final = 1000


def top(
    target: Annotated[
        str,
        typer.Argument(
            metavar="URL|PID",
            help="The page's URL (`localhost:8765` will do), or the number of the"
            " process that serves it.",
        ),
    ],
    *,
    once: Annotated[
        bool,
        typer.Option("--once", help="Print the state once and end, as for a script."),
    ] = False,
    interval: Interval = 2.0,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            envvar="HTTPGUARD_SERVE_TOKEN",
            show_envvar=True,
            help="The page's token, if it has one.",
        ),
    ] = None,
) -> None:
    """Show what a running program holds open and leaks, live.

    The program has to serve its page: start it with `HTTPGUARD_SERVE=0`, or call
    `httpguard.serve()` in it. A process is found by asking its listening sockets
    (and those of its children), which takes psutil: the extra `process`. Where the
    output is no terminal, the state is printed once.

    Keys: `q` ends it; `c`, `t` and `s` sort the leaks by count, time and site; `j`,
    `k` and the arrows select the one whose fix is shown.
    """
    from .top_source import UnreachableError, find

    if target.isdecimal():
        require("process", "psutil")
    console = wide_console()
    try:
        source = find(target, token)
        if once or not console.is_terminal:
            print_once(console, source.fetch())
        else:
            follow(console, source, interval)
    except UnreachableError as error:
        typer.echo(f"httpguard top: {error}", err=True)
        raise typer.Exit(2) from None


def wide_console() -> Console:
    """The terminal. In a pipe nothing is cut to the width of one that is not there."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)


def print_once(console: Console, state: dict[str, Any]) -> None:
    from .top_screen import screen

    console.print(screen(state, 0))


def follow(
    console: Console, source: Any, interval: float, seconds: float | None = None
) -> None:
    """Look again and again, until `q` or Ctrl-C, or so many seconds are over.

    The source's `fetch` is the state, or raises `HTTPGuardError`.
    """
    from rich.live import Live

    from .top_keys import Choice, keys, wait
    from .top_screen import screen

    end = time.monotonic() + (math.inf if seconds is None else seconds)
    state = source.fetch()
    note, choice = "", Choice()
    with (
        contextlib.suppress(KeyboardInterrupt),
        keys(),
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        while time.monotonic() < end:
            live.update(screen(state, console.height, note, choice), refresh=True)
            key = wait(min(interval, max(end - time.monotonic(), 0)))
            if key in {"q", "Q"}:
                return
            choice = choice.after(key)
            try:
                state = source.fetch()
                note = ""
            except HTTPGuardError as error:
                note = f"{error}; these figures are old"
