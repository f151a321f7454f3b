"""Files of logs, plain or compressed, as blocks of whole lines."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from operator import itemgetter
from typing import IO, TYPE_CHECKING, Any, Final

from .._model.errors import HTTPGuardError
from .._model.extras import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .observer import Observer

STDIN: Final = "-"
# A block without a line that was cut is searched for marks as a whole.
_BLOCK: Final = 1 << 18
# A file without line ends (a core dump, say) must not be taken into memory whole.
_LONGEST_LINE: Final = 64 << 20
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_PARQUET: Final = b"PAR1"
# A line that has one of these may be ours.
_MARKS: Final = (b'"httpguard.', b"leak ", b"fix: ", b"ended well after all")
_BRACE: Final = frozenset(b"}")


class InputError(HTTPGuardError):
    """An input cannot be read; the message names it as it was given."""


@dataclass(frozen=True, slots=True)
class Input:
    """One file, looked at but not read yet.

    Args:
        path: As given; ``-`` is standard input.
        form: ``plain``, ``gzip`` or ``zstd``, by its first bytes.
        size: In bytes; 0 if not known.
    """

    path: str
    form: str
    size: int

    @property
    def name(self) -> str:
        """How messages call it."""
        return "<stdin>" if self.path == STDIN else self.path


def look_at(paths: Iterable[str]) -> list[Input]:
    """Find out what the inputs are, before any is read.

    Raises:
        InputError: One is not there, is a folder or may not be read.
    """
    return [_look_at(path) for path in dict.fromkeys(paths)]


def _look_at(path: str) -> Input:
    if path == STDIN:
        # Told apart when it is read: nothing may be waiting there yet.
        return Input(path, "plain", 0)
    try:
        with open(path, "rb") as file:
            form = _form(file.read(4), path)
            # A FIFO or /dev/stdin has lost these bytes: it can be read only once.
            if not file.seekable():
                raise InputError(
                    f"{path} is not a plain file; pipe it in and say `-` instead"
                )
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    return Input(path, form, size)


def _form(magic: bytes, name: str) -> str:
    """What the first bytes of a file say."""
    if magic.startswith(_GZIP):
        return "gzip"
    if magic == _PARQUET:
        raise InputError(
            f"{name} is Parquet, which is not read; turn it into JSON lines first,"
            f" such as by duckdb -c \"COPY (FROM '{name}') TO '/dev/stdout'"
            ' (FORMAT json)" | httpguard report -'
        )
    return "zstd" if magic == _ZSTD else "plain"


def read(source: Input, observer: Observer, advance: Callable[[int], None]) -> None:
    """Let an observer see all lines of a file that may be ours.

    Bytes that are not UTF-8 become replacement characters: the rest of their line
    can still be read. Of compressed data that is damaged, what came before counts.

    Args:
        advance: Told the bytes of the file that were read since the last call.

    Raises:
        InputError: It cannot be read.
        MissingExtraError: It is compressed by zstd, and nothing is there to read it.
    """
    name = source.name
    lines = 0
    observer.begin(name)
    with _open(source) as raw:
        told = 0
        damage: list[str] = []
        for data in _blocks(_decompressed(raw, source), damage.append):
            split = data.split(b"\n")
            for begin in _candidates(data, split):
                end = data.index(b"\n", begin)
                line = data[begin:end].decode("utf-8", "replace").rstrip("\r")
                problem = observer.observe(name, line)
                if problem is not None:
                    number = lines + data.count(b"\n", 0, begin) + 1
                    observer.note_damage(name, number, problem)
            lines += len(split) - 1
            position = raw.tell() if raw.seekable() else 0
            advance(position - told)
            told = position
    observer.lines += lines
    for how in damage:
        observer.note_damage(name, lines + 1, f"the rest cannot be decompressed: {how}")


def _open(source: Input) -> IO[bytes]:
    """The file's bytes as they lie there."""
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
    return _zstd(raw) if form == "zstd" else raw


def _zstd(raw: IO[bytes]) -> Any:
    try:
        if sys.version_info >= (3, 14):
            from compression.zstd import ZstdFile
        else:
            from backports.zstd import ZstdFile
    except ImportError as error:
        raise MissingExtraError("report", ["backports.zstd"]) from error
    return ZstdFile(raw)


def _blocks(stream: Any, broken: Callable[[str], None]) -> Iterator[bytes]:
    """Whole lines, each with its end."""
    begun: list[bytes] = []
    length = 0
    while data := _fill(stream, broken):
        end = data.rfind(b"\n") + 1
        if end:
            yield b"".join((*begun, data[:end]))
            begun, length = [], 0
        begun.append(data[end:])
        length += len(data) - end
        if length > _LONGEST_LINE:
            yield b"".join((*begun, b"\n"))
            begun, length = [], 0
    if length:
        yield b"".join((*begun, b"\n"))


def _fill(stream: Any, broken: Callable[[str], None]) -> bytes:
    """The next bytes; none at the end, or where they are damaged."""
    try:
        # All at once: what was decompressed before the damage would be lost.
        return bytes(stream.read1(_BLOCK))
    except Exception as error:  # Each form has its own.
        broken(str(error))
        return b""


def _candidates(data: bytes, lines: list[bytes]) -> list[int]:
    """Where the lines begin that may be ours, or were cut.

    About 0.5 us for each line that is neither: no line is looked at by itself but
    where a block has one that no brace ends.

    Args:
        data: Whole lines.
        lines: The same without their ends.
    """
    begins = set()
    for mark in _MARKS:
        at = data.find(mark)
        while at >= 0:
            begins.add(data.rfind(b"\n", 0, at) + 1)
            at = data.find(mark, data.index(b"\n", at))
    if not _BRACE.issuperset(map(itemgetter(-1), filter(None, lines))):
        begin = 0
        for line in lines:
            if line.startswith(b"{") and not line.rstrip(b"\r").endswith(b"}"):
                begins.add(begin)
            begin += len(line) + 1
    return sorted(begins)
