"""Values of options: read as settings are, and else what pyproject.toml says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from .._model import checks
from .._model.errors import HTTPGuardError
from .._model.project import read_project

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._model.checks import Check
    from .._model.project import Project


def reading(check: Check) -> Callable[[Any], Any]:
    """What reads an option; an error names what was given."""

    def read(value: Any) -> Any:
        try:
            return check.read(value)
        except (TypeError, ValueError, OverflowError):
            raise typer.BadParameter(
                f"{value!r} is not accepted: {check.accepted}"
            ) from None

    return read


SECONDS: Final = reading(checks.seconds())
PID: Final = reading(checks.whole(1, 2**31 - 1))
PORT: Final = reading(checks.PORT)
COUNT: Final = reading(checks.whole(0, 10**9))

Interval = Annotated[
    float,
    typer.Option(
        parser=reading(checks.seconds(0.5)),
        help="Seconds between two looks.",
        metavar="SECONDS",
    ),
]


def project() -> Project:
    try:
        return read_project(os.getcwd())
    except HTTPGuardError as error:
        raise typer.BadParameter(str(error)) from error


def baseline_of_project() -> str:
    found = project().baseline
    if not found:
        raise typer.BadParameter(
            "which file? Name it, or say `baseline = FILE` below [tool.httpguard] of"
            " pyproject.toml"
        )
    return found
