"""Files of logs, plain or compressed, read line by line."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final

from .._model.errors import HTTPGuardError
from .._model.extras import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .counts import LogCounts

STDIN: Final = "-"
# A file without line ends (a core dump, say) must not be taken into memory whole.
_LONGEST_LINE: Final = 64 << 20


class InputError(HTTPGuardError):
    """An input cannot be read; the message names it as it was given."""


@dataclass(frozen=True, slots=True)
class Input:
    """One file, looked at but not read yet.

    Args:
        path: As given; ``-`` is standard input.
        form: ``plain``, ``gzip`` or ``zstd``, by its first bytes.
    """

    path: str
    form: str

    @property
    def name(self) -> str:
        return "<stdin>" if self.path == STDIN else self.path


def look_at(paths: Iterable[str]) -> list[Input]:
    """Find out what the inputs are, before any is read."""
    return [_look_at(path) for path in dict.fromkeys(paths)]


def _look_at(path: str) -> Input:
    if path == STDIN:
        # Told apart when it is read: nothing may be waiting there yet.
        return Input(path, "plain")
    try:
        with open(path, "rb") as file:
            form = _form(file.read(4), path)
            # A FIFO or /dev/stdin has lost these bytes: it can be read only once.
            if not file.seekable():
                raise InputError(
                    f"{path} is not a plain file; pipe it in and say `-` instead"
                )
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    return Input(path, form)


def _form(magic: bytes, name: str) -> str:
    if magic.startswith(b"\x1f\x8b"):
        return "gzip"
    if magic == b"PAR1":
        raise InputError(
            f"{name} is Parquet, which is not read; turn it into JSON lines first,"
            f" such as by duckdb -c \"COPY (FROM '{name}') TO '/dev/stdout'"
            ' (FORMAT json)" | httpguard report -'
        )
    return "zstd" if magic == b"\x28\xb5\x2f\xfd" else "plain"


def read(source: Input, counts: LogCounts) -> None:
    """Count all lines of a file that may be ours. Raises `InputError`.

    Bytes that are not UTF-8 become replacement characters: the rest of their line
    can still be read. Of compressed data that is damaged, what came before counts.
    Raises `MissingExtraError` where nothing is there to read zstd.
    """
    name, number = source.name, 0
    counts.begin(name)
    with _open(source) as raw:
        text = io.TextIOWrapper(
            _decompressed(raw, source), "utf-8", "replace", newline="\n"
        )
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
        except InputError:
            raise
        except Exception as error:  # Each form of compression has its own.
            problem = f"the rest cannot be decompressed: {error}"
            counts.note_damage(name, number + 1, problem)
        # What is wrapped is closed by who has opened it.
        text.detach()
    counts.lines += number


def _is_cut(line: str) -> bool:
    return line.startswith("{") and not line.rstrip("\r\n").endswith("}")


def _open(source: Input) -> IO[bytes]:
    try:
        if source.path == STDIN:
            return open(sys.stdin.fileno(), "rb", closefd=False)
        return open(source.path, "rb")
    except OSError as error:  # It went since it was looked at.
        raise InputError(f"{source.name}: {error.strerror or error}") from error


def _decompressed(raw: IO[bytes], source: Input) -> Any:
    """A stream of the file's bytes as they were written; it has ``read1``."""
    form = source.form
    if source.path == STDIN:
        form = _form(raw.peek(4)[:4], source.name)  # type: ignore[attr-defined]
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
