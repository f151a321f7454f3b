"""``@pytest.mark.httpguard(allow=..., max_open=...)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .subject import Subject

if TYPE_CHECKING:
    import pytest

_ACCEPTED: Final = 'accepted: allow="the reason", max_open=a whole number'


def subject_for(item: pytest.Item) -> tuple[Subject, str | None]:
    """The subject for a test, as its markers say.

    Of several markers (a test's, its class's, its module's) the closest one that
    gives an argument counts.

    Args:
        item: The test.

    Returns:
        The subject, and what is wrong with a marker, None if nothing is.
    """
    arguments: dict[str, Any] = {}
    wrong = None
    for marker in item.iter_markers("httpguard"):
        wrong = wrong or _wrong(marker)
        for name, value in marker.kwargs.items():
            arguments.setdefault(name, value)
    if wrong is not None:
        return Subject("test", item.nodeid), wrong
    subject = Subject(
        "test",
        item.nodeid,
        reason=arguments.get("allow"),
        max_open=arguments.get("max_open"),
    )
    return subject, None


def _wrong(marker: pytest.Mark) -> str | None:
    """What is wrong with a marker."""
    text = ", ".join(
        [*map(repr, marker.args), *(f"{k}={v!r}" for k, v in marker.kwargs.items())]
    )
    call = f"@pytest.mark.httpguard({text})"
    if marker.args:
        return f"{call}: {marker.args[0]!r} has no name; {_ACCEPTED}"
    for name, value in marker.kwargs.items():
        if name == "allow":
            if not isinstance(value, str) or not value.strip():
                return f"{call}: allow is {value!r}; {_ACCEPTED}"
        elif name == "max_open":
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                return f"{call}: max_open is {value!r}; {_ACCEPTED}"
        else:
            return f"{call}: there is no {name!r}; {_ACCEPTED}"
    return None
