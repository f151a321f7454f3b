"""A process, and its children where they are asked for: each attached to by itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from .refusals import AttachError
from .start import Link, attach

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_AT_ONCE: Final = 16


class Family:
    """A context in which httpguard is in these processes.

    Args:
        pid: Of the first.
        settings: As for `install`.
        children: Whether its children are to be attached to.
        look: Seconds of processor time to look for what is open, in each.
        patience: Seconds to wait for its main thread.
        tell: Told what is waited for, and whom we could not attach to.
    """

    def __init__(
        self,
        pid: int,
        settings: dict[str, Any],
        *,
        children: bool,
        look: float,
        patience: float,
        tell: Callable[[str], None],
    ) -> None:
        self._pids = [pid, *(_children(pid) if children else ())]
        self._settings = settings
        self._look = look
        self._patience = patience
        self._tell = tell
        self._links: list[Link] = []
        self._chosen = 0
        # Whether httpguard stays in them at the end.
        self.stays = False

    def __enter__(self) -> Family:  # noqa: PYI034 (typing.Self came with 3.11)
        """Attach to all of them.

        Raises:
            AttachError: To none of them.
        """
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            found = list(threads.map(self._attach, self._pids))
        self._links = [one for one in found if isinstance(one, Link)]
        errors = [one for one in found if isinstance(one, AttachError)]
        if not self._links:
            raise errors[0]
        for error in errors:
            self._tell(str(error))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Detach."""
        for link in self._links:
            self._detach(link, said=isinstance(error, AttachError))

    def fetch_all(self) -> list[dict[str, Any]]:
        """The state of each.

        Raises:
            AttachError: One of them is gone.
        """
        return [link.ask("look") for link in self._links]

    def fetch(self) -> dict[str, Any]:
        """The state of the one that is chosen, or has most to show."""
        return self.fetch_all()[0]

    def _detach(self, link: Link, *, said: bool) -> None:
        try:
            if link.close(stays=self.stays):
                self._tell(f"httpguard stays in process {link.pid}")
        except AttachError as failure:
            if not said:
                self._tell(str(failure))

    def _attach(self, pid: int) -> Link | AttachError:
        try:
            return attach(
                pid,
                self._settings,
                look=self._look,
                patience=self._patience,
                tell=self._tell,
            )
        except AttachError as error:
            return error


def _children(pid: int) -> list[int]:
    """The children of a process, and theirs."""
    import psutil

    try:
        return [one.pid for one in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []
