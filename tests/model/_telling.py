"""Steps that speak with the guard, and let time pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

import httpguard

from ._ledger import Scope
from ._program import PICKS, TERMS, Program, expect, step

if TYPE_CHECKING:
    from ._ledger import Terms

_MOST_SCOPES: Final = 4
_SECONDS: Final = st.sampled_from([5, 10, 20, 30, 50, 60])


class Telling(Program):
    """Touch, scopes, settings, checks."""

    @step(pick=PICKS)
    def touch(self, pick: int) -> bool:
        """Say that it is still needed."""
        handle = self.pick(pick, lambda each: each.is_response)
        if handle is None:
            return False
        entry = handle.entry
        is_open = not entry.over and entry.closed is None
        expect(httpguard.touch(handle.thing) is is_open, f"touch: not {is_open}")
        if is_open:
            self.ledger.touch(entry)
        return True

    @step(reason=st.sampled_from([None, None, "by design"]))
    def enter_scope(self, reason: str | None) -> bool:
        """A scope begins."""
        if len(self.scopes) >= _MOST_SCOPES:
            return False
        manager: Any = httpguard.allow(reason) if reason else httpguard.no_leaks()
        manager.__enter__()
        self.ledger.scope = Scope(self.ledger.scope, reason)
        self.scopes.append((manager, self.ledger.scope))
        return True

    @step(fail=st.booleans())
    def end_scope(self, fail: bool) -> bool:  # noqa: FBT001
        """The innermost scope ends, perhaps by an exception."""
        if not self.scopes:
            return False
        self.leave_scope(fail=fail)
        return True

    @step(terms=TERMS, max_leaks=st.integers(0, 3))
    def install_again(self, terms: Terms, max_leaks: int) -> None:
        """Replace the settings, strict mode left as it is."""
        httpguard.snapshot()  # What is gone by now is judged by the old ones.
        self.install(terms, max_leaks if self.ledger.terms.strict else None)

    @step(seconds=_SECONDS)
    def advance(self, seconds: int) -> None:
        """Time passes."""
        self.ledger.now += seconds

    @step(seconds=_SECONDS)
    def advance_and_check(self, seconds: int) -> None:
        """Time passes, then the guard sweeps."""
        self.ledger.now += seconds
        self.check()

    @step()
    def check_now(self) -> None:
        """The guard sweeps."""
        self.check()

    @step()
    def look(self) -> None:
        """The guard tells what it knows."""
        self.compare(httpguard.snapshot())
