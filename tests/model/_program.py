"""What every step of a random program needs, and the comparison."""

from __future__ import annotations

import functools
import gc
import itertools
import weakref
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from urllib3.exceptions import EmptyPoolError

import httpguard
from httpguard import LeakError, Snapshot
from httpguard._process import installing as _installing

from ._bodies import BODIES, ask
from ._compare import differences, unlike_raised
from ._handles import MISHAPS, WORKER, Handle, Knot, raw_of, run
from ._ledger import MAIN, Entry, Ledger, Scope, Terms
from ._sites import CLIENTS, SITES, STREAMING, Clients, Site
from ._statistics import STATISTICS

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Callable, Iterable

    from tests.server import Address

    from ._ledger import Finding

HERE: Final = "here"
_THREADS: Final = ("thread", "context")
_NAMES: Final = itertools.count()
_START: Final = 1000.0

# Which of the handles a step is about: so that what is drawn does not depend on
# what the network did before.
PICKS: Final = st.integers(0, 59)
PLACES: Final = st.sampled_from([HERE, HERE, HERE, "thread", "context"])
SIZES: Final = st.sampled_from([1, 10, 100, 1000, 30_000])
STREAMS: Final = st.sampled_from(STREAMING)
ANSWERS: Final = st.sampled_from(BODIES)
REQUESTS: Final = st.tuples(STREAMS, ANSWERS)
TERMS: Final = st.builds(
    Terms,
    max_leaks=st.none(),
    max_open=st.sampled_from([None, None, 2, 4]),
    max_idle=st.sampled_from([60.0, 60.0, 30.0]),
    ignored=st.sampled_from(["", "", "/lines", "/status"]),
)


class DifferenceError(AssertionError):
    """The guard and the model do not agree."""


def expect(holds: object, claim: str) -> None:
    """What the test takes for granted."""
    if not holds:
        raise DifferenceError(claim)


def step(**drawn: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make a method a step of the program: run, observed, counted.

    A method that finds nothing to do returns False.
    """

    def decorate(method: Callable[..., Any]) -> Any:
        @functools.wraps(method)
        def take(self: Program, **values: Any) -> None:
            self.taken.append((method.__name__, values))
            self.broken = True
            done = method(self, **values)
            self.settle()
            self.broken = False
            STATISTICS["steps"] += done is not False

        make_rule: Any = rule(**drawn)
        return make_rule(take)

    return decorate


class Program(RuleBasedStateMachine):
    """A program that opens responses, and mostly forgets what to do with them.

    Args:
        server: Whom it asks.
    """

    def __init__(self, server: Address) -> None:
        """Nothing opened yet, and nothing installed."""
        super().__init__()
        # The collector runs when the program says so, not when it likes to, and
        # looks at nothing that was there before.
        gc.disable()
        gc.freeze()
        httpguard.uninstall()
        self.server = server
        self.clients = Clients(server)
        self.handles: list[Handle] = []
        self.knots: list[tuple[weakref.ref[Knot], Entry]] = []
        self.waiting: list[tuple[weakref.ref[Any], Entry]] = []
        self.scopes: list[tuple[Any, Scope]] = []
        self.contexts: list[tuple[contextvars.Context, Scope | None]] = []
        self.ledger = Ledger(_START)
        # The server remembers some of the paths it was asked for.
        self.name = f"p{next(_NAMES)}"
        self.serial = 0
        # The steps, for whoever wants to take some of them again.
        self.taken: list[tuple[str, dict[str, Any]]] = []
        # A step is under way: where it stays so, the step has failed.
        self.broken = False
        # A connection was given back with a body unread, which the next request on
        # it finds out.
        self.disturbed = False
        # The collector may have run in this step.
        self.collected = False

    @initialize(
        terms=TERMS,
        max_leaks=st.sampled_from([None, None, None, 0, 2]),
        requests=st.lists(REQUESTS, max_size=6),
    )
    def begin(
        self, terms: Terms, max_leaks: int | None, requests: list[tuple[str, str]]
    ) -> None:
        """Install, strict or not, and open the first responses."""
        values = {"terms": terms, "max_leaks": max_leaks, "requests": requests}
        self.taken.append(("begin", values))
        self.broken = True
        STATISTICS["programs"] += 1
        self.install(terms, max_leaks)
        for site, body in requests:
            self.open(site, body)
        self.settle()
        self.broken = False

    def install(self, terms: Terms, max_leaks: int | None) -> None:
        """Install, or replace the settings."""
        self.ledger.terms = Terms(
            max_leaks, terms.max_open, terms.max_idle, terms.ignored
        )
        settings = httpguard.Settings(
            strict=max_leaks is not None,
            max_leaks=max_leaks or 0,
            max_open=terms.max_open,
            max_idle=terms.max_idle,
            check_interval=0,
            # Below are the frames of hypothesis.
            stack_depth=4,
            ignore=(f"*{terms.ignored}/*",) if terms.ignored else (),
        )
        _installing.start(settings, lambda: self.ledger.now)

    def teardown(self) -> None:
        """Let go of everything, one thing after the other, and compare."""
        try:
            if not self.broken:
                self._finish()
        finally:
            self._forget()
            httpguard.uninstall()
            gc.enable()

    # For the steps.

    def open(
        self,
        name: str,
        body: str,
        method: str = "GET",
        where: str | tuple[contextvars.Context, Scope | None] = HERE,
    ) -> bool:
        """Open a response; whether there is one."""
        site = SITES[name]
        full = self.clients.is_full(site.place)
        if full and site.library == "requests":
            return False  # It would wait for ever.
        asked, path, hops = ask(body, f"{self.name}-{self.serial}")
        if not site.follows:
            path = asked.partition("?")[0]
        self.serial += 1
        place, scope = where if isinstance(where, tuple) else (where, self.ledger.scope)
        scope = None if where == "thread" else scope
        thread = WORKER if place in _THREADS else MAIN
        due = self.ledger.guarded_call(thread)
        thing, error = run(partial(site.opener, self.clients, method, asked), place)
        try:
            if due:
                self.compare_raised(error, due)
            elif isinstance(error, LeakError):
                self._refused(error, site, scope, path)
            elif isinstance(error, EmptyPoolError) or full:
                expect(full and isinstance(error, EmptyPoolError), f"a slot: {error}")
            elif error is not None:
                expect(isinstance(error, MISHAPS), f"{name}: {error!r}")
            else:
                self.ledger.pass_through(scope, hops if site.hops else 0)
                self._hand_out(thing, site, path, place, scope)
                return True
            return False
        finally:
            # Tracebacks may keep this frame.
            del thing, error

    def pick(
        self, pick: int, fits: Callable[[Handle], bool] = lambda _: True
    ) -> Handle | None:
        """One of the handles that fit."""
        handles = [handle for handle in self.handles if fits(handle)]
        return handles[pick % len(handles)] if handles else None

    def can_read(self, handle: Handle) -> bool:
        """Not from a connection that was given back: others read from it."""
        raw = handle.entry.ref()
        return (
            not handle.is_error
            and raw is not None
            and (raw._connection is not None or raw.isclosed())
        )

    def do(self, action: Callable[[], Any], where: str = HERE) -> Any:
        """Run something that may meet a mishap."""
        result, error = run(action, where)
        try:
            if error is not None and not isinstance(error, MISHAPS):
                raise error
            return result
        finally:
            # The error's traceback leads here.
            del result, error

    def settle(self) -> None:
        """See what became of every response in the last step."""
        ledger = self.ledger
        for stream, entry in self.waiting:
            # A generator that waits inside of a chunked body gives the connection
            # back as it goes, unless the collector came for the response first.
            if stream() is None and entry.ref() is None and not self.collected:
                ledger.release(entry)
        before = ledger.active()
        gone = [entry for entry in before if entry.ref() is None]
        ledger.observe()
        self.disturbed |= any(map(_was_left_unread, before))
        self.knots = [knot for knot in self.knots if knot[0]() is not None]
        referred = self.referred() | {id(entry) for _, entry in self.knots}
        for entry in gone:
            expect(id(entry) not in referred, f"{entry.path} has gone")
        for entry in ledger.active():
            kept = id(entry) in referred or entry.lingers
            expect(kept, f"{entry.path} is kept alive")
        self.waiting = [
            (weakref.ref(handle.thing), handle.entry)
            for handle in self.handles
            if handle.in_chunks
        ]
        self.collected = False

    def referred(self) -> set[int]:
        """The entries whose response the program has a reference to, by id."""
        return {id(handle.entry) for handle in self.handles if handle.refers}

    def leave_scope(self, *, fail: bool) -> None:
        """Leave the innermost scope."""
        manager, scope = self.scopes.pop()
        exit_with: tuple[Any, ...] = (KeyError, KeyError(), None)
        garbage = self._garbage_of(scope)
        error = None
        try:
            manager.__exit__(*(exit_with if fail else (None, None, None)))
        except LeakError as raised:
            error = raised.with_traceback(None)
        self.ledger.scope = scope.parent
        self.collected = True
        self.settle()
        if scope.reason is None:
            for entry in garbage:
                expect(entry.ref() is None, f"{entry.path} was not collected")
            self.compare_raised(error, self.ledger.end_scope(scope, failing=fail))

    def check(self) -> None:
        """Sweep and compare."""
        self.settle()
        self.ledger.sweep()
        due = self.ledger.due()
        error = None
        try:
            httpguard.check()
        except LeakError as raised:
            error = raised.with_traceback(None)
        self.compare_raised(error, due)
        self.settle()
        self.compare(httpguard.snapshot())

    def compare_raised(
        self, error: BaseException | None, due: Iterable[Finding]
    ) -> None:
        """Compare what was raised."""
        leaks = error.leaks if isinstance(error, LeakError) else ()
        findings = Counter(f"{finding.kind} {finding.site.name}" for finding in due)
        _agree(unlike_raised(leaks, findings))

    def compare(self, snapshot: Snapshot) -> None:
        """Compare what is shown."""
        STATISTICS["comparisons"] += 1
        _agree(differences(snapshot, self.ledger))

    # Inside.

    def _hand_out(
        self,
        thing: Any,
        site: Site,
        path: str,
        place: str | contextvars.Context,
        scope: Scope | None,
    ) -> None:
        """The program was given a response."""
        raw = raw_of(thing)
        now = self.ledger.now
        entry = Entry(
            ref=weakref.ref(raw),
            site=site,
            path=path,
            thread=WORKER if place in _THREADS else MAIN,
            scope=scope,
            pool=weakref.ref(raw._pool),
            block=raw._pool.block,
            chunked=raw.chunked,
            lingers=self.disturbed and site.keeps_frames,
            opened=now,
            active=now,
        )
        if raw._connection is None:
            entry.over = True
        else:
            self.ledger.open(entry)
        self.handles.append(Handle(thing, entry))

    def _refused(
        self, error: LeakError, site: Site, scope: Scope | None, path: str
    ) -> None:
        """Strict mode raised at a request that was one too many."""
        ledger = self.ledger
        expect(ledger.terms.strict, f"raised, not in strict mode: {error}")
        expect(ledger.is_too_many(scope, path), f"not too many: {error}")
        crowd = Counter(f"open {entry.site.name}" for entry in ledger.crowd())
        crowd[f"open {site.name}"] += 1
        _agree(unlike_raised(error.leaks, crowd))
        ledger.refuse()

    def _garbage_of(self, scope: Scope) -> list[Entry]:
        """What a scope's end has to collect."""
        referred = self.referred()
        return [
            entry
            for entry in self.ledger.active()
            if entry.within(scope) and not entry.judged and id(entry) not in referred
        ]

    def _finish(self) -> None:
        """The end of the program."""
        self.broken = True
        while self.scopes:
            self.leave_scope(fail=False)
        self.check()
        self.handles.clear()
        self.settle()
        self.check()
        self.collected = True
        gc.collect()
        self.settle()
        self.check()
        expect(not self.ledger.active(), "something outlived the program")
        STATISTICS.update(self.ledger.counters)

    def _forget(self) -> None:
        """Leave nothing to the next program."""
        self.handles.clear()
        self.contexts.clear()
        while self.scopes:
            manager, _ = self.scopes.pop()
            manager.__exit__(KeyError, KeyError(), None)
        for place in CLIENTS:
            self.clients.close(place)
        gc.collect()


def _agree(lines: list[str]) -> None:
    """The two have to agree in everything."""
    expect(not lines, "\n".join(lines))


def _was_left_unread(entry: Entry) -> bool:
    """Whether a response gave its connection back before its end."""
    response = entry.ref()
    return (
        response is not None
        and response._connection is None
        and not response.isclosed()
    )
