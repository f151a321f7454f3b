"""Append to a file that many processes share, and rotate it by size."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from typing import Final

# O_NONBLOCK: a named pipe without a reader is an error, not a wait.
_FLAGS: Final = (
    os.O_WRONLY
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
# A full file that another process has locked is looked at again so often, with a
# pause of so many seconds. Then the line is written, full or not: a process that
# is stopped while it rotates costs the others the limit, not their progress.
_ATTEMPTS: Final = 20
_PATIENCE: Final = 0.001


def append_line(path: str, line: bytes, max_bytes: int, keep: int) -> None:
    """Write a line to the end of a file in one `write`.

    The file is opened for each line: that costs about 20 us, and no descriptor
    of ours is in the way where a program forks, closes all descriptors to become
    a daemon, or has its log moved away.

    Args:
        path: The file; made if it is not there.
        line: With its line break.
        max_bytes: Rotate before the file would become larger; 0: never.
        keep: Rotated files to keep: ``path.1`` is the latest.

    Raises:
        OSError: It could not be written, or not all of it.
    """
    for attempt in range(_ATTEMPTS):
        descriptor = os.open(path, _FLAGS, 0o666)
        try:
            state = os.fstat(descriptor)
            if stat.S_ISREG(state.st_mode) and state.st_size:
                full = max_bytes and state.st_size + len(line) > max_bytes
                if full and attempt < _ATTEMPTS - 1:
                    if not _rotated(descriptor, path, keep):
                        time.sleep(_PATIENCE)
                    continue
                if _is_torn(path, state):
                    # A full disk or a crash cut the last line: it costs that one.
                    line = b"\n" + line
            written = os.write(descriptor, line)
        finally:
            os.close(descriptor)
        if written < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        return


def _rotated(descriptor: int, path: str, keep: int) -> bool:
    """Move a full file away, unless another process is doing so.

    Returns:
        Whether the path names another file than the descriptor from now on.
    """
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False  # On Windows an open file cannot be moved anyway.
    try:
        # Whoever had the lock before us may have moved the file.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                oldest = 1
                while oldest < keep and os.path.lexists(f"{path}.{oldest}"):
                    oldest += 1
                for number in range(oldest, 1, -1):
                    os.replace(f"{path}.{number - 1}", f"{path}.{number}")
                # Last: until then nobody has a new file to rotate.
                os.replace(path, f"{path}.1")
    finally:
        # A child forked meanwhile has the descriptor too: closing is not enough.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True


def _is_torn(path: str, state: os.stat_result) -> bool:
    """Whether the file, of which this is the state, ends without a line break."""
    try:
        with open(path, "rb") as file:
            if not os.path.samestat(os.fstat(file.fileno()), state):
                return False  # Just rotated.
            file.seek(state.st_size - 1)
            if file.read(1) == b"\n":
                return False
            # Another process may be in the middle of its write: the size grows
            # page by page. One that takes longer makes a blank line here.
            time.sleep(_PATIENCE)
            return os.fstat(file.fileno()).st_size == state.st_size
    except OSError:  # Not ours to read.
        return False
