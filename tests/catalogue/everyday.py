"""Leaks as bug trackers know them: ``stream=True`` for something small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

import httpguard

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


@leaks()
def health_check(server: Address) -> None:
    """``stream=True`` so as not to load the page, and then the status alone."""
    assert requests.get(server.url("/lines"), stream=True).status_code == 200  # LEAK


@innocent(twin_of=health_check)
def health_check_by_head(server: Address) -> None:
    """A HEAD asks for nothing else."""
    assert requests.head(server.url("/lines")).status_code == 200


@leaks()
def failed_status_returns(server: Address) -> None:
    """The good path reads, the other one returns."""

    def fetch(path: str) -> bytes | None:
        response = requests.get(server.url(path), stream=True)  # LEAK
        if response.status_code != 200:
            return None
        return response.content

    assert fetch("/lines")
    assert fetch("/status/500") is None


@innocent(twin_of=failed_status_returns)
def failed_status_closes(server: Address) -> None:
    """Both paths leave by the with block."""

    def fetch(path: str) -> bytes | None:
        with requests.get(server.url(path), stream=True) as response:
            if response.status_code != 200:
                return None
            return response.content

    assert fetch("/lines")
    assert fetch("/status/500") is None


@leaks()
def content_type(server: Address) -> None:
    """A GET used as a HEAD, for servers that refuse one."""
    response = requests.get(server.url("/xml"), stream=True)  # LEAK
    assert response.headers["Content-Type"] == "application/xml"


@innocent(twin_of=content_type)
def content_type_closed(server: Address) -> None:
    """The same, closed."""
    response = requests.get(server.url("/xml"), stream=True)
    response.close()
    assert response.headers["Content-Type"] == "application/xml"


@leaks()
def size_limit_by_header(server: Address) -> None:
    """A download that is refused because it is announced as too large."""
    response = requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
    if int(response.headers["Content-Length"]) > 10_000:
        return
    assert response.content


@innocent(twin_of=size_limit_by_header)
def size_limit_by_header_closed(server: Address) -> None:
    """Refused, and closed."""
    with requests.get(server.url("/bytes/90000"), stream=True) as response:
        if int(response.headers["Content-Length"]) > 10_000:
            return
        assert response.content


@leaks()
def size_limit_while_reading(server: Address) -> None:
    """A download that is broken off because it grows too large."""
    body = b""
    response = requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
    for chunk in response.iter_content(1024):
        body += chunk
        if len(body) > 10_000:
            break


@innocent(twin_of=size_limit_while_reading)
def size_limit_not_reached(server: Address) -> None:
    """A download within its limit."""
    body = b""
    response = requests.get(server.url("/bytes/90000"), stream=True)
    for chunk in response.iter_content(1024):
        body += chunk
        assert len(body) <= 90_000


@leaks(count=3)
def pagination(server: Address) -> None:
    """Page after page, for its Link header."""
    url: str | None = "/pages/2"
    with requests.Session() as session:
        while url:
            page = session.get(server.url(url), stream=True)  # LEAK
            url = page.links.get("next", {}).get("url")


@innocent(twin_of=pagination)
def pagination_read(server: Address) -> None:
    """Page after page, for its items."""
    url: str | None = "/pages/2"
    with requests.Session() as session:
        while url:
            page = session.get(server.url(url), stream=True)
            assert page.json()["items"]
            url = page.links.get("next", {}).get("url")


@leaks(count=4)
def polling(server: Address) -> None:
    """Asking again and again whether a job is done."""
    session = requests.Session()
    for _ in range(4):
        status = session.get(server.url("/status/202"), stream=True)  # LEAK
        assert status.status_code == 202


@innocent(twin_of=polling)
def polling_not_streamed(server: Address) -> None:
    """The same without stream."""
    session = requests.Session()
    for _ in range(4):
        assert session.get(server.url("/status/202")).status_code == 202


@leaks()
def first_line(server: Address) -> None:
    """``next(iter_lines())``."""
    assert next(requests.get(server.url("/lines"), stream=True).iter_lines())  # LEAK


@innocent(twin_of=first_line)
def first_line_of_body(server: Address) -> None:
    """Of a body that is small enough to read."""
    assert next(requests.get(server.url("/lines")).iter_lines())


@innocent(twin_of=first_line)
def only_line(server: Address) -> None:
    """A body that fits into the first chunk is at its end with it."""
    assert next(requests.get(server.url("/bytes/90"), stream=True).iter_lines())


@leaks()
def resume_refused(server: Address) -> None:
    """A server that ignores Range: the download starts over, the answer stays."""
    headers = {"Range": "bytes=100-"}
    url = server.url("/bytes/90000")
    response = requests.get(url, headers=headers, stream=True)  # LEAK
    if response.status_code != 206:
        response = requests.get(url, stream=True)
    assert response.content


@innocent(twin_of=resume_refused)
def resume_refused_closed(server: Address) -> None:
    """The answer is closed before the second try."""
    headers = {"Range": "bytes=100-"}
    url = server.url("/bytes/90000")
    response = requests.get(url, headers=headers, stream=True)
    if response.status_code != 206:
        response.close()
        response = requests.get(url, stream=True)
    assert response.content


@leaks()
def fallback_mirror(server: Address) -> None:
    """The first mirror has not got it; its answer is forgotten for the second."""
    for path in ("/status/404", "/lines"):
        response = requests.get(server.url(path), stream=True)  # LEAK
        if response.ok:
            break
    assert response.content


@innocent(twin_of=fallback_mirror)
def fallback_mirror_read(server: Address) -> None:
    """Each answer is read."""
    for path in ("/status/404", "/lines"):
        response = requests.get(server.url(path), stream=True)
        assert response.content
        if response.ok:
            break


@leaks()
def variable_reused(server: Address) -> None:
    """Only the last of a loop's responses is closed."""
    for path in ("/lines", "/bytes/90000"):
        response = requests.get(server.url(path), stream=True)  # LEAK
    response.close()


@innocent(twin_of=variable_reused)
def variable_not_reused(server: Address) -> None:
    """All of them are."""
    responses = [
        requests.get(server.url(path), stream=True)
        for path in ("/lines", "/bytes/90000")
    ]
    for response in responses:
        response.close()


@leaks("open")
def left_open_in_scope(server: Address) -> object:
    """A scope that promised to leave nothing open, and something open."""
    return requests.get(server.url("/lines"), stream=True)  # LEAK


@innocent(twin_of=left_open_in_scope)
def read_in_scope(server: Address) -> object:
    """Nothing is open."""
    response = requests.get(server.url("/lines"), stream=True)
    assert response.content
    return response


@innocent(twin_of=left_open_in_scope)
def allowed_in_scope(server: Address) -> object:
    """Something is, by permission."""
    with httpguard.allow("closed by the caller"):
        return requests.get(server.url("/lines"), stream=True)


@leaks("open", count=2)
def two_left_open_in_scope(server: Address) -> object:
    """Two of one line are one leak of two."""
    paths = ("/lines", "/chunked/1000")
    return [requests.get(server.url(path), stream=True) for path in paths]  # LEAK


@innocent(twin_of=two_left_open_in_scope)
def two_closed_in_scope(server: Address) -> object:
    """Two, closed."""
    responses = [requests.get(server.url("/lines"), stream=True) for _ in range(2)]
    for response in responses:
        response.close()
    return responses
