"""URLs fit for a log: no secrets, no control characters, bounded length."""

from __future__ import annotations

import re
from typing import Final

from .secrets import HIDDEN, redact_path

_MAX_LENGTH: Final = 300
# Characters of a line of source. Longer ones are generated code, and whoever compares
# two has to cut both alike.
MOST_SOURCE: Final = 200
# Of a URL without end, this much is looked at.
_MOST_READ: Final = 8192
_AUTHORITY: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)?//([^/?#]*@)?([^/?#]*)")
# Anything else is the start of user info with a ``?`` or ``#`` in it.
_HOST: Final = re.compile(r"(?:[^:]*|\[[^]]*\])(?::\d*)?")
# Everything that could start a new line, move a terminal's cursor or reorder
# the text on it: C0 and C1 controls, line separators, bidirectional overrides.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u061c\u2028\u2029\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def redact_url(url: str) -> str:
    """The URL without user info, query values, fragment and secrets in its path.

    Args:
        url: Any URL, path or query, from the program or from a server's redirect.

    Returns:
        At most 300 characters of it, control characters escaped. Names of query
        parameters stay, their values become an ellipsis, and so does each segment
        of the path that looks like a secret.
    """
    url, _, _ = url.partition("#")
    url, mark, query = url.partition("?")
    query = query[:_MOST_READ]
    if len(url) > _MOST_READ:
        # Not in the middle of a segment: half a secret looks like none.
        url = url[:_MOST_READ].rpartition("/")[0] + "/…"
    head = ""
    authority = _AUTHORITY.match(url)
    if authority is not None:
        host, url = authority[3], url[authority.end() :]
        if not _HOST.fullmatch(host):
            # Up to where the user info ends, with a slash in it too.
            host, url = HIDDEN, "@".join(["", *url.rsplit("@", 1)[1:]]) or url
        head = f"{authority[1] or ''}//{host}"
    url = head + redact_path(url)
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
    # Escapes are longer: cut before, to do no work on what goes, and after.
    text = text[: limit + 1]
    if not text.isprintable():  # To search takes five times as long.
        text = _UNPRINTABLE.sub(_escape, text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _escape(found: re.Match[str]) -> str:
    """A character as a backslash escape."""
    return found[0].encode("unicode_escape", "surrogatepass").decode("ascii")


def _redact_parameter(part: str) -> str:
    """``name=value`` without its value; a bare word may itself be a secret."""
    name, equals, _ = part.partition("=")
    if equals:  # Or it is Base64, which ends so.
        return f"{redact_path(name)}={HIDDEN}"
    return HIDDEN if name else ""
