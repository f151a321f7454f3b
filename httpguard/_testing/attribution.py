"""Whose a response is: the test's or the fixture's that opened it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from .._model.scope import CURRENT_SCOPE
from .subject import Subject, subject_of

if TYPE_CHECKING:
    from .._leases.detector import Detector
    from .._leases.lease import Lease
    from .._leases.sessions import SessionRef

# Threads that run what others hand them: it is the work of whoever runs now.
_WORKERS: Final = ("concurrent.futures.", "multiprocessing.", "anyio.", "trio.")


class Attribution:
    """Says whose each lease is.

    pytest runs one thing at a time, so that what its own thread opens is the
    work of the test or fixture that runs, in whatever context: event loops and
    their tasks are often made in the context of an earlier test. Of the other
    threads, those that came since it began are its own, and those of a pool work
    for it; an older one belongs to whoever started it. `root` is what runs when no
    test and no fixture does.
    """

    def __init__(self, detector: Detector, root: Subject) -> None:
        self._detector = detector
        self._running = [root]
        self._thread = threading.get_ident()
        # ident -> id() of the thread, and who started it.
        self._owners: dict[int, tuple[int, Subject]] = {}
        self._note_threads()

    @property
    def running(self) -> Subject:
        return self._running[-1]

    def enter(self, subject: Subject) -> None:
        self._note_threads()
        self._thread = threading.get_ident()
        self._running.append(subject)
        CURRENT_SCOPE.set(subject)

    def leave(self, subject: Subject) -> None:
        """It ended, and with it all that it has run and that did not say so."""
        self._note_threads()
        if subject in self._running[1:]:
            del self._running[self._running.index(subject) :]
        root = len(self._running) == 1
        CURRENT_SCOPE.set(None if root else self.running)

    def claim(self, lease: Lease | SessionRef) -> None:
        """Say whose a lease or a session is, in the thread that opened it.

        A scope of the program's own stays its scope.
        """
        if lease.scope is None or isinstance(lease.scope, Subject):
            lease.scope = self._whose()
        subject = subject_of(lease.scope)
        if subject is not None and subject.max_open is not None:
            self._count(subject, subject.max_open)

    def _whose(self) -> Subject:
        ident = threading.get_ident()
        if ident == self._thread:
            return self.running
        thread = threading._active.get(ident)  # type: ignore[attr-defined]  # as in thread_name
        known, owner = self._owners.get(ident, (0, self.running))
        if known != id(thread) or _is_worker(thread):
            return self.running
        return owner

    def _count(self, subject: Subject, limit: int) -> None:
        crowd = [
            lease.stack or ()
            for lease in self._detector.verdicts.crowd()
            if subject_of(lease.scope) is subject
        ]
        if len(crowd) > max(limit, len(subject.crowd)):
            subject.crowd = crowd

    def _note_threads(self) -> None:
        """The threads that came since the last time belong to who ran since."""
        known = self._owners
        running = self.running
        owners = {}
        for ident, thread in list(threading._active.items()):  # type: ignore[attr-defined]
            mark = id(thread)
            owner = known.get(ident)
            owners[ident] = owner if owner and owner[0] == mark else (mark, running)
        self._owners = owners


def _is_worker(thread: object) -> bool:
    target = getattr(thread, "_target", None)
    modules = (getattr(target, "__module__", None), type(thread).__module__)
    return any(
        isinstance(name, str) and f"{name}.".startswith(_WORKERS) for name in modules
    )
