"""The model: a few facts for each response, and what is due of them.

From the design:

- a lease begins when a response is handed out while it holds a connection, and
  ends when that is given back (``released``) or, closed unread in a pool that
  does not block, thrown away (``closed``);
- collected while it holds: ``dropped``; open, referenced and without progress for
  `max_idle` at a sweep: ``held``; closed in a blocking pool and not released until
  it is collected, a sweep `max_idle` later or its scope ends: ``unreleased``; open
  when its scope ends: ``open``;
- each lease is judged once; what `allow` is around, or what is ignored, is excused
  instead; a leak that ends well after all is resolved; each is raised once.

A close counts as final when nothing can release the response any more, or nothing
has for `max_idle`: ``close()`` and ``release_conn()`` are one honest pair.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import weakref
    from collections.abc import Iterator

    from ._sites import Site

# Guarded calls sweep by themselves where there is no watcher, at most this often.
_LAZY_SWEEP: Final = 5.0
MAIN: Final = "MainThread"
_ODD: Final = ("/bad-gzip", "/cut")


@dataclass(frozen=True)
class Terms:
    """The settings that decide.

    Args:
        max_leaks: Strict mode raises past so many; None: it is not strict.
        max_open: As the setting.
        max_idle: As the setting.
        ignored: How the paths begin that are never judged; empty: none is.
    """

    max_leaks: int | None = None
    max_open: int | None = None
    max_idle: float = 60.0
    ignored: str = ""

    @property
    def strict(self) -> bool:
        """Whether anything is raised."""
        return self.max_leaks is not None


@dataclass(eq=False)
class Finding:
    """One leak: what is raised of it, at most once."""

    kind: str
    site: Site
    thread: str
    raised: bool = False


@dataclass(eq=False)
class Scope:
    """A `no_leaks` scope, or an `allow` one, which has a reason."""

    parent: Scope | None
    reason: str | None
    over: bool = False
    findings: list[Finding] = field(default_factory=list)

    def around(self) -> Iterator[Scope]:
        """This one and those it is inside of, outwards."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


@dataclass(eq=False)
class Entry:
    """One response that the program was handed."""

    # The urllib3 response; the ledger keeps nothing alive.
    ref: weakref.ref[Any]
    site: Site
    path: str
    thread: str
    scope: Scope | None
    pool: weakref.ref[Any]
    block: bool
    chunked: bool
    # Only the collector may be able to free it.
    lingers: bool
    opened: float
    # When the last sweep that saw progress was, and what it saw.
    active: float
    seen: tuple[int, int] = (0, 0)
    # Pieces taken from a chunked stream: urllib3 does not count them in tell().
    pieces: int = 0
    closed: float | None = None
    # Closed by the finalizer of a wrapper, which the program has not done.
    shut: bool = False
    judged: bool = False
    kind: str | None = None
    age: float = 0.0
    lost: bool = False
    # A thread waits in a read of it.
    reading: bool = False
    # No lease at all, or one that has ended.
    over: bool = False

    @property
    def reason(self) -> str | None:
        """The reason of the nearest `allow` around."""
        return _reason(self.scope)

    @property
    def is_odd(self) -> bool:
        """Whether its end does not tell if the connection was given back."""
        return self.shut or self.closed is not None or self.path.startswith(_ODD)

    def within(self, scope: Scope) -> bool:
        """Whether it was opened in a scope or in one inside that."""
        return self.scope is not None and scope in self.scope.around()


class Ledger:
    """What the guard has to know and to say.

    Args:
        now: Seconds, where the guard's clock begins.
    """

    def __init__(self, now: float) -> None:
        """Nothing opened yet."""
        self.now = now
        self.terms = Terms()
        self.scope: Scope | None = None
        self.entries: list[Entry] = []
        self.counters: Counter[str] = Counter()
        self.leaks: dict[tuple[str, Site], list[Entry]] = {}
        self.resolved: Counter[tuple[str, Site]] = Counter()
        self.pending: list[Finding] = []
        self._last_sweep = float("-inf")

    # What the program did.

    def open(self, entry: Entry) -> None:
        """A response was handed out that holds a connection."""
        self.counters["opened"] += 1
        entry.seen = _progress(entry)
        self.entries.append(entry)
        if self._is_counted(entry):
            self._count_crowd(len(self.crowd()))

    def pass_through(self, scope: Scope | None, count: int) -> None:
        """Leases that urllib3 itself began and ended, following redirects."""
        self.counters["opened"] += count
        self.counters["released"] += count
        if _reason(scope) is None:
            for _ in range(count):
                self._count_crowd(len(self.crowd()) + 1)

    def refuse(self) -> None:
        """A response was one too many, in strict mode: it was released."""
        self.counters["opened"] += 1
        self.counters["too_many_open"] += 1

    def close(self, entry: Entry) -> None:
        """The program closed a response, or tried to."""
        if not entry.over and entry.closed is None:
            entry.closed = self.now

    def release(self, entry: Entry) -> None:
        """A response gave its connection back."""
        if not entry.over:
            self._end_well(entry, "released")

    def touch(self, entry: Entry) -> None:
        """The program said that it still needs a response."""
        entry.active = self.now

    def observe(self) -> None:
        """Ask urllib3's responses what became of them in the last step."""
        for entry in self.active():
            response = entry.ref()
            if response is None:
                self._collect(entry)
            elif response._connection is None:
                self.release(entry)
            elif response.closed and entry.closed is None and not entry.shut:
                entry.shut = True
                self._see(entry)

    # What the guard does.

    def guarded_call(self, thread: str) -> list[Finding]:
        """A request begins; what it has to raise instead.

        Args:
            thread: Where. It raises what was opened there, and each worker is a new
                thread.
        """
        if self.now - self._last_sweep >= _LAZY_SWEEP:
            self.sweep()
        return self.due(MAIN) if thread == MAIN else []

    def sweep(self) -> None:
        """Every open response is looked at."""
        self._last_sweep = self.now
        for entry in self.active():
            if entry.closed is not None:
                self._sweep_closed(entry, entry.closed)
            else:
                self._sweep_open(entry)

    def due(self, thread: str | None = None) -> list[Finding]:
        """What strict mode raises now.

        Args:
            thread: Only what was opened there.
        """
        limit = self.terms.max_leaks
        if limit is None or self.total <= limit:
            return []
        findings = [
            finding
            for finding in self.pending
            if not finding.raised and thread in (None, finding.thread)
        ]
        return _raised(findings)

    def end_scope(self, scope: Scope, *, failing: bool) -> list[Finding]:
        """A `no_leaks` scope ended; what it has to raise.

        Args:
            scope: The innermost one.
            failing: An exception of its body is on its way.
        """
        for entry in self.active():
            if entry.within(scope) and not entry.judged:
                self._judge_left(entry)
        scope.over = True
        findings = [finding for finding in scope.findings if not finding.raised]
        if not failing:
            return _raised(findings)
        # It is inside of the next one, too, which has not heard of it.
        outer = _promise(scope.parent)
        if outer is not None:
            outer.findings += findings
        return []

    # What is to be seen of it.

    @property
    def total(self) -> int:
        """Leaks of all kinds."""
        return sum(map(len, self.leaks.values()))

    def active(self) -> list[Entry]:
        """The leases that have not ended."""
        return [entry for entry in self.entries if not entry.over]

    def listed(self) -> list[Entry]:
        """The responses that a snapshot shows as open, the oldest first."""
        return [entry for entry in self.active() if entry.closed is None]

    def crowd(self) -> list[Entry]:
        """The responses that count against ``max_open``."""
        return [entry for entry in self.listed() if self._is_counted(entry)]

    def is_too_many(self, scope: Scope | None, path: str) -> bool:
        """Whether one more response would be."""
        limit = self.terms.max_open
        excused = _reason(scope) is not None or self._is_ignored(path)
        return limit is not None and not excused and len(self.crowd()) >= limit

    # Inside.

    def _sweep_closed(self, entry: Entry, closed: float) -> None:
        """Closed: its release may still come, for a while."""
        if self.now - closed < self.terms.max_idle:
            return
        if not entry.block:
            self._end_well(entry, "closed")
            return
        if not entry.judged:
            self._judge(entry, "unreleased")
        entry.lost = entry.kind is not None

    def _sweep_open(self, entry: Entry) -> None:
        """Open: was there any progress?"""
        if (
            not self._see(entry)
            and self.now - entry.active >= self.terms.max_idle
            and not entry.judged
            and not entry.shut
        ):
            if entry.reading:
                entry.active = self.now
            else:
                self._judge(entry, "held")

    def _see(self, entry: Entry) -> bool:
        """Look for progress; whether there was any."""
        progress = _progress(entry)
        if progress == entry.seen:
            return False
        entry.seen = progress
        entry.active = self.now
        return True

    def _judge_left(self, entry: Entry) -> None:
        """Its scope has ended."""
        if entry.closed is None:
            self._see(entry)
            self._judge(entry, "open")
        elif entry.block:
            self._judge(entry, "unreleased")
        else:
            self._end_well(entry, "closed")

    def _collect(self, entry: Entry) -> None:
        """It is gone, and has not given its connection back."""
        if entry.closed is not None and not entry.block:
            self._end_well(entry, "closed")
            return
        if not entry.judged:
            self._judge(entry, "dropped" if entry.closed is None else "unreleased")
        entry.over = True
        entry.lost = entry.block and entry.kind is not None

    def _judge(self, entry: Entry, kind: str) -> None:
        """Once for each lease: a leak, or excused."""
        entry.judged = True
        if not self._is_counted(entry):
            self.counters["excused"] += 1
            return
        entry.kind = kind
        entry.age = self.now - entry.opened
        entry.lost = entry.block and kind == "unreleased"
        self.counters[kind] += 1
        self.leaks.setdefault((kind, entry.site), []).append(entry)
        finding = Finding(kind, entry.site, entry.thread)
        if self.terms.strict:
            self.pending.append(finding)
        scope = _promise(entry.scope)
        if scope is not None:
            scope.findings.append(finding)

    def _end_well(self, entry: Entry, how: str) -> None:
        """Released or closed; a leak that it was is resolved."""
        entry.over = True
        entry.lost = False
        self.counters[how] += 1
        if entry.kind is not None:
            self.counters["resolved"] += 1
            self.resolved[entry.kind, entry.site] += 1

    def _count_crowd(self, size: int) -> None:
        """Report that too many are open."""
        limit = self.terms.max_open
        if limit is not None and size > limit:
            self.counters["too_many_open"] += 1

    def _is_counted(self, entry: Entry) -> bool:
        """Whether it is not excused."""
        return entry.reason is None and not self._is_ignored(entry.path)

    def _is_ignored(self, path: str) -> bool:
        """Whether the settings say so."""
        ignored = self.terms.ignored
        return bool(ignored) and path.startswith(ignored)


def _progress(entry: Entry) -> tuple[int, int]:
    """What a sweep compares: bytes of the wire, pieces of a chunked stream."""
    response = entry.ref()
    return (0 if response is None else response.tell(), entry.pieces)


def _promise(scope: Scope | None) -> Scope | None:
    """The innermost `no_leaks` scope that is not over."""
    scopes = scope.around() if scope is not None else ()
    return next(
        (each for each in scopes if each.reason is None and not each.over), None
    )


def _reason(scope: Scope | None) -> str | None:
    """The reason of the nearest `allow`."""
    scopes = scope.around() if scope is not None else ()
    return next((each.reason for each in scopes if each.reason is not None), None)


def _raised(findings: list[Finding]) -> list[Finding]:
    """The same, which are not raised again."""
    for finding in findings:
        finding.raised = True
    return findings
