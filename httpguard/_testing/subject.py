"""Subjects: the tests and fixtures that responses and sessions belong to.

And whose each is: the test's or the fixture's that opened it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from .._model.scope import CURRENT_SCOPE, Scope
from .._model.words import relative

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from .._leases.detector import Detector
    from .._leases.lease import Finding, Lease
    from .._leases.sessions import SessionRef
    from .._stacks.raw import RawStack

_ACCEPTED: Final = 'accepted: allow="the reason", max_open=a whole number'
# Threads that run what others hand them: it is the work of whoever runs now.
_WORKERS: Final = ("concurrent.futures.", "multiprocessing.", "anyio.", "trio.")


class Subject(Scope):
    """A scope that a test session opens: a test's, or a wider fixture's.

    Args:
        name: As reports call it: ``test``, or ``module fixture 'feed'``.
        reason: Why its responses are not judged; None: they are.
        max_open: Responses it may have open at once; None: any number.
    """

    __slots__ = ("crowd", "failed", "location", "max_open", "name", "nodeid")

    def __init__(
        self,
        name: str,
        nodeid: str,
        *,
        reason: str | None = None,
        max_open: int | None = None,
    ) -> None:
        super().__init__(None, reason)
        self.name = name
        self.nodeid = nodeid
        self.max_open = max_open
        # Where the responses were opened that were too many, at the worst moment.
        self.crowd: list[RawStack] = []
        # It failed by itself: what it leaves open may be for that alone.
        self.failed = False
        # File, line from 0, and title of its report, where it has one of its own.
        self.location: tuple[str, int | None, str] = (nodeid, None, name)

    @property
    def promise(self) -> Scope | None:
        """Itself, also when it is over: what is found late is reported late."""
        return self if self.reason is None else None

    def take(self) -> list[Finding]:
        findings, self.findings = self.findings, []
        return [finding for finding in findings if not finding.raised]

    def end(self, late: Callable[[Subject, Finding], None]) -> None:
        """Have what is found from here on told elsewhere."""
        self.findings = _LateFindings(self, late)


class _LateFindings(list["Finding"]):
    """Takes what is found of a subject that has ended: threads outlive tests."""

    def __init__(
        self, subject: Subject, late: Callable[[Subject, Finding], None]
    ) -> None:
        super().__init__()
        self._subject = subject
        self._late = late

    def append(self, finding: Finding) -> None:
        """Pass it on, unless the subject failed: its traceback kept it."""
        if not self._subject.failed:
            self._late(self._subject, finding)


def subject_of(scope: Scope | None) -> Subject | None:
    """The subject that a scope lies in, itself included."""
    while scope is not None and not isinstance(scope, Subject):
        scope = scope.parent
    return scope


def subject_for(item: pytest.Item) -> tuple[Subject, str | None]:
    """The subject for a test, and what is wrong with its markers, if anything is.

    Of several markers (a test's, its class's, its module's) the closest one that
    gives an argument counts.
    """
    given: dict[str, Any] = {}
    for marker in item.iter_markers("httpguard"):
        wrong = _wrong(marker)
        if wrong is not None:
            return Subject("test", item.nodeid), wrong
        given = {**marker.kwargs, **given}
    reason, max_open = given.get("allow"), given.get("max_open")
    return Subject("test", item.nodeid, reason=reason, max_open=max_open), None


def _wrong(marker: pytest.Mark) -> str | None:
    named = [f"{name}={value!r}" for name, value in marker.kwargs.items()]
    call = f"@pytest.mark.httpguard({', '.join([*map(repr, marker.args), *named])})"
    if marker.args:
        return f"{call}: {marker.args[0]!r} has no name; {_ACCEPTED}"
    for name, value in marker.kwargs.items():
        if name == "allow":
            accepted = isinstance(value, str) and bool(value.strip())
        elif name == "max_open":
            accepted = type(value) is int and value >= 0
        else:
            return f"{call}: there is no {name!r}; {_ACCEPTED}"
        if not accepted:
            return f"{call}: {name} is {value!r}; {_ACCEPTED}"
    return None


def subject_for_fixture(
    fixture: pytest.FixtureDef[Any], node: pytest.Item | pytest.Collector, root: Path
) -> Subject:
    """The subject for a fixture of wider scope than a function's, set up for a node."""
    name = fixture.argname
    # pytest makes fixtures of set-ups in other styles.
    if name.startswith("_") and "_fixture_" in name:
        name = name[1:].partition("_fixture_")[0]
        name = name.removeprefix("unittest_").removeprefix("xunit_")
    code = getattr(fixture.func, "__code__", None)
    path, line = "", None
    if code is not None:
        path = relative(code.co_filename, str(root)) or code.co_filename
        line = code.co_firstlineno - 1
    title = f"{fixture.scope} fixture {name!r}"
    subject = Subject(title, f"{node.nodeid or path}::{name}")
    subject.location = (path, line, title)
    return subject


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
