"""Steps that read."""

from __future__ import annotations

import http.client
import io
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import requests
from hypothesis import strategies as st

from httpguard._stacks.running import frames_of_threads

from ._handles import WORKER, Handle, raw_of, run
from ._program import HERE, PICKS, PLACES, SIZES, STREAMS, Program, step

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE: Final = 5.0
_BY: Final = st.sampled_from(["read", "read", "read1", "readinto"])
_WHOLE: Final = st.sampled_from(["content", "data", "read"])


class Reading(Program):
    """Read a part, or all, or by a generator or a file object."""

    @step(pick=PICKS, size=SIZES, by=_BY, where=PLACES)
    def read(self, pick: int, size: int, by: str, where: str) -> bool:
        """Read a part."""
        handle = self.pick(pick, self.can_read)
        if handle is None:
            return False
        if handle.is_stream:
            self._take(handle, 1, where)
        else:
            source = raw_of(handle.thing)
            self.do(partial(_read, source, size, by), where)
        return True

    @step(pick=PICKS, by=_WHOLE, where=PLACES)
    def read_all(self, pick: int, by: str, where: str) -> bool:
        """Read to the end."""
        handle = self.pick(pick, self.can_read)
        if handle is None:
            return False
        if handle.is_stream:
            self._take(handle, sys.maxsize, where)
        else:
            self.do(partial(_read_all, handle.thing, by), where)
        return True

    @step(pick=PICKS, size=SIZES, lines=st.booleans())
    def make_stream(self, pick: int, size: int, lines: bool) -> bool:  # noqa: FBT001
        """Make a generator, of which nothing is taken yet."""
        handle = self.pick(pick, lambda each: each.is_response)
        if handle is None:
            return False
        stream = self.do(partial(_stream, handle.thing, size, lines))
        if stream is None:
            return False
        self.handles.append(Handle(stream, handle.entry))
        return True

    @step(pick=PICKS, count=st.integers(1, 3), where=PLACES)
    def take_from_stream(self, pick: int, count: int, where: str) -> bool:
        """Take some pieces."""
        handle = self.pick(pick, lambda each: each.is_stream and self.can_read(each))
        if handle is None:
            return False
        self._take(handle, count, where)
        return True

    @step(pick=PICKS, size=SIZES, lines=st.booleans())
    def iterate_and_break(self, pick: int, size: int, lines: bool) -> bool:  # noqa: FBT001
        """Take the first piece in a loop, and leave the loop."""
        handle = self.pick(pick, lambda each: each.is_response and self.can_read(each))
        if handle is None:
            return False
        stream = self.do(partial(_stream, handle.thing, size, lines))
        if stream is not None:
            self._take(Handle(stream, handle.entry), 1, HERE)
        return True

    @step(pick=PICKS, text=st.booleans(), keep=st.booleans())
    def wrap(self, pick: int, text: bool, keep: bool) -> bool:  # noqa: FBT001
        """Wrap a response into a file object, perhaps in its place."""
        handle = self.pick(pick, lambda each: each.is_response)
        if handle is None:
            return False
        wrapper = self.do(partial(_wrap, handle.raw, text))
        if wrapper is None:
            return False
        wrapped = Handle(wrapper, handle.entry)
        if keep:
            self.handles.append(wrapped)
        else:
            self.handles[self.handles.index(handle)] = wrapped
        return True

    @step(site=STREAMS, seconds=st.sampled_from([50, 60, 70]))
    def read_while_time_passes(self, site: str, seconds: int) -> bool:
        """A thread waits in a read, for longer than is patient."""
        if not self.open(site, "slow"):
            return False
        self._wait_in_read(seconds)
        return True

    def _wait_in_read(self, seconds: int) -> None:
        """Let the reader wait, and the guard sweep."""
        entry = self.handles[-1].entry
        source = self.handles[-1].raw
        thread = threading.Thread(
            target=run, args=(partial(source.read, 100), HERE), name=WORKER
        )
        thread.start()
        try:
            _wait_for_reader(thread)
            entry.reading = True
            self.ledger.now += seconds
            self.check()
        finally:
            entry.reading = False
            self._finish_slow(entry.path)
            thread.join()

    def _finish_slow(self, path: str) -> None:
        """Let the server send the rest, asked in a way that is not guarded."""
        connection = http.client.HTTPConnection(self.server.host, self.server.port)
        connection.request("GET", path.replace("slow", "finish"))
        connection.getresponse().read()
        connection.close()

    def _take(self, handle: Handle, count: int, where: str) -> None:
        """Take pieces from a generator, which may have the last reference."""
        entry = handle.entry
        kept = entry.ref() if entry.is_odd else None
        taken: list[int] = []
        ended = self.do(partial(_exhaust, handle.thing, count, taken), where)
        entry.pieces += len(taken) if entry.chunked else 0
        if ended and entry.ref() is None:
            self.ledger.release(entry)  # It was read to its end.
        self.ledger.observe()
        del kept


def _read(source: Any, size: int, by: str) -> None:
    """Read a part of a response or a file."""
    if by == "readinto":
        source.readinto(bytearray(size))
    else:
        # urllib3 1.26 has no read1.
        read: Callable[[int], object] = getattr(source, by, source.read)
        read(size)


def _read_all(thing: Any, by: str) -> None:
    """Read all of a response or a file."""
    if isinstance(thing, requests.Response) and by == "content":
        assert thing.content is not None
    elif by == "data" and hasattr(raw_of(thing), "data"):
        assert raw_of(thing).data is not None
    else:
        raw_of(thing).read()


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


def _wait_for_reader(thread: threading.Thread) -> None:
    """Until a thread waits for its socket."""
    patience = time.monotonic() + _PATIENCE
    while time.monotonic() < patience:
        frame = frames_of_threads().get(thread.ident or 0)
        if frame is not None and frame.f_code.co_name == "readinto":
            return
        del frame
        time.sleep(0.001)
    msg = "nobody waits in the read"
    raise AssertionError(msg)
