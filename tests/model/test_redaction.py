"""URLs and texts fit for a log."""

from __future__ import annotations

import random
import string
import sys
import unicodedata

import pytest

from httpguard._model.redaction import printable, redact_url, redact_within


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
        ("items?token=secret&user=bob", "items?token=…&user=…"),
        ("/items?next=/a?b=c", "/items?next=…"),
        ("user=bob&token=secret", "user=bob&token=…"),
        ("/a/user=bob&api_key=secret/b", "/a/user=bob&api_key=…/b"),
        ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "…"),
        ("?QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "?…=…"),
        ("http://user:pa?ss@host/p", "http://…?…"),
        ("http://user:pa#ss@host/p", "http://…"),
        ("http://user:pa/ss@host/p", "http://…@host/p"),
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
    assert len(redact_url("http://host/" + "x" * 5_000)) == 300
    assert redact_url("http://host/" + "x" * 10_000) == "http://host/…"
    assert len(redact_url("http://host/p?" + "&".join(["abc=1"] * 10_000))) == 300
    assert len(redact_url("http://host/" + "\n" * 10_000)) <= 300
    assert len(printable("\n" * 301)) == 300
    assert printable("x" * 301).endswith("x…")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/bot123:ABC/getMe", "/…/getMe"),
        ("/file/bot123456:ABC-DEF1234ghIkl/photo.jpg", "/file/…/photo.jpg"),
        ("/bot123%3AABC/getMe", "/…/getMe"),
        ("/a/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_DEF-123/b", "/a/…/b"),
        ("/services/T00000000/B00000000/Xa1bC9dEfGh2IjKlMn3oPqRs", None),
        ("/webhooks/1234567/aB3dE_f9-GhIjKl0MnOpQr-StUvWx12345", "/webhooks/1234567/…"),
        ("/ghp_abcdefghijklmnop0123/x", "/…/x"),
        ("/sk_live_abcdefgh/x", "/…/x"),
        ("/AKIAIOSFODNN7EXAMPLE", "/…"),
        ("/" + "0123456789abcdef" * 2, "/…"),
        ("/static/app." + "0123456789ABCDEF" * 2 + ".js", "/static/app.….js"),
        ("/x7f3k9q2m5p8w1z6t4r0v2b9", "/…"),
        ("/reset-password/QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "/reset-password/…"),
        ("/token/abc/next", "/token/…/next"),
        ("/api_key/hunter2", "/api_key/…"),
        ("/x;jsessionid=A1;v=2/y", "/x;jsessionid=…;v=…/y"),
        ("/key=abc/dt=2024-01-01/", "/key=…/dt=2024-01-01/"),
        ("/proxy/http://user:pass@host/x", "/proxy/http://…@host/x"),
        ("/proxy/http%3A%2F%2Fuser%3Apass%40host/x", "/proxy/…/x"),
        ("/proxy/http%253A%252F%252Fuser%253Apass%2540host/x", "/proxy/…/x"),
    ],
)
def test_secrets_in_paths_go(path: str, expected: str | None) -> None:
    expected = expected or "/services/T00000000/B00000000/…"
    assert redact_url(path) == expected
    assert redact_url(f"https://host:81{path}") == f"https://host:81{expected}"


@pytest.mark.parametrize(
    "path",
    [
        "/users/9b2f7c1e-1111-4222-8333-123456789abc/orders/12345678901234567890123",
        "/docs/ReportOfTheYear-2024-Final/GetUserAccountInformationV2",
        "/apis/apps/v1/namespaces/default/pods/web-frontend-7d9f8c6b5d-x2x4z/log",
        "/bucket/very-long-object-name-with-many-words-in-it.tar.gz",
        "/v1.41/containers/json/12:30/2024-11-25T12:00:00Z",
        "/oauth/tokens/mail/me@example.org/2024-01-01-2024-12-31-000",
        "/Übersicht/北京/%E5%8C%97",
    ],
)
def test_ordinary_paths_are_untouched(path: str) -> None:
    assert redact_url(path) == path


def test_random_words_go() -> None:
    """Base64, base62 and hexadecimal of usual lengths: not one in a hundred stays."""
    source = random.Random(0)
    letters = string.ascii_letters + string.digits
    for alphabet in (letters, letters + "-_", "0123456789abcdef"):
        for length in (32, 40, 64):
            words = ["".join(source.choices(alphabet, k=length)) for _ in range(300)]
            assert sum("…" not in redact_url(f"/{word}") for word in words) <= 3


def test_a_hostile_path_takes_no_time_without_end() -> None:
    """Patterns that go over a text more than a few times would take minutes."""
    for piece in (":@", "%3A%40", "eyJ.", "a1", "ghp_", ";=", "%25", "//", "a1B-"):
        redact_url("http://host/" + piece * 100_000)


def test_ordinary_text_is_untouched() -> None:
    assert printable("fetch für alle, 100 % ok") == "fetch für alle, 100 % ok"


def test_what_can_not_be_printed_is_escaped_wherever_it_stands() -> None:
    for character in map(chr, range(sys.maxunicode + 1)):
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
            assert character not in printable(f"a {character} b")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('get(url + "/p?token=secret&x=2#f")', 'get(url + "/p?token=…&x=…#…")'),
        ('get("http://user:secret@host/p")', 'get("http://…@host/p")'),
        ('get("//user:secret@host/p")', 'get("//…@host/p")'),
        ('get("http://host/p?secret")', 'get("http://host/p?…")'),
        ('get("http://host/#/p?secret")', 'get("http://host/#…")'),
        ('get(url + "?token=secret")', 'get(url + "?token=…")'),
        ('get(f"{url}&token=secret")', 'get(f"{url}&token=…")'),
        ('get(f"{url}/p?a={a}&token=secret")', 'get(f"{url}/p?a={a}&token=…")'),
        ('C["/p?a=secret"] = get("/p?a=b=c&d")', 'C["/p?a=…"] = get("/p?a=…&…")'),
    ],
)
def test_secrets_go_from_lines_of_source(line: str, expected: str) -> None:
    assert redact_within(line) == expected
    assert redact_within(expected) == expected


@pytest.mark.parametrize(
    "line",
    [
        'get(f"http://{user}:{password}@{host}/p?q={q}#{f}")',
        'get("http://host/p?q=%s&r=%(r)s" % q)',
        'get("http://host/p?%s" % urlencode(q))',
        "get(f\"{url}?q={q['a']}\")",
        "wanted = flags & mask and flags&mask==mask or a&b",
        "half = all // 2 + a//b",
        'found = re.match(r"(?P<name>x)?=(?:3|/)?", line)  # why? x=1',
    ],
)
def test_lines_of_source_that_tell_nothing_stay(line: str) -> None:
    assert redact_within(line) == line


@pytest.mark.parametrize("piece", ["://{", "?a={", "x", "&a=b", "?"])
@pytest.mark.timeout(5)
def test_generated_code_takes_no_longer(piece: str) -> None:
    assert len(redact_within(piece * 100_000)) <= 2_000
