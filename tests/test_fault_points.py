"""A fault in each function of httpguard: the program gets what it got without."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests

import httpguard
from httpguard._clients.urllib3 import mocks as _real
from httpguard._model import failure as _failure
from httpguard._process import exits as _exits
from httpguard._process import forks as _forks
from httpguard._process import process as _process
from httpguard._stacks import ownership as _origin
from httpguard._stacks import sites as _sites
from httpguard._text import leaks as _text
from tests.faults._points import FaultError, Point, calls, fault, points
from tests.faults._programs import PROGRAMS, Control, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from httpguard._guard.watcher import Watcher
    from tests.server import Server

    Reference = list[tuple[Callable[..., Outcome], Outcome, set[Any]]]

# The walls: what stands in these functions is one `try`, or can not fail. A fault
# is injected into all that they call.
WALLS: Final = frozenset(
    {
        *(
            f"_guard.guard.Guard.{name}"
            for name in (
                "check",
                "watch",
                "snapshot",
                "opened",
            )
        ),
        *(f"_guard.scopes.Scopes.{name}" for name in ("unfinished", "close")),
        *(
            f"_guard.calls.Calls.{name}"
            for name in (
                "before_request",
                "made",
                "own",
                "touch",
                "begin_wait",
                "end_wait",
                "explain",
            )
        ),
        "_guard.parts.Parts.raise_due",
        "_guard.parts.Parts.step_aside",
        # The program's own call passes through it.
        "_stacks.submission.Followed.__call__",
        "_stacks.submission.Followed.__getattr__",
        "_stacks.submission.Followed.__repr__",
        "_clients.urllib3.pools._discarded",
        "_guard.outbox.Outbox.step_aside",
        "_model.failure.Failures.say",
        "_model.failure._traceback",
        "_process.process.current",
        "_process.process.failed",
        "_process.installing.enter_temporary",  # `no_leaks` that cannot watch raises.
        "_process.forks._before",
        "_process.forks._in_child",
        "_process.exits.finish",
        "_model.fork.is_native",
        "_model.fork.Parts.pause",
        "_model.fork.Parts.resume",
        "_model.fork.Parts.forget",
        "_model.fork.Parts._tell",
        "_clients.urllib3.pools._may_come_back",
        "_clients.urllib3.client.dealloc_warn",
        "_leases.ends.Ends.give_up",
    }
)
POINTS: Final = [
    point
    for point in points()
    if point.name not in WALLS
    and not point.name.startswith(
        (
            "_clients.gate.Gate.",
            "_guard.parts.CountsObserver.",
            "_clients.guard.Guard.",
            "_clients.guard.Waiting.",
            "_leases.client.",
            "_leases.registry.LeaseObserver.",
            "_model.fork.Forked.",
            "_pools.kind.PoolKind.",
        )
    )
]
# Not called by the programs: once as httpguard is imported, in another thread, by
# the authors of reports, or with a value that the program was given.
NOT_CALLED: Final = frozenset(
    {
        "_model.leak.Frame.__str__",
        "_model.leak.Leak.__str__",
        "_model.leak.Leak._repr_html_",
        "_model.leak.Leak.to_dict",
        "_model.plain.as_html",
        "_model.words.nearest",
        "_process.process.Pages.serve_as",
        "_process.process.Process.__init__",
        "_guard.watcher.Watcher._pause_until",
        "_guard.watcher.Watcher._run",
        "_clients.patching.Later.__init__",
        "_clients.patching.Later.put_on",  # See `test_fault_clients`.
        "_clients.urllib3.mocks.Classes.__init__",
        "_clients.urllib3.client.Urllib3.__init__",
        "_clients.requests.Requests.__init__",
        "_model.failure.Failures.__init__",
        "_reporting.logs.Destinations.__init__",
        "_reporting.logs.Members.__init__",
        "_reporting.logs.Members.add",
        "_reporting.logs.Members.remove",
        "_reporting.context._span",  # With OpenTelemetry alone.
        "_reporting.logs.Logs.__init__",
        "_reporting.logs._tell_of_silence",
        "_leases.snapshots.count_responses",
        "_reporting.logs.Run.__init__",
        "_reporting.logs.Run.name",
        "_text.events._details",
        "_text.pools._a",
        # For test sessions, `httpguard run` and monitoring, which are asked for.
        "_leases.detector.Detector.close_process",
        "_leases.readers._finalized",
        "_leases.readers.left_alone",
        "_guard.scopes.Scopes.bury",
        "_guard.scopes.Scopes.is_arriving",  # Within a loop.
        "_guard.scopes._bound",  # Where a thread works for a scope.
        "_guard.scopes._name",
        "_guard.parts.Parts.keep_times",
        "_guard.parts.Parts.tell_counts",
        "_guard.guard.Guard.measures",
        "_model.plain._names",
        "_guard.outbox.Outbox.notify",
        "_process.session.enter_session",
        "_process.exits.observe_end",
        "_process.process.in_session",
        "_process.process.is_installed",
        "_process.session.leave_session",
        "_process.process.observe",
        "_leases.registry.Registry._tell",
        "_leases.registry.Registry.claim_by",
        "_leases.ends.Ends.take_times",
        # For `httpguard attach`, which tells of failures where it was called.
        "_clients.Patches.adopters",
        "_clients.requests._adopters",
        "_clients.requests.adopt_answer",
        "_clients.requests.adopt_session",
        "_clients.requests.requests_package",
        # See `test_fault_clients`.
        "_clients.tasks._create_task",
        "_clients.tasks._is_of_client",
        "_clients.tasks._note",
        "_clients.tasks.patch_tasks",
        "_clients.urllib3.package._adopters",
        "_clients.urllib3.package._adopt_manager",
        "_clients.urllib3.package._adopt_pool",
        "_clients.urllib3.package.adopt_response",
        "_clients.urllib3.package.pools_of",
        "_clients.urllib3.package.urllib3_package",
        "_clients.urllib3.pools.Urllib3Pools.is_wait",
        "_clients.urllib3.pools.Urllib3Pools.missing",
        "_leases.readers.readers_of",
        "_leases.sessions.Sessions.adopt",
        "_pools.slot.Losses.find",
        "_process.forks._call",
        "_process.forks._switch",
        "_process.forks.let_go",
        # Once, or on other interpreters.
        *(f"_stacks.variables._by_{way}" for way in ("interface", "place", "view")),
        "_stacks.variables._choose",
        "_stacks.capture.near_site",  # Compiled, and of clients with tasks.
        # Of a stack without the application.
        "_leases.table._of_runner",
        "_stacks.sites.runs_others",
        # Found by a test of its own.
        "_holders.search._Search._cycle",
        "_stacks.variables._unreadable",
        "_stacks.variables.Unknown.__init__",
        "_guard.watcher.Watcher.hurry",
        "_guard.watcher.Watcher.look_back",
        # With other settings, in other worlds, or at a fork; cached since.
        "_clients._copies_in",
        "_clients.forwarding._shown",
        "_clients.requests._caller",
        "_guard.watcher._sweep_as",
        "_guard.watcher.Watcher.wait_for_end",
        "_leases.lease.Lease.has_key",
        "_leases.lease.Lease.is_of",
        "_model.plain.as_text",
        "_pools.pool.PoolRef.idle",
        "_stacks.sites.Proven._make_room",
        "_clients.Patches.__init__",
        "_clients.Patches._leave",
        "_clients.Patches._say",
        "_guard.parts.Parts.close_held",
        "_leases.held.close_held",
        "_leases.readers.is_read_on",
        "_pools.waits.Share.covers",
        "_clients.patching.Patcher.__init__",
        "_clients.patching.Patcher.unwrap",
        "_clients.patching.Patcher.wrap_call",
        "_clients.urllib3.callers.Codes.__init__",
        "_clients.urllib3.client.Urllib3.close",
        "_clients.urllib3.client.shut",
        "_guard.parts.Parts.pause",
        "_guard.parts.Parts.resume",
        "_guard.reports.Reports.pressure",
        "_guard.strict.Pending.awaited",
        "_guard.watcher.Watcher.resume",
        "_guard.watcher._wait",
        "_leases.sessions.Wasted.saved",
        "_leases.lease.Finding.of_session",
        "_leases.registry.Registry.pause",
        "_leases.registry.Registry.resume",
        "_leases.registry.Registry.stood_still",
        "_leases.sessions.SessionRef.absolute_url",
        "_leases.session_detector._keeps",
        "_leases.session_detector._without_one_a_thread",
        "_leases.threads._greenlet",
        "_leases.threads._is_under_way",
        "_leases.threads.is_alive",
        "_leases.threads.strand_of",
        "_model.fork.Parts.__init__",
        "_model.words.relative",
        "_pressure.shortage.describe_churn",
        "_pressure.descriptors._suspects",
        "_pressure.descriptors.sockets_by_state",
        "_reporting.context.Bound.__init__",
        "_reporting.context.digested",
        "_stacks.ownership._is_typed_in",
        "_stacks.waits._callers",
        "_stacks.waits._values",
        "_text.pools.describe_churn",
        "_text.pools.describe_descriptors",
        "_stacks.variables._places",
        "_stacks.waits._names",
        "_stacks.waits._of_trio",
        "_model.redaction._escape",
        "_text.leaks.short_path",
    }
)

pytestmark = [
    pytest.mark.usefixtures("small_heap"),
    pytest.mark.filterwarnings("ignore:Assigning a code object:DeprecationWarning"),
]


WATCHERS: list[Watcher] = []


class Guarded(Control):
    """The guard, with what else happens to a process."""

    def install(self, **settings: Any) -> None:
        """By the public function, since that is what contains a fault."""
        settings.setdefault("check_interval", 0)
        httpguard.install(**settings)
        guard = _process.current()
        if guard is not None:
            guard.registry.clock = lambda: self.now
            guard.registry.settle()
            WATCHERS.append(guard.watcher)

    def fork(self) -> None:
        """As `os.fork` does, in parent and child."""
        _forks._before()
        _process.PROCESS.parts.resume()
        guard = _process.current()
        if guard is not None:  # No thread goes on in a child.
            watcher = guard.watcher
            ended, watcher._stop = watcher._stop, None
            if ended is not None:
                ended.set()
        _forks._in_child()

    def exit(self) -> None:
        """As the interpreter does."""
        _exits.finish()


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    """Nothing installed, before and after, and nothing remembered."""
    forget()
    yield
    forget()
    while WATCHERS:  # Where their end is what has failed.
        WATCHERS.pop().stop()


def forget() -> None:
    httpguard.uninstall()
    _process.PROCESS.failures = _failure.Failures()
    for cached in (
        _origin._directory,
        _origin._installed_in,
        _origin.installed_package,
        _origin._library_directories,
        _sites._line,
        _text._package,
    ):
        cached.cache_clear()
    for known in (_real._IS_RESPONSE, _real._REAL_BODY, _real.REAL_SOCKET):
        known.clear()


@pytest.fixture(scope="module")
def reference(server: Server) -> Reference:
    """Each program without a guard, and the code that runs with one."""
    found = []
    for program in PROGRAMS:
        forget()
        alone = program(Unguarded(), server)
        with calls() as seen:
            guarded = program(Guarded(), server)
            forget()
        assert guarded == alone
        found.append((program, alone, seen))
    return found


class Unguarded(Control):
    """Installs nothing."""

    def install(self, **_settings: Any) -> None:
        """Not at all."""

    def fork(self) -> None:
        """Nor this."""

    def exit(self) -> None:
        """Nor this."""


def test_the_points_are_found() -> None:
    assert len(POINTS) > 180
    names = {point.name for point in points()}
    assert names >= WALLS
    assert names >= NOT_CALLED


def test_every_point_is_called_by_a_program(reference: Reference) -> None:
    seen = set().union(*(codes for _, _, codes in reference))
    missed = {point.name for point in POINTS if point.function.__code__ not in seen}
    assert sorted(missed - NOT_CALLED) == []


@pytest.mark.parametrize(
    "point", [point for point in POINTS if point.name not in NOT_CALLED], ids=str
)
def test_the_program_goes_on(
    point: Point,
    reference: Reference,
    server: Server,
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = MemoryError if POINTS.index(point) % 2 else FaultError
    code = point.function.__code__
    for program, alone, codes in reference:
        if code not in codes:
            continue
        forget()
        caplog.clear()
        with fault(point.function, error) as injected:
            assert program(Guarded(), server) == alone
            errors = httpguard.snapshot().counters.get("errors", 0)
            installed = _process.current() is not None
            httpguard.uninstall()
        said = [text for text in caplog.messages if "stepped aside" in text]
        assert injected["hits"]
        assert len(set(said)) == len(said)
        assert said
        assert errors or not installed or "failed in uninstall" in said[-1]
        break
    # And all is well again.
    forget()
    caplog.clear()
    httpguard.install(check_interval=0)
    requests.get(server.url("/bytes/90000"), stream=True)
    assert [leak.count for leak in httpguard.check().leaks] == [1]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
