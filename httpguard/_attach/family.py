"""A process, and its children where they are asked for: each attached to by itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

from .refusals import AttachError
from .start import Link, Order, attach

_AT_ONCE: Final = 16


class Family:
    """A context in which httpguard is in these processes.

    The order is told too whom we could not attach to.
    """

    def __init__(self, pid: int, order: Order, *, children: bool) -> None:
        self._pids = [pid, *(_children(pid) if children else ())]
        self._order = replace(order, tell=self._wait)
        self._tell = order.tell
        self._links: list[Link] = []
        self._over = False
        # Whether httpguard stays in them at the end.
        self.stays = False

    def __enter__(self) -> Family:  # noqa: PYI034 (typing.Self came with 3.11)
        """Attach to all of them; raise where it comes into none."""
        first, *others = self._pids
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            waiting = [threads.submit(self._attach, pid) for pid in others]
            try:
                # Here, so that Ctrl-C comes to where it waits.
                errors = [self._attach(first), *(one.result() for one in waiting)]
            except BaseException:
                self._over = True
                threads.shutdown()
                self.__exit__(None, None, None)
                raise
        known = [error for error in errors if error is not None]
        if not self._links:
            raise known[0]
        for error in known:
            self._tell(str(error))
        return self

    def __exit__(self, _kind: object, error: object, _traceback: object) -> None:
        for link in self._links:
            self._detach(link, said=isinstance(error, AttachError))

    def fetch_all(self) -> list[dict[str, Any]]:
        """The state of each, first of the one that has most to show."""
        states = []
        for link in list(self._links):
            try:
                states.append(link.ask("look"))
            except AttachError:  # noqa: PERF203  # Each may be gone.
                if len(self._links) == 1:
                    raise
                self._links.remove(link)  # A worker that has ended is no news.
        return sorted(states, key=_weight, reverse=True)

    def fetch(self) -> dict[str, Any]:
        """The state of the one that has most to show; the others in a line each."""
        first, *others = self.fetch_all()
        first["attached"]["others"] = [_in_brief(state) for state in others]
        return first

    def _detach(self, link: Link, *, said: bool) -> None:
        try:
            if link.close(stays=self.stays):
                self._tell(f"httpguard stays in process {link.pid}")
        except AttachError as failure:
            if not said:
                self._tell(str(failure))

    def _attach(self, pid: int) -> AttachError | None:
        try:
            self._links.append(attach(pid, self._order))
        except AttachError as error:
            return error
        return None

    def _wait(self, text: str) -> None:
        """Say what is waited for; not any more after Ctrl-C."""
        if self._over:
            raise AttachError(text)
        self._tell(text)


def _weight(state: dict[str, Any]) -> tuple[int, ...]:
    lost = sum(pool["lost"] for pool in state["pools"])
    starved = len(state["attached"].get("starved", ()))
    leaks: int = state["counters"].get("leaks", 0)
    opened: int = state["open_now"]
    return starved, lost, leaks, opened


def _in_brief(state: dict[str, Any]) -> str:
    starved, lost, leaks, opened = _weight(state)
    return (
        f"process {state['program']['pid']}: open {opened}, leaks {leaks}, slots lost"
        f" {lost}{', starved' if starved else ''}"
    )


def _children(pid: int) -> list[int]:
    import psutil

    try:
        return [one.pid for one in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []
