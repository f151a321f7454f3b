from types import FrameType
from typing import Any

def begin_lease(
    parts: tuple[Any, ...],
    known: tuple[Any, ...],
    response: Any,
    pool: Any,
    method: Any,
    url: Any,
    frame: FrameType,
    client: Any,
    /,
) -> bool: ...
def open_lease(
    parts: tuple[Any, ...],
    client: Any,
    response: Any,
    connection: Any,
    held: Any,
    pool: Any,
    method: Any,
    url: Any,
    status: Any,
    length: Any,
    bytes_read: Any,
    reading: bool,
    place: FrameType | tuple[Any, ...],
    in_task: bool,
    /,
) -> bool: ...
def near_site(origins: dict[str, bool], frame: FrameType, /) -> tuple[Any, ...]: ...
