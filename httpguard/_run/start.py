"""From the options of `httpguard run` to what is run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from .._model.errors import ConfigError
from .._model.settings import (
    TABLE,
    check,
    load_settings,
    unknown_variables,
    variable,
)
from .._model.words import nearest
from .session import Run
from .target import find_target

if TYPE_CHECKING:
    from .options import Options

# A killed process loses what it leaked since the last sweep.
_CHECK_INTERVAL: Final = "1"


def prepare(program: list[str], options: Options) -> Run:
    """Check everything before the program begins. Raises `HTTPGuardError`."""
    from .._model.project import read_project

    variables = _variables(options)
    settings = load_settings({}, {**os.environ, **variables})
    if options.log is not None:
        check_log(options.log)
    if settings.log is not None:
        # Child processes may have another working directory.
        variables["HTTPGUARD_LOG"] = os.path.abspath(settings.log)
    tolerated = settings.max_leaks if settings.strict else None
    project = read_project(os.getcwd())
    fail = options.fail
    if fail is None:
        fail = project.options["run"].get("fail", False)
    baseline = options.baseline
    if baseline is None and not options.become:
        baseline = project.baseline
    known = None
    if baseline:
        from .._baseline.baseline import load_known

        known = load_known(baseline)
    run = Run(
        find_target(program, os.environ),
        options,
        variables,
        known,
        0 if fail else tolerated,
        enabled=settings.enabled,
    )
    if options.become:
        _refuse_beside_exec(options)
    for name in unknown_variables(os.environ):
        near = nearest(name, map(variable, TABLE))
        _warn(f"there is no setting {name}; did you mean {near}?")
    if not settings.enabled and options.become:
        _warn("the setting enabled is off: nothing is guarded")
    return run


def _variables(options: Options) -> dict[str, str]:
    """What the project and the command line say, as variables of the environment."""
    from .._model.project import with_project

    told = with_project(os.environ, os.getcwd())
    variables = {
        "HTTPGUARD_CHECK_INTERVAL": _CHECK_INTERVAL,
        **{name: told[name] for name in told if name.startswith("HTTPGUARD_")},
    }
    for name, value in options.settings().items():
        option = "--" + name.replace("_", "-")
        if not value.strip():
            raise ConfigError(f"{option}={value!r} is not accepted: it is empty")
        check(name, value, option)
        variables["HTTPGUARD_" + name.upper()] = value
    return variables


def check_log(path: str) -> None:
    """Make sure that the log can be written, without making it."""
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


def _refuse_beside_exec(options: Options) -> None:
    """Options that need somebody to wait for the program's end."""
    given = {
        "--fail": bool(options.fail),
        "--baseline": options.baseline is not None,
        "--json": options.as_json,
        "--quiet": options.quiet,
        "--verbose": options.verbose,
    }
    for name, is_given in given.items():
        if is_given:
            raise ConfigError(f"{name} has no effect beside --exec")


def _warn(message: str) -> None:
    sys.stderr.write(f"httpguard run: {message}\n")
