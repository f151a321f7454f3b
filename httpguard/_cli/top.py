"""`httpguard top`: the live page in a terminal."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Final

import typer

from .._model.extras import require

if TYPE_CHECKING:
    from rich.console import Console

    from .top_source import Source


_WIDE: Final = 1000


def top(
    target: Annotated[
        str,
        typer.Argument(
            metavar="URL|PID",
            help="The page's URL (`localhost:8765` will do), or the number of the"
            " process that serves it.",
            show_default=False,
        ),
    ],
    *,
    once: Annotated[
        bool,
        typer.Option("--once", help="Print the state once and end, as for a script."),
    ] = False,
    interval: Annotated[
        float,
        typer.Option(min=0.5, help="Seconds between two looks.", metavar="SECONDS"),
    ] = 2.0,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="HTTPGUARD_SERVE_TOKEN",
            show_envvar=True,
            help="The page's token, if it has one.",
            show_default=False,
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
    from rich.console import Console

    from .top_source import UnreachableError, find

    if target.isdecimal():
        require("process", "psutil")
    console = Console()
    if not console.is_terminal:
        # In a pipe nothing is cut to the width of a terminal that is not there.
        console = Console(width=_WIDE)
    try:
        source = find(target, token)
        if once or not console.is_terminal:
            _print_once(console, source)
        else:
            _watch(console, source, interval)
    except UnreachableError as error:
        typer.echo(f"httpguard top: {error}", err=True)
        raise typer.Exit(2) from None


def _print_once(console: Console, source: Source) -> None:
    """The state now, all of it."""
    from .top_screen import screen

    console.print(screen(source.fetch(), 0))


def _watch(console: Console, source: Source, interval: float) -> None:
    """Look again and again, until `q` or Ctrl-C."""
    from rich.live import Live

    from .top_keys import Choice, keys, wait
    from .top_screen import screen
    from .top_source import UnreachableError

    state = source.fetch()
    note, choice = "", Choice()
    with (
        contextlib.suppress(KeyboardInterrupt),
        keys(),
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        while True:
            live.update(screen(state, console.height, note, choice), refresh=True)
            key = wait(interval)
            if key in {"q", "Q"}:
                return
            choice = choice.after(key)
            try:
                state = source.fetch()
                note = ""
            except UnreachableError as error:
                note = f"{error}; these figures are old"
