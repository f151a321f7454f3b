"""Steps that keep references, and let them go."""

from __future__ import annotations

import gc
import weakref
from functools import partial

from ._handles import Handle, Knot, failure
from ._program import HERE, PICKS, PLACES, Program, step


class Keeping(Program):
    """Copy, drop, tie into cycles, collect."""

    @step(pick=PICKS)
    def copy(self, pick: int) -> bool:
        """One more reference to the same."""
        handle = self.pick(pick)
        if handle is None:
            return False
        self.handles.append(Handle(handle.thing, handle.entry))
        return True

    @step(pick=PICKS)
    def take_raw(self, pick: int) -> bool:
        """A reference to the urllib3 response inside."""
        handle = self.pick(pick, lambda each: each.is_response)
        if handle is None:
            return False
        self.handles.append(Handle(handle.raw, handle.entry))
        return True

    @step(pick=PICKS)
    def keep_in_error(self, pick: int) -> bool:
        """An exception's traceback takes the reference over."""
        handle = self.pick(pick, lambda each: each.is_response or each.is_file)
        if handle is None:
            return False
        # In a thread, whose frames are few.
        handle.thing = self.do(partial(failure, handle.thing), "thread")
        return True

    @step(pick=PICKS, where=PLACES)
    def drop(self, pick: int, where: str) -> bool:
        """Let a reference go, here or in a thread that had it last."""
        if not self.handles:
            return False
        box = [self.handles.pop(pick % len(self.handles))]
        if where == HERE:
            box.clear()
        else:
            self.do(box.clear, where)
        return True

    @step(pick=PICKS)
    def drop_all_of_one(self, pick: int) -> bool:
        """Let every reference to a response go."""
        handle = self.pick(pick)
        if handle is None:
            return False
        entry = handle.entry
        self.handles = [each for each in self.handles if each.entry is not entry]
        return True

    @step(pick=PICKS)
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
