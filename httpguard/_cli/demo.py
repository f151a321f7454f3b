"""`httpguard demo`: a leaky program's reports, and the silence of its repair."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from .._demo.show import SHOWS, show_demo, show_source
from .._model.extras import require


def demo(
    *,
    client: Annotated[
        Literal["requests", "httpx", "aiohttp"],
        typer.Option(
            metavar="requests|httpx|aiohttp", help="The HTTP client of the program."
        ),
    ] = "requests",
    source: Annotated[
        bool,
        typer.Option("--source", help="Print the program; run nothing."),
    ] = False,
) -> None:
    """Show what httpguard reports, on a program that leaks.

    Starts a local HTTP server and runs a small program against it, with the guard
    on: first as it leaks, with requests in four ways, with the others until their pool
    starves, so that its log shows the reports; then repaired, and its log is silent.
    Takes about 3 seconds and needs no network. The exit code is 0 if just the
    promised leaks were reported, else 1.
    """
    from rich.console import Console

    show = SHOWS[client]
    if source:
        show_source(Console(), show)
        return
    require("demo" if client == "requests" else "", *show.needs)
    wrong = show_demo(Console(), show)
    if wrong:
        typer.echo("httpguard demo: this is not what was promised:", err=True)
        for sentence in wrong:
            typer.echo(f"  - {sentence}", err=True)
        raise typer.Exit(1)
