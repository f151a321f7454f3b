"""The detector of sessions: crowds in, findings out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._model.leak import LeakKind
from .finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._model.scope import Scope
    from .._model.settings import Settings
    from .session import SessionRef
    from .sessions import Sessions
    from .verdicts import Verdicts


class SessionDetector:
    """Judges sessions. Its caller lets one thread in at a time.

    Args:
        sessions: Those that are known.
        settings: The thresholds of the moment.
        verdicts: Where leaks are counted.
    """

    def __init__(
        self, sessions: Sessions, settings: Callable[[], Settings], verdicts: Verdicts
    ) -> None:
        self._sessions = sessions
        self._settings = settings
        self._verdicts = verdicts

    def sweep(
        self, now: float, scope: Scope | None = None, *, ended: bool = False
    ) -> Iterator[Finding]:
        """Judge the sessions of a line that has made too many.

        Args:
            now: Seconds of the guard's clock.
            scope: It has ended. None: all sessions.
            ended: The process has: nobody waits until they have been idle.
        """
        for crowd in self._crowds(now, scope, ended=ended):
            for session in crowd:
                if not session.judged and self._verdicts.count(
                    LeakKind.SESSION, session
                ):
                    yield Finding.of_session(LeakKind.SESSION, session, now)
        self._sessions.resolve_idle()

    def is_crowded(self, scope: Scope, now: float) -> bool:
        """Whether a scope that ends has left more sessions than it may.

        Args:
            scope: It has ended.
            now: Seconds of the guard's clock.
        """
        return any(self._crowds(now, scope, ended=True))

    def _crowds(
        self, now: float, scope: Scope | None, *, ended: bool
    ) -> Iterator[list[SessionRef]]:
        settings = self._settings()
        if settings.max_sessions is None:
            return iter(())
        idle = 0.0 if ended or scope is not None else settings.max_idle
        return self._sessions.crowds(settings.max_sessions, idle, now, scope)
