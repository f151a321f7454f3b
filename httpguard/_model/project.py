"""The settings of a project: the table ``[tool.httpguard]`` of its pyproject.toml."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

from .errors import ConfigError
from .settings import TABLE, check, variable
from .words import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE: Final = "pyproject.toml"


def with_project(environment: Mapping[str, str], folder: str) -> dict[str, str]:
    """The environment, and what a project says of the variables that are not set.

    Args:
        environment: Usually ``os.environ``.
        folder: Of the project, or any below.

    Raises:
        ConfigError: The nearest pyproject.toml cannot be read, or its table has a
            name or a value that is not accepted.
    """
    told = {**_variables(folder)}
    told.update({name: text for name, text in environment.items() if text.strip()})
    return told


def _variables(folder: str) -> dict[str, str]:
    """The table as variables have it: those are what child processes are given."""
    path = _nearest(folder)
    table = {} if path is None else _table(path)
    found = {}
    for name, value in table.items():
        shown = f"[tool.httpguard] {name}"
        if name not in TABLE:
            near = nearest(name.lower().replace("-", "_"), TABLE)
            raise ConfigError(
                f"{path}: there is no setting {shown}; did you mean {near}?"
            )
        check(name, value, f"{path}: {shown}")
        text = _text(value)
        if name == "log":
            text = os.path.join(os.path.dirname(str(path)), text)
        found[variable(name)] = text
    return found


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
