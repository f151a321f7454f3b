"""Files of logs, plain or compressed, as blocks of lines that an engine can take."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from .._model.errors import HTTPGuardError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

STDIN: Final = "-"
_BLOCK: Final = 32 << 20
_PIECE: Final = 1 << 16
# A file without line ends (a core dump, say) must not be taken into memory whole.
_LONGEST_LINE: Final = 64 << 20
# So many lines are one piece of work of one of the engine's threads.
_BATCH: Final = 8192
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_PARQUET: Final = b"PAR1"
_NEWLINE: Final = 10
# Beside the columns of a file, which may have any name.
_NUMBER: Final = "number of the row, added by httpguard"


class InputError(HTTPGuardError):
    """An input cannot be read; the message names it as it was given."""


@dataclass(frozen=True, slots=True)
class Input:
    """One file, looked at but not read yet.

    Args:
        path: As given; ``-`` is standard input.
        form: ``plain``, ``gzip``, ``zstd`` or ``parquet``, by its first bytes.
        size: In bytes; 0 if not known.
    """

    path: str
    form: str
    size: int

    @property
    def name(self) -> str:
        """How messages call it."""
        return "<stdin>" if self.path == STDIN else self.path


@dataclass(slots=True)
class Block:
    """Lines of one file.

    Args:
        table: An Arrow table with file, number and line.
        lines: How many.
    """

    table: Any
    lines: int


def look_at(paths: Iterable[str]) -> list[Input]:
    """Find out what the inputs are, before any is read.

    Args:
        paths: As given on the command line.

    Raises:
        InputError: One is not there, is a folder or may not be read.
    """
    return [_look_at(path) for path in dict.fromkeys(paths)]


def _look_at(path: str) -> Input:
    """One of them."""
    if path == STDIN:
        # Told apart when it is read: nothing may be waiting there yet.
        return Input(path, "plain", 0)
    try:
        with open(path, "rb") as file:
            form = _form(file.read(4))
            # A FIFO or /dev/stdin has lost these bytes: it can be read only once.
            if not file.seekable():
                raise InputError(
                    f"{path} is not a plain file; pipe it in and say `-` instead"
                )
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    return Input(path, form, size)


def _form(magic: bytes) -> str:
    """What the first bytes of a file say."""
    if magic.startswith(_GZIP):
        return "gzip"
    if magic == _ZSTD:
        return "zstd"
    return "parquet" if magic == _PARQUET else "plain"


def blocks(
    source: Input,
    advance: Callable[[int], None],
    broken: Callable[[int, str], None],
) -> Iterator[Block]:
    """The lines of a file, some 32 MiB at a time.

    Bytes that are not UTF-8 become replacement characters: the rest of their line
    can still be read.

    Args:
        source: Not Parquet.
        advance: Told the bytes of the file that were read since the last call.
        broken: Told the line after which compressed data is damaged, and how; what
            came before is kept.

    Yields:
        Blocks of whole lines.
    """
    number = 1
    with _open(source) as raw:
        stream = _decompressed(raw, source)
        told = 0
        rest = b""
        damage: list[str] = []
        while True:
            data = b"" if damage else _fill(stream, damage.append)
            position = _position(raw)
            advance(position - told)
            told = position
            whole, rest = _whole_lines(rest + data, last=not data)
            if whole:
                block = _block(whole, source.name, number)
                number += block.lines
                yield block
            if not data:
                break
    for how in damage:
        broken(number, how)


def _open(source: Input) -> BinaryIO:
    """The file's bytes as they lie there."""
    if source.path == STDIN:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    try:
        return open(source.path, "rb")
    except OSError as error:  # It went since it was looked at.
        raise InputError(f"{source.path}: {error.strerror or error}") from error


def _decompressed(raw: BinaryIO, source: Input) -> BinaryIO:
    """The file's bytes as they were written."""
    form = source.form
    if source.path == STDIN:
        form = _form(cast("Any", raw).peek(4)[:4])
    if form == "plain":
        return raw
    import pyarrow as pa

    if form == "parquet":
        raise InputError(f"{source.name}: Parquet has to be a file")
    # One after the other, as `cat` puts them, they are read as one.
    stream = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), form)
    return cast("BinaryIO", stream)


def _fill(stream: BinaryIO, broken: Callable[[str], None]) -> bytes:
    """A block, or what is left: in pieces, so that damage costs no more than one."""
    pieces = []
    room = _BLOCK
    while room > 0:
        try:
            piece = stream.read(min(room, _PIECE))
        except OSError as error:
            broken(str(error))
            break
        if not piece:
            break
        pieces.append(piece)
        room -= len(piece)
    return b"".join(pieces)


def _position(raw: BinaryIO) -> int:
    """How many bytes of the file were read, as far as that is known."""
    return raw.tell() if raw.seekable() else 0


def _whole_lines(data: bytes, *, last: bool) -> tuple[bytes, bytes]:
    """The whole lines, and the beginning of the one after them."""
    if last:
        return (data if not data or data.endswith(b"\n") else data + b"\n"), b""
    end = data.rfind(b"\n") + 1
    if not end and len(data) > _LONGEST_LINE:
        return data + b"\n", b""
    return data[:end], data[end:]


def _block(data: bytes, name: str, number: int) -> Block:
    """Whole lines as an Arrow table, without a copy of them.

    A line keeps its line end, for the lines must touch each other.
    """
    import numpy as np
    import pyarrow as pa

    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE)
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends + 1
    lines = pa.Array.from_buffers(
        pa.string(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
    try:
        lines.validate(full=True)
    except pa.ArrowInvalid:
        return _block(data.decode("utf-8", "replace").encode(), name, number)
    batch = pa.record_batch(
        {
            "file": pa.DictionaryArray.from_arrays(
                np.zeros(len(ends), np.int32), pa.array([name])
            ),
            "number": np.arange(number, number + len(ends), dtype=np.int64),
            "line": lines,
        }
    )
    pieces = [batch.slice(at, _BATCH) for at in range(0, len(ends), _BATCH)]
    return Block(pa.Table.from_batches(pieces), len(ends))


def rows(source: Input, advance: Callable[[int], None]) -> Iterator[Block]:
    """The rows of a Parquet file, some ten thousand at a time.

    Args:
        source: Parquet.
        advance: Told the bytes of the file that were read since the last call.

    Yields:
        Blocks whose table has the file's own columns, and then the rows' numbers.

    Raises:
        InputError: The file is damaged: Parquet has its index at the end.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(source.path)
        total = max(file.metadata.num_rows, 1)
        told = done = 0
        for batch in file.iter_batches(batch_size=8 * _BATCH):
            done += batch.num_rows
            position = source.size * done // total
            advance(position - told)
            told = position
            first = done - batch.num_rows + 1
            numbers = pa.array(range(first, done + 1), pa.int64())
            table = pa.Table.from_batches([batch]).append_column(_NUMBER, numbers)
            yield Block(table, batch.num_rows)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{source.path}: {error}") from error
