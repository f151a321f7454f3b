"""Mocked responses hold no real connection; what a mock lets through does."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests
import requests_mock
import responses
import urllib3
import vcr

from ._case import innocent, leaks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server import Address

_URL = "http://service.invalid/"


@contextmanager
def _tape() -> Iterator[str]:
    """A file for a cassette."""
    with tempfile.TemporaryDirectory() as directory:
        yield f"{directory}/tape.yaml"


@leaks()
def responses_let_through(server: Address) -> None:
    """``add_passthru``: a real request."""
    with responses.RequestsMock() as mock:
        mock.add_passthru(server.url(""))
        requests.get(server.url("/lines"), stream=True)  # LEAK


@innocent(twin_of=responses_let_through)
def responses_mocked(server: Address) -> object:
    """Dropped and kept: there is nothing behind it."""
    with responses.RequestsMock() as mock:
        mock.add("GET", _URL, body=b"x" * 90_000)
        requests.get(_URL, stream=True)
        return requests.get(_URL, stream=True)


@leaks()
def requests_mock_let_through(server: Address) -> None:
    """``real_http``: a real request."""
    with requests_mock.Mocker(real_http=True):
        requests.get(server.url("/lines"), stream=True)  # LEAK


@innocent(twin_of=requests_mock_let_through)
def requests_mock_mocked(server: Address) -> object:
    """Dropped and kept."""
    with requests_mock.Mocker() as mock:
        mock.get(_URL, content=b"x" * 90_000)
        requests.get(_URL, stream=True)
        return requests.get(_URL, stream=True)


@leaks()
def vcr_ejected(server: Address) -> None:
    """Once the cassette is out, requests are real again."""
    with _tape() as tape, vcr.use_cassette(tape):
        requests.get(server.url("/lines"), stream=True)
    requests.get(server.url("/lines"), stream=True)  # LEAK


@innocent(twin_of=vcr_ejected)
def vcr_ignored(server: Address) -> object:
    """Even what vcrpy does not record it reads; the caller gets a copy."""
    with _tape() as tape, vcr.use_cassette(tape, ignore_localhost=True):
        requests.get(server.url("/lines"), stream=True)
        return requests.get(server.url("/lines"), stream=True)


@innocent(twin_of=vcr_ejected)
def vcr_recorded(server: Address) -> object:
    """As it records, vcrpy reads the body; the caller gets a copy."""
    with _tape() as tape, vcr.use_cassette(tape):
        requests.get(server.url("/lines"), stream=True)
        return requests.get(server.url("/lines?kept"), stream=True)


@innocent(twin_of=vcr_ejected)
def vcr_played(server: Address) -> object:
    """As it plays, there is no connection at all."""
    with _tape() as tape:
        with vcr.use_cassette(tape):
            assert requests.get(server.url("/lines")).content
        with vcr.use_cassette(tape, allow_playback_repeats=True):
            requests.get(server.url("/lines"), stream=True)
            return requests.get(server.url("/lines"), stream=True)


@innocent(twin_of=vcr_ejected)
def vcr_played_to_urllib3(server: Address) -> object:
    """Nor for urllib3."""
    pool = urllib3.PoolManager()
    with _tape() as tape:
        with vcr.use_cassette(tape):
            pool.request("GET", server.url("/lines"))
        with vcr.use_cassette(tape, allow_playback_repeats=True):
            pool.request("GET", server.url("/lines"), preload_content=False)
            return pool.request("GET", server.url("/lines"), preload_content=False)
