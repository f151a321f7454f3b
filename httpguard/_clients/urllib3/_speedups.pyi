from types import FrameType
from typing import Any

def begin_lease(
    parts: tuple[Any, ...],
    world: tuple[Any, ...],
    response: Any,
    pool: Any,
    method: Any,
    url: Any,
    frame: FrameType | None,
    client: Any,
    /,
) -> bool: ...
