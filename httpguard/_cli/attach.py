"""`httpguard attach`: into a program that runs already."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Annotated, Any

import typer

from .._attach.family import Family
from .._attach.refusals import AttachError
from .._attach.start import Order
from .._model.errors import ConfigError
from .._run.start import check_log
from .top import follow, print_once, wide_console
from .values import PID, PORT, SECONDS, Interval


def _seconds(text: str, *names: str) -> Any:
    return typer.Option(*names, parser=SECONDS, metavar="SECONDS", help=text)


def attach(
    pid: Annotated[int, typer.Argument(parser=PID, metavar="PID", help="The process.")],
    *,
    children: Annotated[
        bool,
        typer.Option(
            "--children", help="Attach to its child processes too: gunicorn, celery."
        ),
    ] = False,
    stay: Annotated[
        bool,
        typer.Option("--stay", help="Leave httpguard on when this command ends."),
    ] = False,
    seconds: Annotated[float | None, _seconds("End by itself.", "--for")] = None,
    log: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Have each leak written to it as a line of JSON."
        ),
    ] = None,
    serve: Annotated[
        int | None,
        typer.Option(
            parser=PORT,
            metavar="PORT",
            help="Have the live page served, at this port of 127.0.0.1.",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="One look, as JSON: a line for each process."),
    ] = False,
    look: Annotated[
        float,
        _seconds("Of processor time, at most, to look for what is open already."),
    ] = 1.0,
    patience: Annotated[
        float, _seconds("How long to wait for its main thread.")
    ] = 30.0,
    max_idle: Annotated[
        float | None,
        _seconds("How long an open response may make no progress before it is held."),
    ] = None,
    interval: Interval = 2.0,
) -> None:
    """Show what a program holds open and leaks that runs without httpguard.

    It takes CPython 3.14 or later, the same version here and in the program, and the
    same user. The program needs no httpguard: it comes along, looks once for what is
    open already, shows it as `httpguard top` does, and goes out again at the end,
    which is Ctrl-C. Nothing of it is left in the program, and its own logs get
    nothing.

    For example:

    - `httpguard attach 4711`

    - `httpguard attach 4711 --children --for 60 --log leaks.jsonl`

    - `httpguard attach 4711 --json`
    """
    given: dict[str, Any] = {"serve": serve, "max_idle": max_idle}
    settings = {name: value for name, value in given.items() if value is not None}
    if log is not None:
        try:
            check_log(log)
        except ConfigError as error:
            raise typer.BadParameter(str(error)) from None
        settings["log"] = os.path.abspath(log)
    try:
        order = Order(settings, look, patience, _tell)
        with Family(pid, order, children=children) as family:
            family.stays = stay
            _show(family, as_json=as_json, seconds=seconds, interval=interval)
    except AttachError as error:
        typer.echo(f"httpguard attach: {error}", err=True)
        raise typer.Exit(2) from None


def _show(
    family: Family, *, as_json: bool, seconds: float | None, interval: float
) -> None:
    """On a terminal until Ctrl-C, else once: at the end of the time given."""
    console = wide_console()
    if as_json or not console.is_terminal:
        time.sleep(seconds or 0)
        for state in family.fetch_all():
            if as_json:
                sys.stdout.write(f"{json.dumps(state)}\n")
            else:
                print_once(console, state)
    else:
        follow(console, family, interval, seconds)


def _tell(text: str) -> None:
    typer.echo(f"httpguard attach: {text}", err=True)
