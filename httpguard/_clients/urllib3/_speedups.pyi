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
