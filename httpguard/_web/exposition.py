"""The metrics as Prometheus reads them, at most once a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from .._api.metrics import render_prometheus
from .._model.errors import HTTPGuardError
from .http import Answer, say

if TYPE_CHECKING:
    from .http import Request
    from .view import View

# Seconds for which a scrape is good: many who ask at once cost one look.
_FRESH: Final = 1.0


class _Exposition:
    """The latest scrape, for whoever asks for the same format soon after."""

    def __init__(self) -> None:
        """None yet."""
        self._latest: tuple[str, float, Answer] | None = None

    def answer(self, accept: str) -> Answer:
        """The metrics.

        Args:
            accept: The request's header.
        """
        latest, now = self._latest, time.monotonic()
        if latest is not None and latest[0] == accept and now - latest[1] < _FRESH:
            return latest[2]
        body, kind = render_prometheus(accept)
        answer = Answer(200, kind, body)
        self._latest = (accept, now, answer)
        return answer


_exposition: Final = _Exposition()


def metrics(request: Request, _view: View) -> Answer:
    """What ``/metrics`` answers.

    Args:
        request: Its ``Accept`` tells the format.
    """
    try:
        return _exposition.answer(request.headers.get("accept", ""))
    except HTTPGuardError as error:  # prometheus_client is not installed.
        return say(501, str(error))
