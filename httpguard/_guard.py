"""The guard: owns one of each part and is what the patches talk to."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from datetime import datetime, timedelta, timezone
from types import FrameType, MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from . import patches, reporting
from ._config import Settings, load_settings
from ._detector import Detector, Finding, pools_of
from ._leak import LeakError, LeakKind, OpenResponse, PoolUse, Snapshot
from ._lease import Lease
from ._origin import Origins
from ._redact import printable, redact_url
from ._registry import Registry
from ._rhythm import Rhythm
from ._scope import Call, Scope
from ._stack import find_client, find_site, symbolize
from ._table import Group, LeakTable, leaks_of
from ._watcher import Watcher

if TYPE_CHECKING:
    from urllib3.connectionpool import HTTPConnectionPool
    from urllib3.response import HTTPResponse

_log: Final = logging.getLogger("httpguard")
# Set while our own report runs: a log handler that makes requests of its own
# must not start the next one.
_REPORTING: Final[ContextVar[bool]] = ContextVar("httpguard_reporting", default=False)
# With no watcher thread, guarded calls look at open responses this often.
_LAZY_SWEEP_SECONDS: Final = 5.0
_MOST_PENDING: Final = 10_000
# At exit a sweep under way gets this many seconds to end.
_EXIT_PATIENCE: Final = 1.0


class Guard:
    """Everything between `install` and `uninstall`.

    Args:
        settings: What to do.
        clock: Seconds, monotonic; tests inject their own.
    """

    def __init__(
        self, settings: Settings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Make the parts; nothing is patched yet."""
        self.registry = Registry(clock)
        self.detector = Detector(self.registry, settings, reporting.keep_bound)
        self.watcher = Watcher(self.watch, settings.check_interval)
        self._reset()
        self.configure(settings)

    def _reset(self) -> None:
        """The state that a forked child starts anew."""
        # Reentrant: a finalizer that runs inside a sweep may call `check`.
        self._lock = threading.RLock()
        self._sweeping = False
        self.table = LeakTable(self.registry.origins)
        self.detector.counts = dict.fromkeys(LeakKind, 0)
        self.detector.excused = 0
        self.errors = 0
        self.overruns = 0
        self._overrun_rhythm = Rhythm()
        # Found and not yet raised, strict mode only.
        self._pending: deque[Finding] = deque(maxlen=_MOST_PENDING)
        self._outbox: deque[reporting.Event] = deque()
        self._said: set[str] = set()
        self._next_sweep = 0.0

    def configure(self, settings: Settings) -> None:
        """Take new settings; what is known stays."""
        self.settings = settings
        self.detector.settings = settings
        self.registry.origins = self.table.origins = Origins(settings.app)
        self.registry.depth = settings.stack_depth
        self.registry.sample = settings.sample
        if self.watcher.interval != settings.check_interval:
            self.watcher.stop()
            self.watcher.interval = settings.check_interval

    # What the patches call.

    def before_request(self) -> None:
        """Judge what died since the last time. 0.2 us when nothing did.

        Raises:
            LeakError: In strict mode, leaks were found past ``max_leaks``.
        """
        registry = self.registry
        if (
            registry.dead
            or registry.resolved
            or self._pending
            or registry.clock() >= self._next_sweep
        ):
            self._attend()

    def hand_over(
        self,
        response: HTTPResponse,
        pool: HTTPConnectionPool,
        method: str,
        url: str,
        frame: FrameType,
    ) -> None:
        """urllib3 gave the application a response that holds a connection.

        Args:
            response: The response.
            pool: Its pool.
            method: As the program gave it.
            url: Absolute, or a path of the pool.
            frame: The innermost frame to keep.

        Raises:
            LeakError: In strict mode, it is one more than ``max_open``; it is
                closed.
        """
        try:
            if self.registry.get(response) is not None:
                return  # A redirect or retry re-entered urlopen.
            lease = self.registry.add(
                response, pool, method=method, url=url, client="", frame=frame
            )
            self._opened(lease)
        except Exception as error:
            self.step_aside("hand_over", error)
            return
        self._check_crowd([(lease, response)])

    def settle(
        self, call: Call, result: Any, request: Any, frame: FrameType, *, failed: bool
    ) -> None:
        """A call of ``Session.send`` ended: what it left open is handed over.

        Args:
            call: The responses that urllib3 gave it.
            result: The requests response, None if the call raised.
            request: The prepared request.
            frame: The innermost frame to keep.
            failed: The call raised: nothing is raised over that.

        Raises:
            LeakError: As in `hand_over`.
        """
        opened = []
        try:
            for response in dict.fromkeys(call):
                if response._connection is None or response._pool is None:
                    continue
                last = request
                if result is not None and result.raw is response:
                    last = result.request or request
                lease = self.registry.add(
                    response,
                    response._pool,
                    method=str(last.method),
                    url=str(last.url),
                    client="requests",
                    frame=frame,
                )
                self._opened(lease)
                opened.append((lease, response))
        except Exception as error:
            self.step_aside("settle", error)
        if opened and not failed:
            self._check_crowd(opened)

    def step_aside(self, where: str, error: Exception) -> None:
        """Something of ours failed: say so once, and leave the program alone.

        Args:
            where: The part that failed.
            error: How.
        """
        try:
            self.errors += 1
            if where in self._said:
                return
            self._said.add(where)
            _log.error(
                "httpguard failed in %s and stepped aside; the program goes on",
                where,
                exc_info=error,
            )
        except Exception:  # noqa: S110  # The log itself is broken: nowhere to say it.
            pass

    # What the API calls.

    def check(self) -> Snapshot:
        """Sweep now, and in strict mode raise what is due."""
        self._sweep(self._full_sweep)
        self._flush()
        self._raise_pending()
        return self.snapshot()

    def watch(self) -> None:
        """The watcher's sweep: it never raises, the application's thread does."""
        try:
            self._sweep(self._full_sweep)
            self._flush()
        except Exception as error:
            self.step_aside("watch", error)

    def snapshot(self) -> Snapshot:
        """What is known now. Judges the collected, reports nothing."""
        self._sweep(self.detector.bury)
        registry = self.registry
        counts = self.detector.counts
        counters = {
            "opened": registry.opened.value,
            "released": registry.released.value,
            "closed": registry.closed.value,
            **{kind.value: counts[kind] for kind in LeakKind},
            "leaks": sum(counts.values()),
            "resolved": sum(group.resolved for group in self.table.groups()),
            "excused": self.detector.excused,
            "too_many_open": self.overruns,
            "errors": self.errors,
        }
        leases = self._open_leases()
        return Snapshot(
            leaks=self.table.leaks(),
            open=tuple(self._open_response(lease) for lease in leases),
            counters=MappingProxyType(counters),
            pools=self._pools(leases),
        )

    def touch(self, response: Any) -> bool:
        """Restart a response's idle clock."""
        lease = self.registry.get(response)
        if lease is None:
            lease = self.registry.get(getattr(response, "raw", None))
        if lease is None:
            return False
        lease.active = self.registry.clock()
        return True

    def close_scope(self, scope: Scope) -> tuple[Finding, ...]:
        """Judge what a `no_leaks` scope leaves; the leaks not raised yet."""
        self._sweep(self.detector.bury)
        if self.detector.left_open(scope):
            gc.collect()
            self._sweep(self.detector.bury)
        self._sweep(lambda: self.detector.close_scope(scope))
        self._flush()
        return tuple(finding for finding in scope.findings if not finding.raised)

    def leak_error(self, findings: Iterable[Finding], limit: str) -> LeakError:
        """The error for some findings, which are then raised.

        Args:
            findings: At least one.
            limit: What was promised, for the message.
        """
        findings = list(findings)
        for finding in findings:
            finding.raised = True
        leaks = leaks_of(findings, self.registry.origins)
        from .reporting._text import describe

        number = len(findings)
        noun = "response" if number == 1 else "responses"
        text = "\n".join(describe(leak) for leak in leaks)
        return LeakError(f"{number} leaked {noun} ({limit})\n{text}", leaks)

    def finish(self) -> None:
        """The interpreter exits: judge what was dropped before, sum up, stop."""
        try:
            if self.registry.leases:
                # Garbage in cycles was dropped before the exit, not by it.
                gc.collect()
            self._sweep(self.detector.bury, patience=_EXIT_PATIENCE)
            self.watcher.stop()
            self.watcher.interval = 0
            self._flush()
            self._summarize()
        except Exception as error:
            self.step_aside("finish", error)

    def after_fork_in_child(self) -> None:
        """The leases, leaks and threads are the parent's."""
        self.registry.clear()
        self._reset()
        self.watcher.forget()

    # Inside.

    def _opened(self, lease: Lease) -> None:
        """A lease began: the watcher has something to watch."""
        if self.watcher.idle:
            self.watcher.start()

    def _attend(self) -> None:
        """A guarded call's share of the work."""
        if _REPORTING.get():
            return
        try:
            full = self.registry.clock() >= self._next_sweep
            self._sweep(self._full_sweep if full else self.detector.bury, patience=0)
            self._flush()
        except Exception as error:
            self.step_aside("before_request", error)
        self._raise_pending()

    def _sweep(
        self, judge: Callable[[], Iterable[Finding]], *, patience: float = -1
    ) -> None:
        """Judge, one thread at a time, and put what was found in the outbox.

        Nothing is logged under the lock: a log handler may wait for a thread
        that waits for the lock.

        Args:
            judge: What to run under the lock.
            patience: Seconds to wait for the lock; -1: as long as it takes.
        """
        if not self._lock.acquire(timeout=patience):
            return
        try:
            if self._sweeping:
                return
            self._sweeping = True
            try:
                for finding in judge():
                    self._found(finding)
                self._note_resolved()
            finally:
                self._sweeping = False
        finally:
            self._lock.release()

    def _full_sweep(self) -> Iterable[Finding]:
        """Look at everything: what died, what is open, what is due to be said."""
        interval = self.settings.check_interval or _LAZY_SWEEP_SECONDS
        self._next_sweep = self.registry.clock() + interval
        yield from self.detector.sweep()
        self._repeat_due()

    def _found(self, finding: Finding) -> None:
        """Take a finding into the table, its scope and the outbox."""
        group = self.table.add(finding)
        if self.settings.strict:
            self._pending.append(finding)
        scope = finding.scope
        while scope is not None and scope.reason is not None:
            scope = scope.parent
        if scope is not None:
            scope.findings.append(finding)
        if group.rhythm.due(group.count, self.registry.clock()):
            self._post(reporting.LEAK, group)

    def _note_resolved(self) -> None:
        """Say of judged leaks that they ended well after all."""
        resolved = self.registry.resolved
        while resolved:
            lease = resolved.popleft()
            site = find_site(lease.stack or (), self.registry.origins)
            group = self.table.find(lease.kind, site)
            if group is None:
                continue
            group.resolved += 1
            if group.resolved_rhythm.due(group.resolved, self.registry.clock()):
                self._post(reporting.RESOLVED, group)

    def _repeat_due(self) -> None:
        """Say what was held back because the last report was too fresh."""
        now = self.registry.clock()
        for group in self.table.groups():
            if group.rhythm.due(group.count, now):
                self._post(reporting.LEAK, group)

    def _post(self, name: str, group: Group) -> None:
        """Put a report about a group in the outbox."""
        self._outbox.append(
            reporting.Event(
                name=name,
                error=self.settings.strict,
                leaks=(group.leak(self.registry.origins),),
                figures={
                    "open_now": len(self._open_leases()),
                    "leaks_total": sum(self.detector.counts.values()),
                },
                context=group.latest.context,
            )
        )

    def _flush(self) -> None:
        """Report what is in the outbox, outside of any lock of ours."""
        if not self._outbox or _REPORTING.get():
            return
        token = _REPORTING.set(True)
        try:
            while self._outbox:
                try:
                    event = self._outbox.popleft()
                except IndexError:  # Another thread took the last one.
                    break
                try:
                    reporting.report(event)
                except Exception as error:
                    self.step_aside("report", error)
        finally:
            _REPORTING.reset(token)

    def _raise_pending(self) -> None:
        """In strict mode, raise each leak once, past ``max_leaks``."""
        if not self._pending or not self.settings.strict:
            return
        if self.table.total <= self.settings.max_leaks:
            return
        with self._lock:
            findings = [finding for finding in self._pending if not finding.raised]
            self._pending.clear()
        if findings:
            raise self.leak_error(findings, f"max_leaks={self.settings.max_leaks}")

    def _check_crowd(self, opened: list[tuple[Lease, HTTPResponse]]) -> None:
        """Whether the responses just opened are too many."""
        limit = self.settings.max_open
        if limit is None or len(self.registry.leases) <= limit:
            return
        try:
            crowd = self.detector.crowd()
            if len(crowd) <= limit or not any(lease in crowd for lease, _ in opened):
                return
            error = self._overrun(crowd, limit)
            if error is None:
                return
            for lease, response in opened:
                self.registry.discard(lease)
                response.close()
                response.release_conn()
        except Exception as failure:
            self.step_aside("max_open", failure)
            return
        raise error

    def _overrun(self, crowd: list[Lease], limit: int) -> LeakError | None:
        """Report that too many are open; the error if that is to be raised."""
        with self._lock:
            self.overruns += 1
            due = self._overrun_rhythm.due(self.overruns, self.registry.clock())
        responses = tuple(self._open_response(lease) for lease in crowd)
        if due:
            figures = {"open_now": len(crowd), "max_open": limit}
            figures["leaks_total"] = sum(self.detector.counts.values())
            self._outbox.append(
                reporting.Event(
                    name=reporting.TOO_MANY_OPEN,
                    error=self.settings.strict,
                    crowd=responses,
                    figures=figures,
                    context=self.detector.digested(crowd[-1]),
                )
            )
            self._flush()
        if not self.settings.strict:
            return None
        from .reporting._text import describe_crowd

        now = self.registry.clock()
        findings = [Finding(LeakKind.OPEN, lease, now) for lease in crowd]
        leaks = leaks_of(findings, self.registry.origins)
        return LeakError(describe_crowd(responses, limit), leaks)

    def _summarize(self) -> None:
        """The event at exit, if anything was found."""
        leaks = self.table.leaks()
        if not leaks and not self.overruns:
            return
        self._outbox.append(
            reporting.Event(
                name=reporting.SUMMARY,
                error=self.settings.strict,
                leaks=leaks,
                figures={
                    "leaks_total": sum(self.detector.counts.values()),
                    "opened": self.registry.opened.value,
                    "open_now": len(self._open_leases()),
                    "too_many_open": self.overruns,
                },
            )
        )
        self._flush()

    def _open_leases(self) -> list[Lease]:
        """The leases whose response is open, the oldest first."""
        return [
            lease
            for lease in list(self.registry.leases.values())
            if lease.closed is None
            and (response := lease()) is not None
            and response._connection is not None
        ]

    def _open_response(self, lease: Lease) -> OpenResponse:
        """An open lease as the frozen value that users see."""
        now = self.registry.clock()
        origins = self.registry.origins
        stack = lease.stack or ()
        response = lease()
        return OpenResponse(
            site=find_site(stack, origins),
            stack=symbolize(stack, origins),
            method=printable(lease.method),
            url=redact_url(lease.absolute_url),
            status=lease.status,
            client=lease.client or find_client(stack),
            pool=lease.pool.name,
            thread=printable(lease.thread),
            opened=datetime.now(timezone.utc) - timedelta(seconds=now - lease.opened),
            age=now - lease.opened,
            idle=now - lease.active,
            bytes_read=lease.bytes_read if response is None else response.tell(),
            length=lease.length,
            allowed=lease.scope.allowed if lease.scope is not None else None,
        )

    def _pools(self, leases: list[Lease]) -> tuple[PoolUse, ...]:
        """The pools that are there, with what they have open."""
        return tuple(
            PoolUse(
                name=pool.name,
                maxsize=pool.maxsize,
                block=pool.block,
                open=sum(lease.pool is pool for lease in leases),
                lost=pool.lost,
            )
            for pool in sorted(pools_of(self.registry), key=lambda pool: pool.name)
        )


# The one guard of the process.

_current: Guard | None = None
_starting: Final = threading.Lock()
# How many `no_leaks` scopes are entered of those that had to install.
_visitors = 0


def current() -> Guard | None:
    """The guard, None if not installed."""
    return _current


def start(settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
    """Install with settings at hand, or give the installed guard new ones.

    Args:
        settings: What to do; `enabled` is not looked at.
        clock: Seconds, monotonic.
    """
    global _current, _visitors
    with _starting:
        _visitors = 0
        if _current is not None:
            _current.configure(settings)
            return
        _current = Guard(settings, clock)
        patches.apply(_current)
        atexit.register(_finish)


def stop() -> None:
    """Take every patch off and forget the guard."""
    global _current
    guard, _current = _current, None
    patches.remove()
    atexit.unregister(_finish)
    if guard is not None:
        guard.watch()
        guard.watcher.stop()


def enter_temporary() -> None:
    """A scope begins: install for its time, if nobody has.

    Raises:
        ConfigError: A setting of the environment is not accepted.
    """
    global _visitors
    if _current is not None and not _visitors:
        return
    if _current is None:
        settings = load_settings({"check_interval": 0}, os.environ)
        if not settings.enabled:
            return
        start(settings)
    with _starting:
        _visitors += 1


def leave_temporary() -> None:
    """A scope ends: the last one that had to install uninstalls."""
    global _visitors
    with _starting:
        if not _visitors:
            return
        _visitors -= 1
        last = not _visitors
    if last:
        stop()


def _finish() -> None:
    """Run at exit."""
    if _current is not None:
        _current.finish()
        patches.disconnect()


def _before_fork() -> None:
    """Run in the parent, before."""
    if _current is not None and sys.version_info >= (3, 12):
        _current.watcher.pause()


def _after_fork_in_parent() -> None:
    """Run in the parent, after."""
    if _current is not None:
        _current.watcher.resume()


def _after_fork_in_child() -> None:
    """Run in the child."""
    if _current is not None:
        _current.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
