"""URLs fit for a log: no secrets, no control characters, bounded length.

Secrets in a path are recognised by their looks and by what names them. Patterns, not
knowledge: a short or wordlike secret is not recognised, and some long identifiers are
taken for one.
"""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "…"
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

# Keys that say what they are, whatever their length: JSON web tokens, Telegram's
# `bot123:ABC`, those of GitHub, GitLab, Slack, Stripe and others, AWS, Google.
_KNOWN: Final = re.compile(
    r"eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"
    r"|bot\d+:.+|\d+:[\w-]{20,}"
    r"|(?:gh[a-z]_|github_pat_|glpat-|xox[a-z]-|[rsp]k[-_]|AKIA|ASIA|AIza|ya29\.)"
    r"[\w.-]{8,}",
    re.ASCII,
)
_HEXADECIMAL: Final = re.compile(r"[0-9A-Fa-f]{32,}")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_BASE64: Final = re.compile(r"[\w+=~-]+", re.ASCII)
# What in a line of source or a name may be a URL; what of that may be a secret. A name
# in braces, or ``%s``, is put in later: it tells nothing.
_WITHIN: Final = re.compile(r"[^\s'\"`]+")
_PUT_IN: Final = r"(?:\{[^&#]*|%s|%\(\w+\)s)"
_USER_INFO_WITHIN: Final = re.compile(rf"(?<=//)(?!{_PUT_IN}@)[^/?#@]*@")
_VALUE_WITHIN: Final = re.compile(
    rf"(?<=[?&])([\w.\[\]%~+-]+=)(?!=|{_PUT_IN}(?:[&#]|$))[^&#]+"
)
_WORD_WITHIN: Final = re.compile(r"(?<=[?&])(?!%s)[\w.%~+-]+(?=[&#]|$)")
_FRAGMENT_WITHIN: Final = re.compile(rf"(?<=#)(?!{_PUT_IN}$).+")
_LETTERS_OR_DIGITS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_SEPARATORS: Final = re.compile(r"[-_+=~]")
_SHORTEST_RANDOM: Final = 20
_LONGEST_RUN: Final = 5

# What names a secret: as the segment before it, or before an equals sign.
_BEFORE_SECRET: Final = frozenset(
    {
        *("token", "access_token", "access-token", "auth_token", "auth-token"),
        *("apikey", "api_key", "api-key", "secret", "password", "passwd", "pwd"),
        *("credential", "credentials", "signature", "session", "sessionid"),
    }
)
_SECRET_NAME: Final = re.compile(
    r"token|key|secret|passw|pwd|auth|sig|sess|cred|code|jwt", re.IGNORECASE
)


def redact_url(url: str) -> str:
    """The URL without user info, query values, fragment and secrets in its path.

    Any URL, path or query, from the program or from a server's redirect. At most 300
    characters, control characters escaped. Names of query parameters stay, their values
    become an ellipsis, and so does each segment of the path that looks like a secret.
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


def printable_within(text: str, limit: int = _MAX_LENGTH) -> str:
    """As `printable`, of a text of the program's in which URLs may be."""
    return printable(redact_within(text), limit)


def redact_within(text: str) -> str:
    """A line of source or a name, its URLs without user info, query values, fragments.

    Their paths stay: code would look random, too. At most ten times what is shown is
    looked at, and the rest left out.
    """
    return _WITHIN.sub(_redact_found, text[: 10 * MOST_SOURCE])


def _redact_found(found: re.Match[str]) -> str:
    text = found[0]
    if not ("?" in text or "&" in text or "//" in text):
        return text
    text = _VALUE_WITHIN.sub(rf"\g<1>{HIDDEN}", text)
    if "/" in text.partition("?")[0]:
        text = _USER_INFO_WITHIN.sub(f"{HIDDEN}@", text)
        text = _WORD_WITHIN.sub(HIDDEN, text)
    return _FRAGMENT_WITHIN.sub(HIDDEN, text)


def printable(text: str, limit: int = _MAX_LENGTH) -> str:
    """A text from outside on one line, as plain characters, cut to a length.

    What could forge a line or drive a terminal is escaped.
    """
    # Escapes are longer: cut before, to do no work on what goes, and after.
    text = text[: limit + 1]
    if not text.isprintable():  # To search takes five times as long.
        text = _UNPRINTABLE.sub(_escape, text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode("ascii")


def _redact_parameter(part: str) -> str:
    """``name=value`` without its value; a bare word may itself be a secret."""
    name, equals, _ = part.partition("=")
    if equals:  # Or it is Base64, which ends so.
        return f"{redact_path(name)}={HIDDEN}"
    return HIDDEN if name else ""


def redact_path(path: str) -> str:
    """The path of a URL with an ellipsis for each segment that looks like a secret."""
    segments = path.split("/")
    return "/".join(
        HIDDEN
        if segment and index and segments[index - 1].lower() in _BEFORE_SECRET
        else _redact_segment(segment)
        for index, segment in enumerate(segments)
    )


def _redact_segment(segment: str) -> str:
    """One segment; ``;name=value`` loses the value, ``user:password@`` goes."""
    plain = _decoded(segment)
    if "/" in plain:
        # A path in a path, escaped: whole or not at all.
        return segment if redact_path(plain) == plain else HIDDEN
    user_info, at, host = plain.rpartition("@")
    if at and (":" in user_info or _is_secret(user_info)):
        return f"{HIDDEN}@{host}"
    if _is_secret(plain):
        return HIDDEN
    word, *parameters = segment.split(";")
    # A query without its path, too.
    words = (_redact_value(part, always=False) for part in word.split("&"))
    hidden = [_redact_value(parameter, always=True) for parameter in parameters]
    return ";".join(["&".join(words), *hidden])


def _decoded(text: str) -> str:
    """Without percent-encoding, once or twice."""
    if "%" not in text:
        return text
    # Imported where it is used: not every program that installs us has it.
    from urllib.parse import unquote

    return unquote(unquote(text))


def _redact_value(text: str, *, always: bool) -> str:
    """``name=value`` without the value, if it is, or is named like, a secret."""
    name, equals, value = text.partition("=")
    if not equals:
        return ".".join(
            HIDDEN if _is_secret(_decoded(part)) else part for part in text.split(".")
        )
    if always or _SECRET_NAME.search(name) or _is_secret(_decoded(value)):
        return f"{name}={HIDDEN}"
    return text


def _is_secret(word: str) -> bool:
    if _UUID.fullmatch(word):
        return False
    if _KNOWN.fullmatch(word) or _HEXADECIMAL.fullmatch(word):
        return True
    return _BASE64.fullmatch(word) is not None and _looks_random(word)


def _looks_random(word: str) -> bool:
    """Whether letters and digits change too often for words and numbers.

    Random base64 goes from small letters to capitals or digits every two or three
    characters, `ReportOfTheYear-2024` every six. Names in small letters with a
    random end, such as those of pods, are looked at between their dashes.
    """
    parts = _SEPARATORS.split(word)
    if word.lower() != word != word.upper():
        return _is_random(len(word), sum(map(_changes, parts)))
    return any(_is_random(len(part), _changes(part)) for part in parts)


def _changes(part: str) -> int:
    # How often small letters, capitals and digits take turns.
    return len(_LETTERS_OR_DIGITS.findall(part)) - 1 if part else 0


def _is_random(length: int, changes: int) -> bool:
    return length >= _SHORTEST_RANDOM and changes * _LONGEST_RUN > length
