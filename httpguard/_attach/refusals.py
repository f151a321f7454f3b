"""Why a process can not be attached to, each in a sentence that says what helps.

And where its main thread is, as seen from outside, while it does not come.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from contextlib import suppress
from importlib import import_module
from itertools import chain
from typing import Any, Final

from .._model.errors import HTTPGuardError
from .._stacks.ownership import is_application

INSTEAD: Final = (
    "start the program with HTTPGUARD_SERVE=0 and `httpguard run`, or with"
    " httpguard.install(), and `httpguard top PID` shows the same"
)
_OLDEST: Final = (3, 14)
_PYTHON: Final = re.compile(r"(?:lib)?python(\d+\.\d+)t?(?:\.so|\.dylib|$)")
_TRIES: Final = 5


class AttachError(HTTPGuardError):
    """It can not be attached to. The message says why, and what helps."""


def refuse_here() -> None:
    """Raise where this interpreter can attach to nothing."""
    name, version = platform.python_implementation(), platform.python_version()
    if not hasattr(sys, "remote_exec"):
        raise AttachError(
            f"attach needs CPython 3.14 or later, here and in the program, and this is"
            f" {name} {version}: {INSTEAD}"
        )
    if os.name != "posix":
        raise AttachError(f"attach needs Linux or macOS: on Windows {INSTEAD}")


def refuse(pid: int) -> None:
    """Raise where there is no such process, or it is not ours to attach to."""
    if pid == os.getpid():
        raise AttachError(f"process {pid} is this command itself")
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        raise AttachError(f"there is no process {pid}") from None
    except PermissionError:
        raise AttachError(of_another_user(pid)) from None
    version = _version_of(pid)
    ours = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if version is not None and version != ours:
        older = tuple(map(int, version.split("."))) < _OLDEST
        what = INSTEAD if older else f"use the httpguard of a Python {version}"
        raise AttachError(
            f"process {pid} runs Python {version} and this is {ours}, and one attaches"
            f" to the same version only: {what}"
        )


def of_another_user(pid: int) -> str:
    return (
        f"process {pid} is another user's, or the system forbids to attach to it"
        " (/proc/sys/kernel/yama/ptrace_scope): become that user, or root"
    )


def why(pid: int, error: Exception) -> AttachError:
    """What `sys.remote_exec` says of a process that it can not reach, as a sentence."""
    text = str(error)
    if isinstance(error, PermissionError):
        return AttachError(of_another_user(pid))
    if "not enabled in the remote" in text:
        return AttachError(
            f"process {pid} was started with -X disable-remote-debug or"
            f" PYTHON_DISABLE_REMOTE_DEBUG: {INSTEAD}"
        )
    if "PyRuntime" in text or "debug offsets" in text:
        ours = f"{sys.version_info[0]}.{sys.version_info[1]}"
        exe = _executable(pid) or "another program"
        return AttachError(
            f"process {pid} is no CPython of version {ours}, or one built without what"
            f" attach needs (PEP 768); it runs {exe}: {INSTEAD}"
        )
    return AttachError(f"process {pid} can not be attached to: {text}")


def of_another_world(pid: int) -> AttachError:
    """The process sees none of the places to which a script could be written."""
    return AttachError(
        f"process {pid} is in another container, or has another root: its files are"
        f" not those of this command; run `httpguard attach` in there"
        f" (`docker exec`, `nsenter -t {pid} -m`)"
    )


def _version_of(pid: int) -> str | None:
    """The version of the Python that runs in a process, as far as its name tells."""
    with (
        suppress(OSError),
        open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps,
    ):
        for name in chain([_executable(pid)], maps):
            match = _PYTHON.search(os.path.basename(name.rstrip()))
            if match:
                return match[1]
    return None


def _executable(pid: int) -> str:
    """What a process runs; empty: not to be known."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def main_thread_of(pid: int) -> str:
    """Where the main thread of a process is; empty: not to be known.

    By the module of CPython that its own debuggers use, which is no promise of it, and
    of a process of the same version.
    """
    try:
        frames = _look(pid)
        if not frames:
            return ""
        own = next((f for f in frames if is_application(f.filename, ())), frames[0])
        line = getattr(own, "location", own).lineno
        place = f"{own.filename}:{line} in {own.funcname}"
        if own is frames[0]:
            return place
        return f"{place}, in {frames[0].funcname} of {frames[0].filename}"
    except Exception:  # Another build, or it went on meanwhile.
        return ""


def _look(pid: int) -> list[Any]:
    """The frames, if not at the first try then at one of the next: they may move."""
    _remote_debugging: Any = import_module("_remote_debugging")
    for _ in range(_TRIES):
        with suppress(RuntimeError, OSError):
            unwinder = _remote_debugging.RemoteUnwinder(pid, all_threads=True)
            frames = _frames(unwinder.get_stack_trace(), pid)
            if frames:
                return frames
    return []


def _frames(found: Any, pid: int) -> list[Any]:
    """The frames of the main thread: CPython 3.15 tells them by interpreter."""
    threads: list[Any] = []
    for one in found:
        threads += getattr(one, "threads", [one])
    return next((list(one.frame_info) for one in threads if one.thread_id == pid), [])
