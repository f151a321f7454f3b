"""URLs fit for a log: no secrets, no control characters, bounded length."""

from __future__ import annotations

import re
from typing import Final

_MAX_LENGTH: Final = 300
_USER_INFO: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*@")
# Everything that could start a new line, move a terminal's cursor or reorder
# the text on it: C0 and C1 controls, line separators, bidirectional overrides.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x20\x7f-\xa0\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def redact_url(url: str) -> str:
    """The URL without user info, query values and fragment.

    Args:
        url: Any URL or path, from the program or from a server's redirect.

    Returns:
        At most 300 characters of it, control characters escaped. Names of query
        parameters stay, their values become an ellipsis.
    """
    url, _, _ = url.partition("#")
    url, mark, query = url.partition("?")
    url = _USER_INFO.sub(lambda match: f"{match[1] or ''}//", url)
    if mark:
        url += "?" + "&".join(_redact_parameter(part) for part in query.split("&"))
    return printable(url)


def printable(text: str, limit: int = _MAX_LENGTH) -> str:
    """The text on one line, as plain characters, cut to a length.

    Args:
        text: Anything that comes from outside.
        limit: The most characters kept.

    Returns:
        The text with whatever could forge a line or drive a terminal escaped.
    """
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return _UNPRINTABLE.sub(lambda match: _escape(match[0]), text)


def _escape(character: str) -> str:
    """A backslash escape; the ordinary space stays."""
    if character == " ":
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _redact_parameter(part: str) -> str:
    """``name=value`` without its value; a bare word may itself be a secret."""
    name, equals, _ = part.partition("=")
    if equals:
        return f"{name}=…"
    return "…" if name else ""
