"""Values of options, read as settings are: an error names what was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import typer

from .._model import checks

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._model.checks import Check


def reading(check: Check) -> Callable[[Any], Any]:
    """What reads an option.

    Args:
        check: How, and what is accepted.
    """

    def read(value: Any) -> Any:
        try:
            return check.read(value)
        except (TypeError, ValueError, OverflowError):
            raise typer.BadParameter(
                f"{value!r} is not accepted: {check.accepted}"
            ) from None

    return read


SECONDS: Final = reading(checks.seconds())
LOOKS: Final = reading(checks.seconds(0.5))
"""Between two looks at a program."""
PID: Final = reading(checks.whole(1, 2**31 - 1))
PORT: Final = reading(checks.PORT)
COUNT: Final = reading(checks.whole(0, 10**9))
