"""URLs and texts fit for a log."""

from __future__ import annotations

import pytest

from httpguard._redact import printable, redact_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host/path", "http://host/path"),
        ("http://host:81/p?token=secret", "http://host:81/p?token=…"),
        ("http://host/p?a=1&b=2&c", "http://host/p?a=…&b=…&…"),
        ("http://host/p?secret", "http://host/p?…"),
        ("http://host/p?", "http://host/p?"),
        ("http://user:pass@host/p", "http://host/p"),
        ("http://user:p@ss@host/p", "http://host/p"),
        ("http://user@[::1]:80/p", "http://[::1]:80/p"),
        ("//user:pass@host/p", "//host/p"),
        ("http://host/p@q", "http://host/p@q"),
        ("http://host/p#token=1", "http://host/p"),
        ("http://host/p?a=1#f", "http://host/p?a=…"),
        ("http+unix://u:p@socket/p", "http+unix://socket/p"),
        ("/path?a=b=c", "/path?a=…"),
        ("", ""),
    ],
)
def test_secrets_go(url: str, expected: str) -> None:
    assert redact_url(url) == expected


@pytest.mark.parametrize(
    "character",
    ["\n", "\r", "\x1b", "\x00", "\x7f", "\x9b", "\u2028", "\u202e", "\ud800"],
)
def test_no_character_forges_a_line(character: str) -> None:
    text = redact_url(f"http://host/a{character}b")
    assert character not in text
    assert text.startswith("http://host/a\\")
    text.encode("utf-8")


def test_length_is_bounded() -> None:
    assert len(redact_url("http://host/" + "x" * 10_000)) == 300
    assert printable("x" * 301).endswith("x…")


def test_ordinary_text_is_untouched() -> None:
    assert printable("fetch für alle, 100 % ok") == "fetch für alle, 100 % ok"
