"""Steps that open responses."""

from __future__ import annotations

import contextvars
from typing import Final

from hypothesis import strategies as st

from ._program import ANSWERS, PICKS, PLACES, REQUESTS, STREAMS, Program, step
from ._sites import CLIENTS, READING

_METHODS: Final = st.sampled_from(["GET", "GET", "GET", "HEAD", "POST"])


class Opening(Program):
    """Open, by every client, in every way."""

    @step(site=STREAMS, body=ANSWERS, method=_METHODS, where=PLACES)
    def open_one(self, site: str, body: str, method: str, where: str) -> bool:
        """Open a response and keep it."""
        return self.open(site, body, method, where)

    @step(requests=st.lists(REQUESTS, min_size=1, max_size=4))
    def open_some(self, requests: list[tuple[str, str]]) -> bool:
        """Open some, as most programs do."""
        count = len(self.handles)
        for site, body in requests:
            self.open(site, body)
        return len(self.handles) > count

    @step(site=STREAMS, body=ANSWERS)
    def open_and_drop(self, site: str, body: str) -> bool:
        """Open a response, and keep nothing of it."""
        if not self.open(site, body):
            return False
        self.settle()
        self.handles.pop()
        return True

    @step(site=st.sampled_from(READING), body=ANSWERS, method=_METHODS)
    def open_and_read(self, site: str, body: str, method: str) -> bool:
        """A response that is read before it is handed out.

        Not what requests loses as it cannot read it: tests/clients/test_undecodable.py.
        """
        if (site, body) == ("bounded_read", "bad-gzip"):
            return False
        return self.open(site, body, method)

    @step()
    def remember_context(self) -> None:
        """Keep the context variables, as a task does that is started here."""
        self.contexts.append((contextvars.copy_context(), self.ledger.scope))

    @step(pick=PICKS, site=STREAMS, body=ANSWERS)
    def open_in_context(self, pick: int, site: str, body: str) -> bool:
        """Open where they were kept; their scope may be over by now."""
        if not self.contexts:
            return False
        where = self.contexts[pick % len(self.contexts)]
        return self.open(site, body, where=where)

    @step(place=st.sampled_from(CLIENTS), close=st.booleans())
    def renew(self, place: str, close: bool) -> None:  # noqa: FBT001
        """Go on with a new client."""
        if close:
            self.clients.close(place)
        self.clients.renew(place)
