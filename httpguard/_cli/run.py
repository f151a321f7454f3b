"""`httpguard run`: a program and its child processes, guarded without a change."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from .._model.errors import ConfigError, HTTPGuardError
from .._model.settings import (
    TABLE,
    Settings,
    check,
    load_settings,
    unknown_variables,
    variable,
)
from .._model.words import nearest
from .._run.target import starts_target
from .._run.telling import Telling
from .help import PlainCommand

if TYPE_CHECKING:
    from .._baseline.baseline import Baseline
    from .._run.session import Run

_PROGRAM: Final = "The program"
_SETTINGS: Final = "Settings (the others are HTTPGUARD_… variables)"
_REPEATED: Final = " May be repeated."
# A killed process loses what it leaked since the last sweep.
_CHECK_INTERVAL: Final = "1"


def _setting(name: str, metavar: str, more: str = "") -> Any:
    """An option with a value that stands for a setting."""
    return typer.Option(
        metavar=metavar, help=TABLE[name].text + more, rich_help_panel=_SETTINGS
    )


class RunCommand(PlainCommand):
    """A command whose options end where the program begins."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Leave everything from the program's name on to the program."""
        own = self._count_own(args)
        rest = args[own + 1 :] if args[own : own + 1] == ["--"] else args[own:]
        # Without a program: typer says what is missing, which may be a value.
        words = [*args[:own], "--", *rest] if rest else args[:own]
        return super().parse_args(ctx, words)

    def _count_own(self, args: list[str]) -> int:
        """How many of the words are options of ours and their values."""
        with_value = {
            name
            for option in self.params
            if not getattr(option, "is_flag", False)
            for name in option.opts
            if name.startswith("-")
        }
        index = 0
        while index < len(args):
            word = args[index]
            if word == "--" or starts_target(word):
                break
            index += 2 if word in with_value else 1
        return min(index, len(args))


def run(
    program: Annotated[
        list[str],
        typer.Argument(
            metavar="PROGRAM [ARGUMENTS]...",
            show_default=False,
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
        bool,
        typer.Option(
            "--fail",
            help="Exit with 23 if responses leaked and the program's own exit code"
            " is 0.",
        ),
    ] = False,
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

    httpguard has to be installed where the program is. Interpreters that ignore
    their environment (`python -I`, `-E`, `-S`) are not guarded.
    """
    settings = {
        "strict": "1" if strict else None,
        "log": log,
        "max_idle": max_idle,
        "max_open": max_open,
        "app": _joined(app),
        "ignore": _joined(ignore),
    }
    try:
        prepared = _prepare(program, settings, baseline, fail=fail)
        if become:
            refused = {
                "--fail": fail,
                "--baseline": baseline is not None,
                "--json": as_json,
                "--quiet": quiet,
                "--verbose": verbose,
            }
            _refuse_beside_exec(refused)
            prepared.replace()
        code = prepared.follow(Telling(verbose=verbose, quiet=quiet, as_json=as_json))
    except HTTPGuardError as error:
        raise typer.BadParameter(str(error)) from None
    except OSError as error:
        message = f"cannot run {program[0]!r}: {error.strerror or error}"
        raise typer.BadParameter(message) from None
    from .._run.child import end_like

    end_like(code)


def _prepare(
    program: list[str],
    options: dict[str, str | None],
    baseline: str | None,
    *,
    fail: bool,
) -> Run:
    """Check everything before the program begins.

    Raises:
        HTTPGuardError: Something is not accepted, or not there.
    """
    from .._model.project import with_project
    from .._run.session import Run
    from .._run.target import find_target

    variables = {"HTTPGUARD_CHECK_INTERVAL": _CHECK_INTERVAL}
    told = with_project(os.environ, os.getcwd())
    variables |= {name: told[name] for name in told if name.startswith("HTTPGUARD_")}
    for name, value in options.items():
        if value is not None:
            option = "--" + name.replace("_", "-")
            if not value.strip():
                raise ConfigError(f"{option}={value!r} is not accepted: it is empty")
            check(name, value, option)
            variables["HTTPGUARD_" + name.upper()] = value
    settings = load_settings({}, {**os.environ, **variables})
    if options["log"] is not None:
        _check_log(options["log"])
    if settings.log is not None:
        # Child processes may have another working directory.
        variables["HTTPGUARD_LOG"] = os.path.abspath(settings.log)
    for name in unknown_variables(os.environ):
        near = nearest(name, map(variable, TABLE))
        _warn(f"there is no setting {name}; did you mean {near}?")
    if not settings.enabled:
        _warn("HTTPGUARD_ENABLED says that nothing is to be guarded")
    tolerated = settings.max_leaks if settings.strict else None
    return Run(
        find_target(program, os.environ),
        variables,
        _load_baseline(baseline),
        0 if fail else tolerated,
    )


def _check_log(path: str) -> None:
    """Make sure that the log can be written, without making it.

    Raises:
        ConfigError: It cannot; the message says why.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        reason = "it is a directory"
    elif not os.path.isdir(folder):
        reason = f"there is no directory {folder}"
    elif os.path.exists(path):
        reason = "" if os.access(path, os.W_OK) else "it may not be written"
    else:
        allowed = os.access(folder, os.W_OK | os.X_OK)
        reason = "" if allowed else f"nothing may be written in {folder}"
    if reason:
        raise ConfigError(f"--log={path!r} is not accepted: {reason}")


def _load_baseline(path: str | None) -> Baseline | None:
    """The known leaks, if there is a file of them."""
    if path is None:
        return None
    from .._baseline.baseline import Baseline

    return Baseline.load(path)


def _refuse_beside_exec(options: dict[str, bool]) -> None:
    """Options that need somebody to wait for the program's end.

    Args:
        options: Whether each was given.
    """
    for name, given in options.items():
        if given:
            raise typer.BadParameter(f"{name} has no effect beside --exec")


def _joined(words: list[str] | None) -> str | None:
    """A repeated option as the variable has it."""
    return ",".join(words) if words else None


def _warn(message: str) -> None:
    """Say something before the program begins."""
    sys.stderr.write(f"httpguard run: {message}\n")
