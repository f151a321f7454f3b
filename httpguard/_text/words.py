"""Places, requests and times as a person reads them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from .._model.redaction import printable
from .._stacks.before import BEFORE
from .._stacks.before import FILENAME as BEFORE_FILENAME
from .._stacks.directory import working_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._model.leak import Frame, Leak
    from .._model.snapshot import OpenResponse

# Below so many seconds: the unit's seconds, its format and its name.
_UNITS: Final = ((10, 1, ".1f", "s"), (120, 1, ".0f", "s"), (7200, 60, ".0f", "min"))


def short_path(filename: str) -> str:
    """A file, relative to the working directory where it lies below that."""
    return filename.removeprefix(_base())


def _base() -> str:
    """The working directory with a separator; empty where that shortens nothing."""
    base = os.path.join(working_directory(), "")
    return base if len(base) > 1 else ""


def place(frame: Frame) -> str:
    """``file:line in function``, the file relative where it is below the cwd."""
    (text,) = places([frame])
    return text


def places(frames: Sequence[Frame]) -> list[str]:
    """As `place`, of each frame."""
    base = _base()
    paths = [frame.filename.removeprefix(base) for frame in frames]
    return [
        f"({BEFORE})"
        if path == BEFORE_FILENAME
        else f"{printable(path)}:{frame.lineno} in {printable(frame.function)}"
        for path, frame in zip(paths, frames, strict=True)
    ]


def is_before(frame: Frame) -> bool:
    """Whether it stands for what was opened before httpguard came."""
    return frame.filename == BEFORE_FILENAME


def opened(frame: Frame) -> str:
    """``opened at file:line in function``, where that is known."""
    if is_before(frame):
        return BEFORE
    return f"opened at {place(frame)}"


def whole_place(frame: Frame) -> str:
    """``file:line in function``, as fields of a log have it."""
    return printable(str(frame))


def request(response: Leak | OpenResponse) -> str:
    """Method and redacted URL; of a session, where it went first."""
    return f"{response.method} {response.url}".strip() or response.pool


def shortened(text: str, most: int) -> str:
    """A text, without its middle where it is long: both of its ends tell more."""
    if len(text) <= most:
        return text
    end = (most - 1) // 3
    return f"{text[: most - 1 - end]}…{text[-end:]}"


def bytes_read(leak: Leak) -> str:
    """How much of the body was read."""
    if leak.length is None:
        return f"{leak.bytes_read} bytes read"
    return f"{leak.bytes_read} of {leak.length} bytes read"


def seconds(age: float) -> str:
    """An age in seconds that reads well: 0.3 s, 42 s, 12 min, 3 h."""
    for limit, size, form, unit in _UNITS:
        if age < limit:
            return f"{age / size:{form}} {unit}"
    return f"{age / 3600:.0f} h"
