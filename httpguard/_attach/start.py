"""In the command: into a process, and what it answers."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from .._model.version import __version__
from .places import Folder
from .refusals import AttachError, main_thread_of, refuse, refuse_here, why

if TYPE_CHECKING:
    from collections.abc import Callable

_OFTEN: Final = 0.1
# Before the first word that we wait, and from one to the next.
_SOON: Final = 1.0
# Seconds that the program gets to import what came, besides those that it looks.
_PATIENCE: Final = 30.0
_MOST_BYTES: Final = 64_000_000
_READ: Final = 1 << 16
# Not as an import, which the main thread would have to wait for.
_FUTURE: Final = "from __future__ import annotations\n"


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted of every process that is attached to.

    Args:
        look: Seconds of processor time to look for what is open.
        patience: Seconds to wait for its main thread.
    """

    settings: dict[str, Any]
    look: float
    patience: float
    tell: Callable[[str], None]


class Link:
    """A program to which we are attached; its code is in the folder."""

    def __init__(self, pid: int, channel: socket.socket, folder: Folder) -> None:
        self.pid = pid
        self._channel = channel
        self._folder = folder
        self._incoming = bytearray()

    def ask(self, question: str, patience: float = _PATIENCE) -> dict[str, Any]:
        """An answer to ``look``, ``stay`` or ``off``; empty: it answers by itself.

        Raises `AttachError` where it is gone, or has failed.
        """
        try:
            # If it is gone, its last word says why.
            with contextlib.suppress(BrokenPipeError):
                self._channel.sendall(f"{question}\n".encode() if question else b"")
            answer = json.loads(self._read_line(patience))
        except TimeoutError:
            raise AttachError(
                f"process {self.pid} has not answered for {patience:g} s"
            ) from None
        except (OSError, ValueError):
            raise AttachError(f"process {self.pid} has ended") from None
        if "refused" in answer:
            raise AttachError(
                f"process {self.pid} has httpguard {answer['refused']} in it, and this"
                f" is version {__version__}: use the same one"
            )
        if "failed" in answer:
            raise AttachError(
                f"httpguard failed in process {self.pid}, and went out of it again:\n"
                f"{answer['failed']}"
            )
        return dict(answer)

    def close(self, *, stays: bool) -> bool:
        """Detach; whether httpguard stays in the program."""
        try:
            return bool(self.ask("stay" if stays else "off").get("stays"))
        finally:
            self._channel.close()
            if not stays:
                self._folder.remove()

    def _read_line(self, patience: float) -> bytes:
        deadline = time.monotonic() + patience
        while b"\n" not in self._incoming:
            self._channel.settimeout(max(deadline - time.monotonic(), 0.001))
            data = self._channel.recv(_READ)
            if not data or len(self._incoming) > _MOST_BYTES:
                raise ConnectionError
            self._incoming += data
        line, _, rest = bytes(self._incoming).partition(b"\n")
        self._incoming = bytearray(rest)
        return line


def attach(pid: int, order: Order) -> Link:
    refuse_here()
    refuse(pid)
    folder = Folder(pid)
    try:
        link = Link(pid, _call_back(pid, folder, order), folder)
        link.ask("", _PATIENCE + order.look * 2)
    except BaseException:
        folder.remove()
        raise
    folder.tidy()
    return link


def _call_back(pid: int, folder: Folder, order: Order) -> socket.socket:
    """Have the process run the script, which calls us back."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(folder.socket)
        os.chmod(folder.socket, 0o600)
        folder.give(folder.socket)
        listener.listen(1)
        task = {
            "socket": folder.socket,
            "version": __version__,
            "places": folder.bring(_packages()),
            "settings": order.settings,
            "look": order.look,
        }
        folder.write(script(task))
        # CPython 3.15 does not always tell it of a thread that has been asked.
        where = main_thread_of(pid)
        try:
            sys.remote_exec(pid, folder.script)  # type: ignore[attr-defined,unused-ignore]  # 3.14
        except (OSError, RuntimeError) as error:
            raise why(pid, error) from None
        try:
            return _accept(pid, listener, where, order)
        except BaseException:
            _call_off(pid)
            raise


def script(task: dict[str, Any]) -> str:
    """The text of `entry`, and a call of what it begins with."""
    with open(os.path.join(os.path.dirname(__file__), "entry.py"), "rb") as file:
        source = file.read().decode()
    return f"{source.replace(_FUTURE, '')}\n\nbegin({task!r})\n"


def _accept(
    pid: int, listener: socket.socket, where: str, order: Order
) -> socket.socket:
    """Wait for the process to call back, and for nobody else."""
    began = time.monotonic()
    told = began
    while True:
        if select.select([listener], [], [], _OFTEN)[0]:
            channel, _ = listener.accept()
            if _peer(channel) in {None, pid}:
                return channel
            channel.close()
        now = time.monotonic()
        if not _is_there(pid):
            raise AttachError(f"process {pid} has ended before it came to a safe point")
        if now - began >= order.patience:
            where = main_thread_of(pid) or where
            place = f" (it is at {where})" if where else ""
            raise AttachError(
                f"the main thread of process {pid} has not come to a safe point in"
                f" {order.patience:g} s{place}: a program is entered between two steps"
                " of its own code, and not while it waits in a lock or is busy in C; it"
                " was left as it is (--patience waits longer)"
            )
        if now - told >= _SOON:
            told = now
            where = main_thread_of(pid) or where
            place = f" (at {where})" if where else ""
            seconds = f"{now - began:.1f} s"
            order.tell(f"waits for the main thread of process {pid}{place}; {seconds}")


def _call_off(pid: int) -> None:
    """What a process has not run yet it shall not run any more."""
    with contextlib.suppress(OSError, RuntimeError):  # It has ended.
        sys.remote_exec(pid, os.devnull)  # type: ignore[attr-defined,unused-ignore]  # 3.14


def _is_there(pid: int) -> bool:
    """Whether a process has not ended; a dead one may still have a number."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
    except FileNotFoundError:
        if sys.platform.startswith("linux"):
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _peer(channel: socket.socket) -> int | None:
    """The process at the other end; None: the system does not tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    size = struct.calcsize("3i")
    raw = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", raw)[0])


def _packages() -> dict[str, str]:
    found = {}
    for name in ("httpguard", "wrapt"):
        spec = find_spec(name)
        if spec is not None and spec.submodule_search_locations:
            found[name] = os.path.abspath(spec.submodule_search_locations[0])
    return found
