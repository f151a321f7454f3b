"""Files of logs, plain or compressed, read line by line."""

from __future__ import annotations

import io
import sys
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final

from .._model.errors import HTTPGuardError
from .._model.extras import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .counts import LogCounts

STDIN: Final = "-"
# A file without line ends (a core dump, say) must not be taken into memory whole.
_LONGEST_LINE: Final = 64 << 20


class InputError(HTTPGuardError):
    """An input cannot be read; the message names it as it was given."""


def opened(path: str) -> io.BufferedReader:
    """A log, ``-`` standard input; raises `InputError`."""
    try:
        source = sys.stdin.fileno() if path == STDIN else path
        raw = open(source, "rb", closefd=path != STDIN)  # noqa: SIM115  # The caller's.
        raw.peek()  # That it can be read.
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    return raw


def form_of(raw: io.BufferedReader, path: str) -> str:
    """``plain``, ``gzip`` or ``zstd``, by its first bytes; raises `InputError`."""
    magic = raw.peek(4)[:4]
    if magic.startswith(b"\x1f\x8b"):
        return "gzip"
    if magic == b"PAR1":
        raise InputError(
            f"{path} is Parquet, which is not read; turn it into JSON lines first,"
            f" such as by duckdb -c \"COPY (FROM '{path}') TO '/dev/stdout'"
            ' (FORMAT json)" | httpguard report -'
        )
    return "zstd" if magic == b"\x28\xb5\x2f\xfd" else "plain"


def read(
    path: str,
    counts: LogCounts,
    watched: Callable[[io.BufferedReader], io.BufferedReader] = lambda raw: raw,
) -> None:
    """Count all lines of a file that may be ours. Raises `InputError`.

    It is read by what `watched` makes of it, to see how far that has come.

    Bytes that are not UTF-8 become replacement characters: the rest of their line
    can still be read. Of compressed data that is damaged, what came before counts.
    Raises `MissingExtraError` where nothing is there to read zstd.
    """
    name, number = "<stdin>" if path == STDIN else path, 0
    counts.begin(name)
    with opened(path) as raw:
        stream = _decompressed(watched(raw), form_of(raw, path))
        text = io.TextIOWrapper(stream, "utf-8", "replace", newline="\n")
        try:
            # About 0.7 us for a line that is not ours: text is searched faster than
            # bytes.
            whole_lines = iter(partial(text.readline, _LONGEST_LINE), "")
            for number, line in enumerate(whole_lines, 1):
                if (
                    '"httpguard.' in line
                    or (not line.endswith("}\n") and _is_cut(line))
                    or "leak " in line
                    or "fix: " in line
                    or "ended well after all" in line
                ):
                    problem = counts.take(name, line.rstrip("\r\n"))
                    counts.note_damage(name, number, problem)
        except Exception as error:  # Each form of compression has its own.
            problem = f"the rest cannot be decompressed: {error}"
            counts.note_damage(name, number + 1, problem)
        # What is wrapped is closed by who has opened it.
        text.detach()
    counts.lines += number


def _is_cut(line: str) -> bool:
    return line.startswith("{") and not line.rstrip("\r\n").endswith("}")


def _decompressed(raw: IO[bytes], form: str) -> Any:
    """A stream of the file's bytes as they were written; it has ``read1``."""
    # Several members, one after the other, are read as one.
    if form == "gzip":
        import gzip

        return gzip.GzipFile(fileobj=raw)
    if form == "plain":
        return raw
    try:
        if sys.version_info >= (3, 14):
            from compression.zstd import ZstdFile
        else:
            from backports.zstd import ZstdFile
    except ImportError as error:
        raise MissingExtraError("report", ["backports.zstd"]) from error
    return ZstdFile(raw)
