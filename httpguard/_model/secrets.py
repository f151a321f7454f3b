"""Secrets in the path of a URL, recognised by their looks and by what names them.

Patterns, not knowledge: a short or wordlike secret is not recognised, and some
long identifiers are taken for one.
"""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "…"

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
