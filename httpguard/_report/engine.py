"""What the shared expressions ask of the engine that runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from .._model.errors import HTTPGuardError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .inputs import Input
    from .tables import Tables


class EngineError(HTTPGuardError):
    """The engine cannot do what was asked; the message says what to change."""


class Dialect(Protocol):
    """How an engine reads JSON in a column of text. All are Ibis expressions."""

    def texts(self, document: Any, paths: Sequence[str]) -> Any:
        """The values of members as an array of strings, null where none is.

        Args:
            document: A column of valid JSON, or null.
            paths: Names, a dot between a member and a member of it.
        """

    def items(self, document: Any, name: str) -> Any:
        """The elements of a member that is a list, as an array of JSON texts.

        Args:
            document: A column of valid JSON, or null.
            name: The member.
        """

    def is_json(self, text: Any) -> Any:
        """Whether a text is a JSON document.

        Args:
            text: A column of strings.
        """

    def epoch(self, text: Any) -> Any:
        """Microseconds since 1970 of an ISO 8601 text, null where it is none.

        Without an offset it is taken as UTC.

        Args:
            text: A column of strings.
        """


class Engine(Protocol):
    """Runs the shared expressions over the inputs."""

    def run(
        self, inputs: Sequence[Input], since: int | None, advance: Callable[[int], None]
    ) -> Tables:
        """Read everything once and group it.

        Args:
            inputs: What to read.
            since: Microseconds since 1970; what is older only serves to tell
                what is new. None: everything counts.
            advance: Told the bytes read since the last call.
        """
