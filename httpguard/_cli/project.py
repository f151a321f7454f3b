"""What pyproject.toml says of the options of a command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import typer

from .._model.errors import HTTPGuardError
from .._model.project import read_project

if TYPE_CHECKING:
    from .._model.project import Project


def project() -> Project:
    """That of the current directory.

    Raises:
        BadParameter: Its table has what is not accepted.
    """
    try:
        return read_project(os.getcwd())
    except HTTPGuardError as error:
        raise typer.BadParameter(str(error)) from error


def choose(command: str, default: dict[str, Any], given: dict[str, Any]) -> list[Any]:
    """Options: as given, else as the project says, else their defaults.

    Args:
        command: Its name.
        default: By option.
        given: By option; None: not given.

    Returns:
        In the order of the defaults.

    Raises:
        BadParameter: As of `project`.
    """
    told = project()
    said = {"baseline": told.baseline, **told.options[command]}
    return [
        said.get(name, value) if given[name] is None else given[name]
        for name, value in default.items()
    ]


def baseline() -> str:
    """The baseline that the project names.

    Raises:
        BadParameter: It names none; or as of `project`.
    """
    found = project().baseline
    if not found:
        raise typer.BadParameter(
            "which file? Name it, or say `baseline = FILE` below [tool.httpguard] of"
            " pyproject.toml"
        )
    return found
