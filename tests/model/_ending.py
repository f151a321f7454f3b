"""Steps that close and release."""

from __future__ import annotations

from functools import partial
from typing import Any

import requests
from hypothesis import strategies as st

from ._handles import Handle, raw_of
from ._program import HERE, PICKS, PLACES, SIZES, Program, step


class Ending(Program):
    """Close, release, drain, in every order."""

    @step(pick=PICKS, where=PLACES)
    def close(self, pick: int, where: str) -> bool:
        """Close whatever it is."""
        handle = self.pick(pick, lambda each: not each.is_error)
        if handle is None:
            return False
        self._close(handle, where)
        return True

    @step(pick=PICKS, where=PLACES)
    def release(self, pick: int, where: str) -> bool:
        """Give the connection back, the rest of the body unread."""
        handle = self.pick(pick, lambda each: each.is_response)
        if handle is None:
            return False
        self.do(handle.raw.release_conn, where)
        return True

    @step(pick=PICKS)
    def drain(self, pick: int) -> bool:
        """Read and throw away."""
        handle = self.pick(pick, lambda each: each.is_response and self.can_read(each))
        if handle is None:
            return False
        self.do(handle.raw.drain_conn)
        return True

    @step(pick=PICKS)
    def close_then_release(self, pick: int) -> bool:
        """The honest pair."""
        handle = self.pick(pick, lambda each: each.is_response)
        if handle is None:
            return False
        self._close(handle, HERE)
        self.do(handle.raw.release_conn)
        return True

    @step(pick=PICKS, size=SIZES, fail=st.booleans())
    def use_in_with(self, pick: int, size: int, fail: bool) -> bool:  # noqa: FBT001
        """Read a part in a with block, and perhaps raise there."""
        handle = self.pick(
            pick, lambda each: not each.is_stream and self.can_read(each)
        )
        if handle is None:
            return False
        # A file that is closed refuses the block, and is not closed again.
        if isinstance(handle.thing, requests.Response) or not handle.thing.closed:
            self._closing(handle)
        self.do(partial(_with, handle.thing, size, fail))
        return True

    @step(pick=PICKS)
    def keep_open_at_end(self, pick: int) -> bool:
        """Tell urllib3 that a wrapper reads to the end."""
        handle = self.pick(pick, lambda each: each.is_response)
        if handle is None:
            return False
        handle.raw.auto_close = False
        return True

    @step(
        pick=PICKS,
        other=PICKS,
        how=st.sampled_from(["read", "close", "release", "nothing"]),
        drop=st.booleans(),
    )
    def check_while_another_thread_acts(
        self,
        pick: int,
        other: int,
        how: str,
        drop: bool,  # noqa: FBT001
    ) -> bool:
        """While the guard looks at one response, something happens to another."""
        handle = self.pick(pick, self._is_fresh)
        watched = self.pick(other, self._is_open)
        if handle is None or watched is None or handle.entry is watched.entry:
            return False
        # What dies in a sweep may be judged in it or after it, by strict mode too.
        drop = drop and not self.ledger.terms.strict
        box = [handle]
        del handle
        _when_looked_at(watched.raw, partial(self._act, box, how, drop=drop))
        try:
            self.check()
        finally:
            vars(watched.raw).pop("tell", None)
        return True

    def _act(self, box: list[Handle], how: str, *, drop: bool) -> None:
        """What happens, in a thread, to its end."""
        entry = box[0].entry
        if how == "read":
            self.do(box[0].raw.read, "thread")
        elif how == "release":
            self.do(box[0].raw.release_conn, "thread")
            self.disturbed = True
        elif how == "close":
            self.ledger.close(entry)
            self.do(box[0].raw.close, "thread")
        self.ledger.observe()
        if drop:
            self.handles = [each for each in self.handles if each.entry is not entry]
        box.clear()

    def _is_open(self, handle: Handle) -> bool:
        """Whether it is a response that a sweep looks at."""
        return (
            handle.is_response
            and handle.entry in self.ledger.listed()
            and not handle.entry.shut
        )

    def _is_fresh(self, handle: Handle) -> bool:
        """Whether a sweep now has nothing to say of it."""
        entry = handle.entry
        return (
            self._is_open(handle)
            and self.can_read(handle)
            and self.ledger.now - entry.active < self.ledger.terms.max_idle
        )

    def _close(self, handle: Handle, where: str) -> None:
        """Close a response, a generator or a wrapper."""
        self._closing(handle)
        self.do(handle.thing.close, where)

    def _closing(self, handle: Handle) -> None:
        """Something is about to be closed by the program."""
        raw: Any = handle.entry.ref()
        # A wrapper does not close again what is closed.
        if handle.is_response or (handle.is_file and not raw.closed):
            self.ledger.close(handle.entry)


def _with(thing: Any, size: int, fail: bool) -> None:  # noqa: FBT001
    """A with block."""
    with thing:
        raw_of(thing).read(size)
        if fail:
            raise ValueError


def _when_looked_at(raw: Any, act: partial[None]) -> None:
    """Do something once, when somebody asks how much of a response was read."""
    acts = [act]

    def tell() -> int:
        if acts:
            acts.pop()()
        return int(raw._fp_bytes_read)

    raw.tell = tell
