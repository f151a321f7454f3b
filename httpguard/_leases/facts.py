"""What the hint of a leak depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .._model.leak import Frame, LeakKind


class Facts(NamedTuple):
    """What a hint depends on, of the latest leak at a site.

    Args:
        kind: How it leaked.
        method: As the program gave it.
        bytes_read: On the wire.
        length: As the server announced it; None: unknown, as of a chunked body.
        block: Whether its pool blocks.
        package: The library that the application's line called; empty: the client.
        function: The function of that library.
        culprit: Where it was lost by code between that line and the client.
        lost_by: ``hook``, ``retry`` or ``adapter``; empty without a culprit.
        held_by: What refers to it, where that is known.
        status: Of the response; 0: of a session.
    """

    kind: LeakKind
    method: str
    bytes_read: int
    length: int | None
    block: bool
    package: str
    function: str
    culprit: Frame | None
    lost_by: str
    held_by: str | None
    status: int = 0
