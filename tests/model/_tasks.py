"""Random programs of coroutines, over httpx or aiohttp, and the model beside them.

Smaller than what `_program` does for threads: here a response is opened at one of three
lines, read whole or in part, touched, closed, kept or forgotten, by the loop's one task
or by one of its own; and time passes. At each check the two have to agree.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

import httpguard
from httpguard._process import installing as _installing

from ._program import DifferenceError, expect
from ._statistics import STATISTICS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.server import Address

_MAX_IDLE: Final = 60.0
_PICKS: Final = st.integers(0, 59)
# Without a watcher a request looks, so many seconds after the last look.
_LAZY: Final = 5.0
_SITES: Final = ("first", "second", "third")
_START: Final = 1000.0


@dataclass(eq=False)
class Entry:
    """A response, as the model knows it.

    Args:
        site: The function that opened it.
        active: When a sweep last saw that something was read.
        thing: The response; None: forgotten.
        stream: What it is read by, where it was begun.
    """

    site: str
    active: float
    thing: Any
    stream: Any = None
    progressed: bool = False
    kind: str | None = None
    over: bool = False


@dataclass
class Ledger:
    """What is due."""

    counters: Counter[str] = field(default_factory=Counter)
    leaks: Counter[tuple[str, str]] = field(default_factory=Counter)
    entries: list[Entry] = field(default_factory=list)
    looked: float = 0.0

    def request(self, now: float) -> None:
        """One begins."""
        if now - self.looked >= _LAZY:
            self.sweep(now)

    def end(self, entry: Entry) -> None:
        """It gave its connection back."""
        if entry.over:
            return
        entry.over = True
        self.counters["released"] += 1
        if entry.kind is not None:
            self.counters["resolved"] += 1

    def forget(self, entry: Entry) -> None:
        """Nobody has it."""
        if entry.over:
            return
        entry.over = True
        if entry.kind is None:
            self._judge(entry, "dropped")

    def sweep(self, now: float) -> None:
        """Every open one is looked at."""
        self.looked = now
        for entry in self.entries:
            if entry.over:
                continue
            if entry.progressed:
                entry.active = now
                entry.progressed = False
            elif entry.kind is None and now - entry.active >= _MAX_IDLE:
                self._judge(entry, "held")

    def _judge(self, entry: Entry, kind: str) -> None:
        entry.kind = kind
        self.counters[kind] += 1
        self.counters["leaks"] += 1
        self.leaks[kind, entry.site] += 1


class HttpxSide:
    """How httpx is used."""

    path = "/lines"
    # What was begun and is forgotten is closed by its generator.
    heals = True

    def __init__(self) -> None:
        """Not a new one for each program: it takes longer than all else."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def make(self) -> Any:
        """A client."""
        import httpx

        limits = httpx.Limits(max_connections=None)
        return httpx.AsyncClient(limits=limits, verify=self._context, trust_env=False)

    def opener(self, client: Any, url: str) -> Any:
        """What the program's own lines call for a response, its body unread."""
        return partial(client.send, client.build_request("GET", url), stream=True)

    async def read(self, entry: Entry) -> None:
        """To the end."""
        if entry.stream is None:
            await entry.thing.aread()
        else:
            async for _ in entry.stream:
                pass

    async def begin(self, entry: Entry) -> bool:
        """A part; whether there was one left."""
        if entry.stream is None:
            entry.stream = entry.thing.aiter_raw(100)
        async for _ in entry.stream:
            return True
        return False

    async def close(self, entry: Entry) -> None:
        """Close it."""
        await entry.thing.aclose()

    async def end(self, client: Any) -> None:
        """Close the client."""
        await client.aclose()


class AiohttpSide:
    """How aiohttp is used."""

    path = "/bytes/2000000"
    heals = False

    def make(self) -> Any:
        """A session."""
        import aiohttp

        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    def opener(self, client: Any, url: str) -> Any:
        """As of httpx."""
        return partial(client.get, url)

    async def read(self, entry: Entry) -> None:
        """To the end."""
        while await entry.thing.content.readany():
            pass

    async def begin(self, entry: Entry) -> bool:
        """A part; whether there was one left."""
        return bool(await entry.thing.content.read(100))

    async def close(self, entry: Entry) -> None:
        """Close it."""
        entry.thing.close()

    async def end(self, client: Any) -> None:
        """Close the session."""
        await client.close()


Side = HttpxSide | AiohttpSide


# The three lines.


async def first(side: Side, client: Any, url: str) -> Any:
    """One."""
    return await side.opener(client, url)()


async def second(side: Side, client: Any, url: str) -> Any:
    """Two."""
    return await side.opener(client, url)()


async def third(side: Side, client: Any, url: str) -> Any:
    """Three."""
    return await side.opener(client, url)()


class TaskProgram(RuleBasedStateMachine):
    """A program of coroutines.

    Args:
        server: Whom it asks.
        side: How.
    """

    def __init__(self, server: Address, side: Side) -> None:
        """Nothing opened yet."""
        super().__init__()
        gc.disable()
        httpguard.uninstall()
        self.side = side
        self.url = server.url(side.path)
        self.now = _START
        self.ledger = Ledger()
        self.loop = asyncio.new_event_loop()
        self.broken = False

    @initialize()
    def begin(self) -> None:
        """Install, and make the client."""
        STATISTICS["programs"] += 1
        settings = httpguard.Settings(
            check_interval=0, max_idle=_MAX_IDLE, max_sessions=None, explain=0
        )
        _installing.start(settings, lambda: self.now)

        async def make() -> Any:
            return self.side.make()

        self.client = self.run(make())

    @rule(site=st.sampled_from(_SITES), task=st.booleans())
    def open_one(self, site: str, task: bool) -> None:  # noqa: FBT001
        """Open a response and keep it."""
        self._open(site, task=task)

    @rule(site=st.sampled_from(_SITES), count=st.integers(1, 4))
    def open_and_forget(self, site: str, count: int) -> None:
        """Open some, and look at their status alone."""
        for _ in range(count):
            self._forget(self._open(site, task=False))

    @rule(pick=_PICKS)
    def read(self, pick: int) -> None:
        """Read one to its end."""
        entry = self._pick(pick)
        if entry is not None:
            self.run(self.side.read(entry))
            self.ledger.end(entry)

    @rule(pick=_PICKS, times=st.integers(1, 3))
    def read_some(self, pick: int, times: int) -> None:
        """Read a part of one."""
        entry = self._pick(pick)
        for _ in range(times):
            if entry is not None and self.run(self.side.begin(entry)):
                entry.progressed = True

    @rule(pick=_PICKS)
    def close(self, pick: int) -> None:
        """Close one."""
        entry = self._pick(pick)
        if entry is not None:
            self.run(self.side.close(entry))
            self.ledger.end(entry)

    @rule(pick=_PICKS)
    def forget(self, pick: int) -> None:
        """Let go of one."""
        entry = self._pick(pick)
        if entry is not None:
            self._forget(entry)

    @rule(pick=_PICKS)
    def touch(self, pick: int) -> None:
        """Say that one is still needed."""
        entry = self._pick(pick)
        if entry is not None and httpguard.touch(entry.thing):
            entry.active = self.now

    @rule(seconds=st.sampled_from([1.0, 30.0, 61.0]), check=st.booleans())
    def wait(self, seconds: float, check: bool) -> None:  # noqa: FBT001
        """Time passes."""
        self.now += seconds
        if check:
            self.check()

    @rule()
    def check(self) -> None:
        """Sweep, and compare."""
        STATISTICS["comparisons"] += 1
        self.ledger.sweep(self.now)
        # What the client keeps alive is dropped at two looks.
        httpguard.check()
        snapshot = httpguard.check()
        self.ledger.sweep(self.now)
        due = self.ledger
        for name in ("opened", "released", "dropped", "held", "resolved", "leaks"):
            counted = snapshot.counters[name]
            expect(
                counted == due.counters[name],
                f"{name}: {counted}, and not {due.counters[name]}",
            )
        expect(snapshot.counters["errors"] == 0, "an error of ours")
        leaks = Counter(
            {(str(one.kind), one.site.function): one.count for one in snapshot.leaks}
        )
        expect(leaks == due.leaks, f"{leaks}, and not {due.leaks}")
        expect(
            len(snapshot.open) == sum(not entry.over for entry in due.entries),
            "open responses",
        )

    def teardown(self) -> None:
        """Let go of everything, and compare."""
        try:
            self.check()
            for entry in self.ledger.entries:
                if entry.thing is not None and not entry.over:
                    self.run(self.side.close(entry))
                    self.ledger.end(entry)
            self.check()
            STATISTICS.update(self.ledger.counters)
        finally:
            self.ledger.entries.clear()
            self.run(self.side.end(self.client))
            self.run(self.loop.shutdown_asyncgens())
            self.loop.close()
            httpguard.uninstall()
            gc.enable()

    def run(self, work: Awaitable[Any]) -> Any:
        """Run something in the loop, and what it leaves to be done."""
        STATISTICS["steps"] += 1

        async def whole() -> Any:
            result = await work
            for _ in range(30):
                await asyncio.sleep(0)
            return result

        return self.loop.run_until_complete(whole())

    def _open(self, site: str, *, task: bool) -> Entry:
        """At a line of the program."""
        function: Any = globals()[site]
        self.ledger.request(self.now)

        async def in_a_task() -> Any:
            work = asyncio.ensure_future(function(self.side, self.client, self.url))
            return await work

        work = in_a_task() if task else function(self.side, self.client, self.url)
        entry = Entry(site, self.now, self.run(work))
        self.ledger.counters["opened"] += 1
        self.ledger.entries.append(entry)
        return entry

    def _forget(self, entry: Entry) -> None:
        begun = entry.stream is not None
        entry.thing = entry.stream = None

        async def nothing() -> None:
            """The loop's turn, in which generators are closed."""

        if begun and self.side.heals:
            self.run(nothing())
            self.ledger.end(entry)
        else:
            gc.collect()
            self.ledger.forget(entry)

    def _pick(self, pick: int) -> Entry | None:
        """One that the program has."""
        known = [
            entry
            for entry in self.ledger.entries
            if entry.thing is not None and not entry.over
        ]
        return known[pick % len(known)] if known else None


SIDES: Final[dict[str, Callable[[], Side]]] = {
    "httpx": HttpxSide,
    "aiohttp": AiohttpSide,
}
"""By client."""

__all__ = ["SIDES", "DifferenceError", "TaskProgram"]
