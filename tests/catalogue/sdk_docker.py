"""Docker's SDK: what streams hangs on a response that only reading ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import docker

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


def _client(server: Address) -> docker.APIClient:
    """A client of the local server, which asks for no version."""
    return docker.APIClient(
        base_url=f"tcp://{server.host}:{server.port}", version="1.41"
    )


@leaks()
def export_not_started(server: Address) -> None:
    """The generator is never asked for anything."""
    _client(server).export("x")  # LEAK


@innocent(twin_of=export_not_started)
def export_to_the_end(server: Address) -> None:
    """Every chunk is taken."""
    assert sum(map(len, _client(server).export("x"))) == 90_000


@leaks()
def export_broken_off(server: Address) -> None:
    """A chunk and no more."""
    for _ in _client(server).export("x", chunk_size=1024):  # LEAK
        break


@innocent(twin_of=export_broken_off)
def image_to_the_end(server: Address) -> None:
    """The same for an image."""
    assert sum(map(len, _client(server).get_image("x", chunk_size=1024))) == 90_000


@leaks("held")
def export_kept(server: Address) -> object:
    """An archive to be saved later."""
    archive = _client(server).export("x", chunk_size=1024)  # LEAK
    next(archive)
    return archive


@innocent(twin_of=export_kept)
def export_kept_and_read(server: Address) -> object:
    """An iterator at its end holds nothing."""
    archive = _client(server).export("x", chunk_size=1024)
    assert sum(map(len, archive)) == 90_000
    return archive


@leaks()
def logs_broken_off(server: Address) -> None:
    """Following a container's log up to a line."""
    for line in _client(server).logs("x", stream=True, follow=True):  # LEAK
        if line.startswith(b"7 "):
            break


@innocent(twin_of=logs_broken_off)
def logs_cancelled(server: Address) -> None:
    """``close`` shuts the socket; asked for more, the stream finds its end."""
    stream = _client(server).logs("x", stream=True, follow=True)
    for line in stream:
        if line.startswith(b"7 "):
            stream.close()


@innocent(twin_of=logs_broken_off)
def logs_cancelled_and_kept(server: Address) -> object:
    """``close``, and nothing more: what docker says to do, and all it does."""
    stream = _client(server).logs("x", stream=True, follow=True)
    assert next(stream)
    stream.close()
    return stream


@leaks()
def logs_of_a_last_answer_broken_off(server: Address) -> None:
    """Nobody has cancelled it."""
    stream = _client(server).logs("x", stream=True, follow=True, tail=7)  # LEAK
    assert next(stream)


@innocent(twin_of=logs_of_a_last_answer_broken_off)
def logs_cancelled_of_a_last_answer(server: Address) -> None:
    """The connection goes with the answer: http.client has closed it before."""
    stream = _client(server).logs("x", stream=True, follow=True, tail=7)
    assert next(stream)
    stream.close()


@innocent(twin_of=logs_broken_off)
def events_cancelled_in_a_cycle(server: Address) -> None:
    """The collector takes the stream, whole."""
    stream = _client(server).events(decode=True)
    assert next(stream)["status"] == "Pulling"
    stream.close()
    stream.me = stream


@innocent(twin_of=logs_broken_off)
def logs_not_streamed(server: Address) -> None:
    """The whole log at once."""
    assert len(_client(server).logs("x").splitlines()) == 500


@leaks()
def pull_broken_off(server: Address) -> None:
    """Waiting for the first sign of a pull."""
    progress = _client(server).pull("x", "latest", stream=True, decode=True)  # LEAK
    assert next(progress)["status"] == "Pulling"


@innocent(twin_of=pull_broken_off)
def pull_to_the_end(server: Address) -> None:
    """Waiting for its end."""
    progress = _client(server).pull("x", "latest", stream=True, decode=True)
    assert all(step["status"] == "Pulling" for step in progress)


@innocent(twin_of=pull_broken_off)
def inspected(server: Address) -> None:
    """A plain call."""
    assert _client(server).inspect_container("x")["Name"] == "/x"
