"""`httpguard run`: a program and its child processes, guarded without a change."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from .._model.errors import HTTPGuardError
from .._model.settings import TABLE, Settings
from .._run.options import Options, split
from .._run.start import prepare
from .app import PlainCommand

_SETTINGS: Final = "Settings (the others are HTTPGUARD_… variables)"
_REPEATED: Final = " May be repeated."


def _setting(name: str, metavar: str, more: str = "") -> Any:
    return typer.Option(
        metavar=metavar, help=TABLE[name].text + more, rich_help_panel=_SETTINGS
    )


class Command(PlainCommand):
    """A command whose options end where the program begins."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own, program = split(args)
        # Without a program: typer says what is missing, which may be a value.
        return super().parse_args(ctx, [*own, "--", *program] if program else own)


def run(
    program: Annotated[
        list[str],
        typer.Argument(
            metavar="PROGRAM [ARGUMENTS]...",
            help="`script.py`, `-m module`, `-c code`, or a command such as"
            " `gunicorn`, each with its own arguments.",
        ),
    ],
    *,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help=TABLE["strict"].text + " Exit with 23 if it ends with 0 all the same.",
            rich_help_panel=_SETTINGS,
        ),
    ] = False,
    log: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help=TABLE["log"].text,
        ),
    ] = None,
    fail: Annotated[
        bool | None,
        typer.Option(
            "--fail/--no-fail",
            help="Exit with 23 if responses leaked and the program's own exit code"
            " is 0.",
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Neither show nor count the leaks that this file knows.",
        ),
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            help="Log each leak as it is found, too, with its stack.",
        ),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", help="Say nothing where nothing leaked."),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="One line of JSON in place of the table, the last one on standard"
            " error.",
        ),
    ] = False,
    become: Annotated[
        bool,
        typer.Option(
            "--exec",
            help="Become the program instead of waiting for it: its process id is"
            " this one's, and there is no table. For containers and supervisors.",
        ),
    ] = False,
    max_idle: Annotated[
        str | None,
        _setting("max_idle", "SECONDS", f" Default: {Settings().max_idle:g}."),
    ] = None,
    max_open: Annotated[str | None, _setting("max_open", "NUMBER")] = None,
    app: Annotated[
        list[str] | None,
        _setting("app", "MODULE", _REPEATED),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        _setting("ignore", "PATTERN", _REPEATED),
    ] = None,
) -> None:
    """Run a Python program and show the HTTP responses it leaked.

    The program needs no change. It and the Python processes it starts are guarded
    as if they began with `httpguard.install()`; what is still open when a process
    ends counts too. Exit code, signals, standard streams, tracebacks and
    `sys.argv` are those of the program alone. At its end a table on standard error
    shows what leaked, in which line and how to fix it; if nothing did, one line says
    so.

    For example:

    - `httpguard run script.py --its-own-option`

    - `httpguard run --fail -m pytest tests`

    - `httpguard run --log leaks.jsonl gunicorn app:app`

    `[tool.httpguard]` of the nearest `pyproject.toml` has the project's defaults:
    settings, `baseline`, and `fail` below `[tool.httpguard.run]`.

    httpguard has to be installed where the program is. Interpreters that ignore
    their environment (`python -I`, `-E`, `-S`) are not guarded.
    """
    options = Options(
        strict=strict,
        log=log,
        fail=fail,
        baseline=baseline,
        verbose=verbose,
        quiet=quiet,
        as_json=as_json,
        become=become,
        max_idle=max_idle,
        max_open=max_open,
        app=tuple(app or ()),
        ignore=tuple(ignore or ()),
    )
    try:
        code = prepare(program, options).start()
    except HTTPGuardError as error:
        raise typer.BadParameter(str(error)) from None
    from .._run.child import end_like

    end_like(code)
