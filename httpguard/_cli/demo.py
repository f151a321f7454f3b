"""`httpguard demo`: a leaky program's reports, and the silence of its repair."""

from __future__ import annotations

from typing import Annotated

import typer

from .._model.extras import require


def demo(
    *,
    source: Annotated[
        bool,
        typer.Option("--source", help="Print the two programs; run nothing."),
    ] = False,
) -> None:
    """Show what httpguard reports, on a program that leaks in every way.

    Starts a local HTTP server and runs two small programs against it, with the
    guard on: one that leaks responses in four ways, whose log shows the reports,
    and the same one repaired, whose log is silent. Takes about 3 seconds and needs
    no network. The exit code is 0 if just the promised leaks were reported, else 1.
    """
    from rich.console import Console

    from .._demo.show import show_demo, show_sources

    if source:
        show_sources(Console())
        return
    require("demo", "requests", "urllib3")
    wrong = show_demo(Console())
    if wrong:
        typer.echo("httpguard demo: this is not what was promised:", err=True)
        for sentence in wrong:
            typer.echo(f"  - {sentence}", err=True)
        raise typer.Exit(1)
