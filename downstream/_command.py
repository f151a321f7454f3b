"""Running other programs: pip, venv and pytest, their output in a file."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TAIL: Final = 15


class DownstreamError(Exception):
    """A suite could not be fetched, installed or run; the message says why."""


def run(
    command: Sequence[str],
    log: Path,
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> int:
    """Run a program to its end.

    Args:
        command: Program and arguments.
        log: Where its output goes.
        cwd: Where it runs.
        environ: All of its environment; None: ours.
        timeout: Seconds; then it is killed, with all that it started.

    Returns:
        The exit code, negative if a signal ended it.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # Our own tables, no shell.
            command,
            cwd=cwd,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL
        finally:
            _end(process)


def must(command: Sequence[str], log: Path, what: str) -> None:
    """Run a program that has to go well.

    Args:
        command: Program and arguments.
        log: Where its output goes.
        what: For the message.

    Raises:
        DownstreamError: It failed; the message ends with the end of its output.
    """
    if run(command, log) != 0:
        raise DownstreamError(f"{what} failed:\n{tail(log)}")


def tail(log: Path) -> str:
    """The last lines of an output."""
    lines = log.read_text("utf-8", "replace").splitlines()
    return "\n".join(lines[-_TAIL:])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing running: servers and workers of a suite may outlive it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
