"""requests-toolbelt: sessions, uploads and downloads."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import requests
from requests_toolbelt import MultipartEncoder
from requests_toolbelt.downloadutils import stream, tee
from requests_toolbelt.sessions import BaseUrlSession

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


@leaks()
def base_url_session(server: Address) -> None:
    """A session is a session."""
    BaseUrlSession(server.url("/")).get("lines", stream=True)  # LEAK


@innocent(twin_of=base_url_session)
def base_url_session_read(server: Address) -> object:
    """The same, read."""
    response = BaseUrlSession(server.url("/")).get("lines", stream=True)
    assert response.content
    return response


@leaks()
def tee_broken_off(server: Address) -> None:
    """Copying while looking, until it has been found."""
    response = requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
    for _ in tee.tee(response, io.BytesIO(), chunksize=1024):
        break


@innocent(twin_of=tee_broken_off)
def tee_to_the_end(server: Address) -> object:
    """Every chunk is copied."""
    response = requests.get(server.url("/bytes/90000"), stream=True)
    assert sum(map(len, tee.tee(response, io.BytesIO()))) == 90_000
    return response


@innocent(twin_of=tee_broken_off)
def streamed_to_file(server: Address) -> object:
    """A download to a file."""
    target = io.BytesIO()
    response = requests.get(server.url("/bytes/90000"), stream=True)
    stream.stream_response_to_file(response, path=target)
    assert len(target.getvalue()) == 90_000
    return response


def _form() -> MultipartEncoder:
    """A form with a file in it."""
    return MultipartEncoder({"file": ("name", io.BytesIO(b"x" * 50_000))})


@leaks()
def upload_answer_dropped(server: Address) -> None:
    """A streamed upload, and an answer streamed by mistake."""
    requests.post(server.url("/echo"), data=_form(), stream=True)  # LEAK


@innocent(twin_of=upload_answer_dropped)
def upload(server: Address) -> object:
    """A streamed upload needs no ``stream=True``."""
    return requests.post(server.url("/echo"), data=_form())
