"""Random programs, one step at a time, and the comparison."""

from __future__ import annotations

import functools
import gc
import http.client
import io
import itertools
import sys
import threading
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import requests
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from urllib3.exceptions import EmptyPoolError

import httpguard
from httpguard import LeakError, Snapshot, _process

from ._bodies import BODIES, ask
from ._compare import differences, unlike_raised
from ._handles import MISHAPS, WORKER, Handle, Knot, raw_of, run
from ._ledger import MAX_IDLE, Entry, Ledger, Scope
from ._sites import CLIENTS, READING, SITES, STREAMING, Clients, Site
from ._statistics import STATISTICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.server import Address

    from ._ledger import Finding

_NAMES: Final = itertools.count()
_START: Final = 1000.0
_MOST_SCOPES: Final = 4
_PATIENCE: Final = 5.0
_HERE: Final = "here"

# Which of the handles a step is about: so that what is drawn does not depend on
# what the network did before.
_PICKS: Final = st.integers(0, 59)
_PLACES: Final = st.sampled_from([_HERE, _HERE, _HERE, "thread", "context"])
_METHODS: Final = st.sampled_from(["GET", "GET", "GET", "HEAD", "POST"])
_SITES: Final = st.sampled_from(STREAMING)
_BODIES: Final = st.sampled_from(list(BODIES))
_REQUESTS: Final = st.tuples(_SITES, _BODIES)
_SIZES: Final = st.sampled_from([1, 10, 100, 1000, 30_000])
_SECONDS: Final = st.sampled_from([5, 10, 20, 30, 50, 60])


class DifferenceError(AssertionError):
    """The guard and the model do not agree."""


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

        return rule(**drawn)(take)  # type: ignore[no-untyped-call]  # hypothesis'

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
        self.ledger = Ledger(_START, None)
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
        max_leaks=st.sampled_from([None, None, None, 0, 2]),
        requests=st.lists(_REQUESTS, max_size=6),
    )
    def install(self, max_leaks: int | None, requests: list[tuple[str, str]]) -> None:
        """Install, strict or not, and open the first responses."""
        self.taken.append(("install", {"max_leaks": max_leaks, "requests": requests}))
        self.ledger.max_leaks = max_leaks
        settings = httpguard.Settings(
            strict=max_leaks is not None,
            max_leaks=max_leaks or 0,
            max_idle=MAX_IDLE,
            check_interval=0,
            # Below are the frames of hypothesis.
            stack_depth=4,
        )
        _process.start(settings, lambda: self.ledger.now)
        STATISTICS["programs"] += 1
        self.broken = True
        for site, body in requests:
            self._open(site, body, "GET", _HERE)
        self.settle()
        self.broken = False

    def teardown(self) -> None:
        """Let go of everything, one thing after the other, and compare."""
        try:
            if not self.broken:
                self._finish()
        finally:
            self._forget()
            httpguard.uninstall()
            gc.enable()

    # Opening.

    @step(
        site=_SITES,
        body=_BODIES,
        method=_METHODS,
        where=_PLACES,
    )
    def open(self, site: str, body: str, method: str, where: str) -> bool:
        """Open a response and keep it."""
        return self._open(site, body, method, where)

    @step(requests=st.lists(_REQUESTS, min_size=1, max_size=4))
    def open_some(self, requests: list[tuple[str, str]]) -> bool:
        """Open some, as most programs do."""
        count = len(self.handles)
        for site, body in requests:
            self._open(site, body, "GET", _HERE)
        return len(self.handles) > count

    @step(site=_SITES, body=_BODIES)
    def open_and_drop(self, site: str, body: str) -> bool:
        """Open a response, and keep nothing of it."""
        opened = self._open(site, body, "GET", _HERE)
        self.settle()
        if opened:
            self._drop(-1)
        return opened

    @step(site=st.sampled_from(READING), body=_BODIES, method=_METHODS)
    def open_and_read(self, site: str, body: str, method: str) -> bool:
        """A response that is read before it is handed out."""
        return self._open(site, body, method, _HERE)

    # Reading.

    @step(pick=_PICKS, size=_SIZES, where=_PLACES)
    def read(self, pick: int, size: int, where: str) -> bool:
        """Read a part."""
        handle = self._pick(pick, self._can_read)
        if handle is None:
            return False
        if handle.is_stream:
            self._take(handle, 1, where)
        else:
            source = raw_of(handle.thing)
            self._do(lambda: source.read(size), where)
        return True

    @step(pick=_PICKS, where=_PLACES)
    def read_all(self, pick: int, where: str) -> bool:
        """Read to the end."""
        handle = self._pick(pick, self._can_read)
        if handle is None:
            return False
        if handle.is_stream:
            self._take(handle, sys.maxsize, where)
        elif isinstance(handle.thing, requests.Response):
            response = handle.thing
            self._do(lambda: response.content, where)
        else:
            source = handle.thing
            self._do(lambda: source.read(), where)  # noqa: PLW0108
        return True

    @step(pick=_PICKS, size=_SIZES, lines=st.booleans())
    def make_stream(self, pick: int, size: int, lines: bool) -> bool:  # noqa: FBT001
        """Make a generator, of which nothing is taken yet."""
        handle = self._pick(pick, lambda each: each.is_response)
        if handle is None:
            return False
        stream = self._do(partial(_stream, handle.thing, size, lines), _HERE)
        if stream is None:
            return False
        self.handles.append(Handle(stream, handle.entry))
        return True

    @step(pick=_PICKS, count=st.integers(1, 3), where=_PLACES)
    def take_from_stream(self, pick: int, count: int, where: str) -> bool:
        """Take some pieces."""
        handle = self._pick(pick, lambda each: each.is_stream and self._can_read(each))
        if handle is None:
            return False
        self._take(handle, count, where)
        return True

    @step(pick=_PICKS, size=_SIZES, lines=st.booleans())
    def iterate_and_break(self, pick: int, size: int, lines: bool) -> bool:  # noqa: FBT001
        """Take the first piece in a loop, and leave the loop."""
        handle = self._pick(
            pick, lambda each: each.is_response and self._can_read(each)
        )
        if handle is None:
            return False
        stream = self._do(partial(_stream, handle.thing, size, lines), _HERE)
        if stream is not None:
            self._take(Handle(stream, handle.entry), 1, _HERE)
        return True

    @step(pick=_PICKS, text=st.booleans(), keep=st.booleans())
    def wrap(self, pick: int, text: bool, keep: bool) -> bool:  # noqa: FBT001
        """Wrap a response into a file object, perhaps in its place."""
        handle = self._pick(pick, lambda each: each.is_response)
        if handle is None:
            return False
        wrapper = self._do(partial(_wrap, handle.raw, text), _HERE)
        if wrapper is None:
            return False
        wrapped = Handle(wrapper, handle.entry)
        if keep:
            self.handles.append(wrapped)
        else:
            self.handles[self.handles.index(handle)] = wrapped
        return True

    @step(site=_SITES, seconds=st.sampled_from([50, 60, 70]))
    def read_while_time_passes(self, site: str, seconds: int) -> bool:
        """A thread waits in a read, for longer than is patient."""
        if not self._open(site, "slow", "GET", _HERE):
            return False
        self._read_slowly(seconds)
        return True

    def _read_slowly(self, seconds: int) -> None:
        """Let the reader wait, and the guard sweep."""
        entry = self.handles[-1].entry
        source = self.handles[-1].raw
        thread = threading.Thread(
            target=run, args=(lambda: source.read(100), _HERE), name=WORKER
        )
        thread.start()
        try:
            _wait_for_reader(thread)
            entry.reading = True
            self.ledger.now += seconds
            self._check()
        finally:
            entry.reading = False
            self._finish_slow(entry.path)
            thread.join()

    # Closing.

    @step(pick=_PICKS, where=_PLACES)
    def close(self, pick: int, where: str) -> bool:
        """Close whatever it is."""
        handle = self._pick(pick)
        if handle is None:
            return False
        self._close(handle, where)
        return True

    @step(pick=_PICKS, where=_PLACES)
    def release(self, pick: int, where: str) -> bool:
        """Give the connection back, the rest of the body unread."""
        handle = self._pick(pick, lambda each: each.is_response)
        if handle is None:
            return False
        self._do(handle.raw.release_conn, where)
        return True

    @step(pick=_PICKS)
    def drain(self, pick: int) -> bool:
        """Read and throw away."""
        handle = self._pick(
            pick, lambda each: each.is_response and self._can_read(each)
        )
        if handle is None:
            return False
        self._do(handle.raw.drain_conn, _HERE)
        return True

    @step(pick=_PICKS)
    def close_then_release(self, pick: int) -> bool:
        """The honest pair."""
        handle = self._pick(pick, lambda each: each.is_response)
        if handle is None:
            return False
        self._close(handle, _HERE)
        self._do(handle.raw.release_conn, _HERE)
        return True

    @step(pick=_PICKS, size=_SIZES, fail=st.booleans())
    def use_in_with(self, pick: int, size: int, fail: bool) -> bool:  # noqa: FBT001
        """Read a part in a with block, and perhaps raise there."""
        handle = self._pick(
            pick, lambda each: not each.is_stream and self._can_read(each)
        )
        if handle is None:
            return False
        # A file that is closed refuses the block, and is not closed again.
        if isinstance(handle.thing, requests.Response) or not handle.thing.closed:
            self._closing(handle)
        self._do(partial(_with, handle.thing, size, fail), _HERE)
        return True

    # References.

    @step(pick=_PICKS)
    def copy(self, pick: int) -> bool:
        """One more reference to the same."""
        handle = self._pick(pick)
        if handle is None:
            return False
        self.handles.append(Handle(handle.thing, handle.entry))
        return True

    @step(pick=_PICKS)
    def take_raw(self, pick: int) -> bool:
        """A reference to the urllib3 response inside."""
        handle = self._pick(pick, lambda each: each.is_response)
        if handle is None:
            return False
        self.handles.append(Handle(handle.raw, handle.entry))
        return True

    @step(pick=_PICKS, where=_PLACES)
    def drop(self, pick: int, where: str) -> bool:
        """Let a reference go, here or in a thread that had it last."""
        if not self.handles:
            return False
        box = [self.handles.pop(pick % len(self.handles))]
        if where == _HERE:
            box.clear()
        else:
            self._do(box.clear, where)
        return True

    @step(pick=_PICKS)
    def drop_all_of_one(self, pick: int) -> bool:
        """Let every reference to a response go."""
        handle = self._pick(pick)
        if handle is None:
            return False
        entry = handle.entry
        self.handles = [each for each in self.handles if each.entry is not entry]
        return True

    @step(pick=_PICKS)
    def tie(self, pick: int) -> bool:
        """Let a reference go that is in a cycle."""
        if not self.handles:
            return False
        handle = self.handles.pop(pick % len(self.handles))
        self.knots.append((weakref.ref(Knot(handle.thing)), handle.entry))
        return True

    @step()
    def collect(self) -> None:
        """Untie the cycles."""
        self.collected = True
        gc.collect()

    @step(place=st.sampled_from(CLIENTS), close=st.booleans())
    def renew(self, place: str, close: bool) -> None:  # noqa: FBT001
        """Go on with a new client."""
        if close:
            self.clients.close(place)
        self.clients.renew(place)

    # What the program says to the guard.

    @step(pick=_PICKS)
    def touch(self, pick: int) -> bool:
        """Say that it is still needed."""
        handle = self._pick(pick, lambda each: each.is_response)
        if handle is None:
            return False
        entry = handle.entry
        touched = httpguard.touch(handle.thing)
        if touched is entry.over and entry.closed is None:
            msg = f"touch: {touched}, of a response that is over: {entry.over}"
            raise DifferenceError(msg)
        if not entry.over:
            self.ledger.touch(entry)
        return True

    @step(reason=st.sampled_from([None, None, "by design"]))
    def enter(self, reason: str | None) -> bool:
        """A scope begins."""
        if len(self.scopes) >= _MOST_SCOPES:
            return False
        manager: Any = (
            httpguard.no_leaks() if reason is None else httpguard.allow(reason)
        )
        manager.__enter__()
        self.ledger.scope = Scope(self.ledger.scope, reason)
        self.scopes.append((manager, self.ledger.scope))
        return True

    @step(fail=st.booleans())
    def leave(self, fail: bool) -> bool:  # noqa: FBT001
        """The innermost scope ends, perhaps by an exception."""
        if not self.scopes:
            return False
        self._leave(fail=fail)
        return True

    # Time, and the comparison.

    @step(seconds=_SECONDS)
    def advance(self, seconds: int) -> None:
        """Time passes."""
        self.ledger.now += seconds

    @step(seconds=_SECONDS)
    def advance_and_check(self, seconds: int) -> None:
        """Time passes, then the guard sweeps."""
        self.ledger.now += seconds
        self._check()

    @step()
    def check(self) -> None:
        """The guard sweeps."""
        self._check()

    @step()
    def snapshot(self) -> None:
        """The guard tells what it knows."""
        self._compare(httpguard.snapshot())

    # Inside.

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
        referred = {id(handle.entry) for handle in self.handles if handle.refers}
        referred |= {id(entry) for _, entry in self.knots}
        for entry in gone:
            _expect(id(entry) not in referred, f"{entry.path} has gone")
        for entry in ledger.active():
            if id(entry) not in referred and not entry.lingers:
                msg = f"{entry.path} is kept alive"
                raise DifferenceError(msg)
        self.waiting = [
            (weakref.ref(handle.thing), handle.entry)
            for handle in self.handles
            if handle.in_chunks
        ]
        self.collected = False

    def _open(self, name: str, body: str, method: str, where: str) -> bool:
        """Open a response; whether there is one."""
        site = SITES[name]
        full = self.clients.is_full(site.place)
        if full and site.library == "requests":
            return False  # It would wait for ever.
        asked, path, hops = ask(body, f"{self.name}-{self.serial}")
        if not site.follows:
            path = asked.partition("?")[0]
        self.serial += 1
        due = self.ledger.guarded_call()
        thing, error = run(partial(site.opener, self.clients, method, asked), where)
        try:
            if isinstance(error, LeakError) or due:
                self._raised(error, due)
            elif isinstance(error, EmptyPoolError) or full:
                _expect(full and isinstance(error, EmptyPoolError), f"a slot: {error}")
            elif error is not None:
                _expect(isinstance(error, MISHAPS), f"{name}: {error!r}")
            else:
                self.ledger.pass_through(hops if site.hops else 0)
                self._hand_out(thing, site, path, where)
                return True
            return False
        finally:
            del thing, error

    def _hand_out(self, thing: Any, site: Site, path: str, where: str) -> None:
        """The program was given a response."""
        raw = raw_of(thing)
        entry = Entry(
            ref=weakref.ref(raw),
            site=site,
            path=path,
            thread="MainThread" if where == _HERE else WORKER,
            scope=None if where == "thread" else self.ledger.scope,
            pool=weakref.ref(raw._pool),
            block=raw._pool.block,
            chunked=raw.chunked,
            lingers=self.disturbed and site.keeps_frames,
            opened=self.ledger.now,
            active=self.ledger.now,
        )
        if raw._connection is None:
            entry.over = True
        else:
            self.ledger.open(entry)
        self.handles.append(Handle(thing, entry))

    def _pick(
        self, pick: int, fits: Callable[[Handle], bool] = lambda _: True
    ) -> Handle | None:
        """One of the handles that fit."""
        handles = [handle for handle in self.handles if fits(handle)]
        return handles[pick % len(handles)] if handles else None

    def _can_read(self, handle: Handle) -> bool:
        """Not from a connection that was given back: others read from it."""
        raw = handle.entry.ref()
        return raw is not None and (raw._connection is not None or raw.isclosed())

    def _do(self, action: Callable[[], Any], where: str) -> Any:
        """Run something that may meet a mishap."""
        result, error = run(action, where)
        try:
            if error is not None and not isinstance(error, MISHAPS):
                raise error
            return result
        finally:
            # The error's traceback leads here.
            del result, error

    def _take(self, handle: Handle, count: int, where: str) -> None:
        """Take pieces from a generator, which may have the last reference."""
        entry = handle.entry
        kept = entry.ref() if entry.is_odd else None
        taken: list[int] = []
        ended = self._do(partial(_exhaust, handle.thing, count, taken), where)
        entry.pieces += len(taken) if entry.chunked else 0
        if ended and entry.ref() is None:
            self.ledger.release(entry)  # It was read to its end.
        self.ledger.observe()
        del kept

    def _close(self, handle: Handle, where: str) -> None:
        """Close a response, a generator or a wrapper."""
        self._closing(handle)
        self._do(handle.thing.close, where)

    def _closing(self, handle: Handle) -> None:
        """Something is about to be closed by the program."""
        raw = handle.entry.ref()
        # A wrapper does not close again what is closed.
        if handle.is_response or (
            handle.is_file and raw is not None and not raw.closed
        ):
            self.ledger.close(handle.entry)

    def _drop(self, index: int) -> None:
        """Let a handle go."""
        self.handles.pop(index)

    def _finish_slow(self, path: str) -> None:
        """Let the server send the rest, asked in a way that is not guarded."""
        connection = http.client.HTTPConnection(self.server.host, self.server.port)
        connection.request("GET", path.replace("slow", "finish"))
        connection.getresponse().read()
        connection.close()

    def _leave(self, *, fail: bool) -> None:
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
                _expect(entry.ref() is None, f"{entry.path} was not collected")
            self._raised(error, self.ledger.end_scope(scope, failing=fail))

    def _garbage_of(self, scope: Scope) -> list[Entry]:
        """What a scope's end has to collect."""
        referred = {id(handle.entry) for handle in self.handles if handle.refers}
        return [
            entry
            for entry in self.ledger.active()
            if entry.within(scope) and not entry.judged and id(entry) not in referred
        ]

    def _check(self) -> None:
        """Sweep and compare."""
        self.settle()
        self.ledger.sweep()
        due = self.ledger.due()
        error = None
        try:
            httpguard.check()
        except LeakError as raised:
            error = raised.with_traceback(None)
        self._raised(error, due)
        self._compare(httpguard.snapshot())

    def _raised(self, error: BaseException | None, due: Iterable[Finding]) -> None:
        """Compare what was raised."""
        leaks = error.leaks if isinstance(error, LeakError) else ()
        self._agree(unlike_raised(leaks, due))

    def _compare(self, snapshot: Snapshot) -> None:
        """Compare what is shown."""
        STATISTICS["comparisons"] += 1
        self._agree(differences(snapshot, self.ledger))

    def _agree(self, lines: list[str]) -> None:
        """They have to agree in everything."""
        if lines:
            raise DifferenceError("\n".join(lines))

    def _finish(self) -> None:
        """The end of the program."""
        self.broken = True
        while self.scopes:
            self._leave(fail=False)
        self._check()
        self.handles.clear()
        self.settle()
        self._check()
        self.collected = True
        gc.collect()
        self.settle()
        self._check()
        _expect(not self.ledger.active(), "something outlived the program")
        STATISTICS.update(self.ledger.counters)

    def _forget(self) -> None:
        """Leave nothing to the next program."""
        self.handles.clear()
        while self.scopes:
            manager, _ = self.scopes.pop()
            manager.__exit__(KeyError, KeyError(), None)
        for place in CLIENTS:
            self.clients.close(place)
        gc.collect()


def _was_left_unread(entry: Entry) -> bool:
    """Whether a response gave its connection back before its end."""
    response = entry.ref()
    return (
        response is not None
        and response._connection is None
        and not response.isclosed()
    )


def _stream(thing: Any, size: int, lines: bool) -> Any:  # noqa: FBT001
    """A generator of a response's pieces."""
    if isinstance(thing, requests.Response):
        # A long line in small pieces is put together in quadratic time.
        return thing.iter_lines(size + 1000) if lines else thing.iter_content(size)
    return iter(thing) if lines else thing.stream(size)


def _exhaust(stream: Any, count: int, taken: list[int]) -> bool:
    """Take pieces, and note each; whether that was the end."""
    for _ in range(count):
        piece = next(stream, None)
        if piece is None:
            return True
        taken.append(len(piece))
    return False


def _wrap(raw: Any, text: bool) -> Any:  # noqa: FBT001
    """A file object of the standard library around a response."""
    if text:
        return io.TextIOWrapper(raw, encoding="latin-1")
    return io.BufferedReader(raw, 64)


def _with(thing: Any, size: int, fail: bool) -> None:  # noqa: FBT001
    """A with block."""
    with thing:
        raw_of(thing).read(size)
        if fail:
            raise ValueError


def _wait_for_reader(thread: threading.Thread) -> None:
    """Until a thread waits for its socket."""
    patience = time.monotonic() + _PATIENCE
    while time.monotonic() < patience:
        frame = sys._current_frames().get(thread.ident or 0)
        if frame is not None and frame.f_code.co_name == "readinto":
            return
        del frame
        time.sleep(0.001)
    msg = "nobody waits in the read"
    raise AssertionError(msg)


def _expect(holds: bool, claim: str) -> None:  # noqa: FBT001
    """What the test takes for granted."""
    if not holds:
        raise DifferenceError(claim)
