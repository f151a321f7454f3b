"""gevent and grequests, each in a process of its own: they patch the world."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


@leaks(site="grequests.py", count=3, needs=("grequests",), subprocess=True)
def grequests_map(server: Address) -> None:
    """``map(stream=True)``: no line of the program runs in its greenlets."""
    import grequests

    calls = [grequests.get(server.url("/lines")) for _ in range(3)]
    assert all(response.ok for response in grequests.map(calls, stream=True))


@innocent(twin_of=grequests_map, needs=("grequests",), subprocess=True)
def grequests_map_closed(server: Address) -> object:
    """Each of them closed."""
    import grequests

    calls = [grequests.get(server.url("/lines")) for _ in range(3)]
    answers = grequests.map(calls, stream=True)
    for response in answers:
        response.close()
    return answers


@innocent(twin_of=grequests_map, needs=("grequests",), subprocess=True)
def grequests_map_not_streamed(server: Address) -> object:
    """Each of them read."""
    import grequests

    return grequests.map([grequests.get(server.url("/lines")) for _ in range(3)])


@leaks("held", site="grequests.py", count=2, needs=("grequests",), subprocess=True)
def grequests_kept(server: Address) -> object:
    """Kept for later."""
    import grequests

    calls = [grequests.get(server.url("/lines")) for _ in range(2)]
    return grequests.map(calls, stream=True)


@innocent(twin_of=grequests_kept, needs=("grequests",), subprocess=True)
def grequests_imap_read(server: Address) -> object:
    """Read as they come."""
    import grequests

    calls = [grequests.get(server.url("/lines")) for _ in range(2)]
    answers = grequests.imap(calls, stream=True)
    return [(response.content, response) for response in answers]


@leaks(count=3, needs=("gevent",), subprocess=True)
def greenlets(server: Address) -> None:
    """The program's own function in greenlets of its own."""
    import gevent

    def check() -> int:
        return requests.get(server.url("/lines"), stream=True).status_code  # LEAK

    jobs = [gevent.spawn(check) for _ in range(3)]
    assert {job.get() for job in jobs} == {200}


@innocent(twin_of=greenlets, needs=("gevent",), subprocess=True)
def greenlets_read(server: Address) -> None:
    """Greenlets that read."""
    import gevent

    def check() -> int:
        return len(requests.get(server.url("/lines"), stream=True).content)

    jobs = [gevent.spawn(check) for _ in range(3)]
    assert {job.get() for job in jobs} == {90_000}


@leaks(needs=("gevent",), subprocess=True)
def killed_greenlet(server: Address) -> None:
    """A greenlet that is killed gives up the response that it was to read."""
    import gevent.event

    opened = gevent.event.Event()

    def check() -> None:
        response = requests.get(server.url("/lines"), stream=True)  # LEAK
        opened.set()
        gevent.sleep(3600)
        assert response.content

    job = gevent.spawn(check)
    opened.wait()
    job.kill()


@innocent(twin_of=killed_greenlet, needs=("gevent",), subprocess=True)
def killed_greenlet_with_block(server: Address) -> None:
    """Killing it ends its with block."""
    import gevent.event

    opened = gevent.event.Event()

    def check() -> None:
        with requests.get(server.url("/lines"), stream=True) as response:
            opened.set()
            gevent.sleep(3600)
            assert response.content

    job = gevent.spawn(check)
    opened.wait()
    job.kill()


@leaks("held", needs=("gevent",), subprocess=True)
def reader_gave_up(server: Address) -> object:
    """A greenlet that reads a little and ends."""
    import gevent

    response = requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
    gevent.spawn(response.raw.read, 1000).get()
    return response


@innocent(twin_of=reader_gave_up, needs=("gevent",), subprocess=True)
def reader_waits(server: Address) -> object:
    """A greenlet that waits in a read for a server that says nothing."""
    import gevent

    response = requests.get(server.url("/slow/greenlet_waits"), stream=True)
    reader = gevent.spawn(response.raw.read)
    gevent.sleep(0)
    return response, reader
