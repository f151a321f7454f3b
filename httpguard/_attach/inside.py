"""In the program: answers whoever has attached, in a thread, until they are gone."""

from __future__ import annotations

import contextlib
import json
import os
import select
import threading
import traceback
from typing import TYPE_CHECKING, Any, Final

from .._model.threads import OwnThread
from .._process.process import PROCESS, current
from .._web.view import View
from .attachment import arrive, leave

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from .attachment import Attachment

THREAD_NAME: Final = "httpguard-attach"
_PATIENCE: Final = 0.5
# Whoever takes nothing for so long is gone.
_PATIENCE_TO_SEND: Final = 10.0
_READ: Final = 4096


class Visit:
    """One who has attached; the channel to them is the visit's from here on.

    Two threads never run it at once: the one ends before a fork, the other begins
    after it.

    Args:
        channel: To them.
        task: What they asked for.
        say: Answers by a channel; raises OSError where nobody takes it.
        clean: Takes out again what came along for the visit.
    """

    def __init__(
        self,
        channel: socket.socket,
        task: dict[str, Any],
        say: Callable[[socket.socket, dict[str, Any]], None],
        clean: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._say = say
        channel.settimeout(_PATIENCE_TO_SEND)
        self._task = task
        self._clean = clean
        self._incoming = b""
        self._stays = self._has_arrived = False
        self._view = View(current)
        self._wake_reader, self._wake_writer = os.pipe()
        self._thread: threading.Thread | None = threading.current_thread()
        self._pausing = False
        self.attachment: Attachment | None = None
        PROCESS.visits.append(self)
        PROCESS.parts.add(self)

    def run(self) -> None:
        """Bring httpguard in, look, and answer. It never raises."""
        try:
            self.attachment = arrive(self._task["settings"])
            self._has_arrived = True
            if self.attachment is not None:
                self.attachment.adopted.look(self._task["look"])
            self._say(self._channel, {"ready": self.attachment is not None})
        except BaseException:
            self._fail()
            self._leave()
            return
        self._go_on()

    # A part of the process's state, for which a fork matters: see `Forked`.

    def pause(self) -> None:
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        self._pausing = True
        with contextlib.suppress(OSError):
            os.write(self._wake_writer, b"x")
        thread.join(_PATIENCE)

    def resume(self) -> None:
        thread, self._pausing = self._thread, False
        if thread is not None and not thread.is_alive():
            self._thread = OwnThread(target=self._go_on, name=THREAD_NAME)
            self._thread.start()

    def forget(self) -> None:
        """In the child, at which nobody looks: it is as if nobody had come."""
        attachment, self.attachment = self.attachment, None
        self._thread = None
        self._close()
        if attachment is not None and not attachment.stays:
            attachment.take_off_in_child()
            self._clean()

    def _go_on(self) -> None:
        try:
            if not self._serve():
                return  # A fork comes.
        except OSError:  # They are gone.
            pass
        except BaseException:
            self._fail()
        self._leave()

    def _serve(self) -> bool:
        """Answer each line; False: a fork comes."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._wake_reader, select.POLLIN)
        while True:
            line, found, rest = self._incoming.partition(b"\n")
            if found:
                self._incoming = rest
                if not self._answer(line.decode()):
                    return True
                continue
            ready = {descriptor for descriptor, _ in poll.poll()}
            if self._wake_reader in ready:
                os.read(self._wake_reader, _READ)
            if self._pausing:
                return False
            if self._channel.fileno() in ready:
                data = self._channel.recv(_READ)
                if not data:
                    return True
                self._incoming += data

    def _answer(self, question: str) -> bool:
        """Whether there will be more."""
        if question == "look":
            state = self._view.document().plain
            more = json.dumps(self._more()).encode()
            self._channel.sendall(state[:-1] + b', "attached": ' + more + b"}\n")
            return True
        self._stays = question == "stay"
        return False

    def _more(self) -> dict[str, Any]:
        """What is not in the JSON of the page."""
        attachment = self.attachment
        if attachment is None:
            return {"only_shown": True}
        notes = list(attachment.notes.texts)
        return {"only_shown": False, "notes": notes, **attachment.adopted.to_dict()}

    def _leave(self) -> None:
        """They are gone: all of ours goes, unless it is to stay."""
        keeps = False
        self._thread = None
        try:
            if self._has_arrived:
                keeps = leave(self.attachment, stays=self._stays)
            if not keeps:
                self._clean()
            self._say(self._channel, {"stays": keeps})
        except OSError:
            pass
        except BaseException:
            self._fail()
        self._close()

    def _fail(self) -> None:
        """Say what failed to whoever attached, and to nobody else."""
        with contextlib.suppress(OSError):
            self._say(self._channel, {"failed": traceback.format_exc()})

    def _close(self) -> None:
        if self in PROCESS.visits:
            PROCESS.visits.remove(self)
        if self._channel.fileno() >= 0:
            self._channel.close()
            os.close(self._wake_reader)
            os.close(self._wake_writer)
