"""What was noted to httpcore's error, said to whoever sees another one instead.

httpx raises an error of its own, from httpcore's; SDKs raise theirs from that one.
OpenAI's says "Request timed out.", as of a slow server, where nothing was sent.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from ..gate import GATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..patching import Method, Patcher

_MOST_CAUSES: Final = 4


def patch_sdks(patcher: Patcher, sdks: Mapping[str, Iterable[tuple[str, str]]]) -> None:
    """Patch those that are imported: by module, what all their requests go through."""
    for name, methods in sdks.items():
        module = sys.modules.get(name)
        for owner, method in methods:
            kind = getattr(module, owner, None)
            if isinstance(kind, type) and method in vars(kind):
                patcher.wrap(kind, method, _await if "Async" in owner else _call)


def hand_on(error: BaseException) -> None:
    """Say with an error what was noted to those that caused it."""
    try:
        cause = error.__cause__
        for _ in range(_MOST_CAUSES):
            if cause is None:
                return
            for note in getattr(cause, "__notes__", ()):
                if note.startswith("httpguard: ") and note not in _notes(error):
                    error.add_note(note)
            cause = cause.__cause__
    except Exception as failure:
        GATE.fault("note", failure)


def _notes(error: BaseException) -> Any:
    return getattr(error, "__notes__", ())


def _call(wrapped: Method) -> Method:
    """The call through which every request of an SDK goes."""

    def request(self: Any, *args: Any, **options: Any) -> Any:
        try:
            return wrapped(self, *args, **options)
        except Exception as error:
            hand_on(error)
            raise

    return request


def _await(wrapped: Method) -> Method:

    async def request(self: Any, *args: Any, **options: Any) -> Any:
        try:
            return await wrapped(self, *args, **options)
        except Exception as error:
            hand_on(error)
            raise

    return request
