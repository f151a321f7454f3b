"""Where the script lies: for this user and the program alone, and seen by both."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, Final

from .refusals import of_another_world

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a socket's name may have, on macOS less than elsewhere.
_LONGEST: Final = 100
_PREFIX: Final = "httpguard-"


class Folder:
    """A folder of our own, 0700, that a process has to see; raises `AttachError`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._owner = _owner(pid)
        self.path = self._make()
        self.socket = os.path.join(self.path, "s")
        self.script = os.path.join(self.path, "script.py")

    def give(self, path: str) -> None:
        """Let the program read a file, where it is another user's and this is root."""
        if self._owner is not None:
            os.chown(path, *self._owner)

    def write(self, text: str) -> None:
        descriptor = os.open(self.script, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        self.give(self.script)

    def bring(self, sources: dict[str, str]) -> dict[str, str]:
        """Where the program finds packages: there, or copied beside the script."""
        return {
            name: path
            if self._owner is None and _is_seen(self._pid, path)
            else self._copy(name, path)
            for name, path in sources.items()
        }

    def tidy(self) -> None:
        """Remove what the program has read, and the rest if it needs no more."""
        os.unlink(self.script)
        os.unlink(self.socket)
        with contextlib.suppress(OSError):  # Its code is in there.
            os.rmdir(self.path)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def _copy(self, name: str, path: str) -> str:
        target = os.path.join(self.path, name)
        ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.pyc")
        shutil.copytree(path, target, ignore=ignored)
        for folder, _, files in os.walk(target):
            for one in (folder, *(os.path.join(folder, file) for file in files)):
                self.give(one)
        return target

    def _make(self) -> str:
        for place in _places():
            with contextlib.suppress(OSError):
                path = tempfile.mkdtemp(prefix=_PREFIX, dir=place)
                if len(path) < _LONGEST and _is_seen(self._pid, path):
                    self.give(path)
                    return path
                os.rmdir(path)
        raise of_another_world(self._pid)


def _places() -> Iterator[str]:
    """Where a folder may be made. A service may have a /tmp of its own."""
    yield tempfile.gettempdir()
    yield os.environ.get("XDG_RUNTIME_DIR", "/tmp")  # noqa: S108
    yield "/dev/shm"  # noqa: S108
    yield os.path.expanduser("~")


def _is_seen(pid: int, path: str) -> bool:
    """Whether a path is the same file for a process as for us.

    True where the system does not tell (macOS has no containers of this kind).
    """
    if not sys.platform.startswith("linux"):
        return True
    try:
        return os.path.samefile(path, f"/proc/{pid}/root{os.path.abspath(path)}")
    except OSError:
        return False


def _owner(pid: int) -> tuple[int, int] | None:
    """User and group of another user's process, to whom root hands its files."""
    with contextlib.suppress(OSError, AttributeError):
        state = os.stat(f"/proc/{pid}")
        if os.geteuid() == 0 and state.st_uid != 0:
            return state.st_uid, state.st_gid
    return None
