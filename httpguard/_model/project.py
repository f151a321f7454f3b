"""A project's own defaults: the table ``[tool.httpguard]`` of its pyproject.toml.

It has the settings, ``baseline`` for all commands and pytest, and a table for each
command that has more.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from . import checks
from .errors import ConfigError
from .settings import TABLE, check, variable
from .words import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FILE: Final = "pyproject.toml"
_SHOWN: Final = "tool.httpguard"
_BASELINE: Final = "baseline"
# What a command's own table may have: these are its options by name.
COMMANDS: Final[dict[str, dict[str, checks.Check]]] = {
    "run": {"fail": checks.SWITCH},
    "report": {
        "fail": checks.SWITCH,
        "root": checks.PATH,
        "top": checks.whole(0, 10**9),
    },
}
"""The options of each command that a project may set."""


class Project(NamedTuple):
    """What a pyproject.toml says.

    Args:
        variables: The settings, as variables have them.
        baseline: The path of the file of known leaks; empty: none is named.
        options: Those of each command.
    """

    variables: dict[str, str]
    baseline: str
    options: dict[str, dict[str, Any]]


def with_project(environment: Mapping[str, str], folder: str) -> dict[str, str]:
    """The environment, and what a project says of the variables that are not set.

    Raises `ConfigError`, as `read_project`.
    """
    told = dict(read_project(folder).variables)
    told.update({name: text for name, text in environment.items() if text.strip()})
    return told


def read_project(folder: str) -> Project:
    """What the pyproject.toml says that is nearest to a folder, there or above.

    Raises `ConfigError` where it cannot be read, or its table has a name or a value
    that is not accepted; that names the nearest one that is.
    """
    path = _nearest(folder)
    table = {} if path is None else _table(path)
    home = os.path.dirname(str(path))
    found = Project({}, "", {name: {} for name in COMMANDS})
    for name, value in table.items():
        if name in COMMANDS:
            found.options[name].update(_options(str(path), name, value))
        elif name == _BASELINE:
            file = checks.PATH.take(value, f"{path}: [{_SHOWN}] {name}")
            found = found._replace(baseline=os.path.join(home, file) if file else "")
        elif name in TABLE:
            read = check(name, value, f"{path}: [{_SHOWN}] {name}")
            text = _text(value)
            text = os.path.join(home, text) if name == "log" and read else text
            found.variables[variable(name)] = text
        else:
            raise _unknown(str(path), _SHOWN, name, [*TABLE, _BASELINE, *COMMANDS])
    return found


def _options(path: str, command: str, table: Any) -> dict[str, Any]:
    """A command's own table. Raises `ConfigError`."""
    shown = f"{_SHOWN}.{command}"
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {shown} is no table")
    found = {}
    for name, value in table.items():
        if name not in COMMANDS[command]:
            raise _unknown(path, shown, name, COMMANDS[command])
        how = COMMANDS[command][name]
        read = how.take(value, f"{path}: [{shown}] {name}")
        is_path = how is checks.PATH and read
        found[name] = os.path.join(os.path.dirname(path), read) if is_path else read
    return found


def _unknown(path: str, table: str, name: str, known: Iterable[str]) -> ConfigError:
    near = nearest(name.lower().replace("-", "_"), known)
    return ConfigError(
        f"{path}: there is no setting [{table}] {name}; did you mean {near}?"
    )


def _text(value: Any) -> str:
    """A value of TOML as a variable has it."""
    return ",".join(value) if isinstance(value, list) else str(value)


def _nearest(folder: str) -> str | None:
    """The file of this folder or the nearest one above that has one."""
    folder = os.path.abspath(folder)
    while True:
        path = os.path.join(folder, _FILE)
        if os.path.isfile(path):
            return path
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def _table(path: str) -> dict[str, Any]:
    """The table; empty where the file has none."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    if b"httpguard" not in content:
        return {}  # Not ours to judge, whatever it is.
    try:
        table = _loads(content.decode()).get("tool", {}).get("httpguard", {})
    except (ValueError, AttributeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: tool.httpguard is no table")
    return table


def _loads(text: str) -> dict[str, Any]:
    """What a TOML document says; on Python 3.10 where pytest has brought a reader."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError:
            return {}
    return tomllib.loads(text)
