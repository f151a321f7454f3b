"""urllib.request: what is kept and not closed, the error of a bad status included.

What is dropped goes with its socket by reference counting, and is no leak.
"""

from __future__ import annotations

import gc
import io
import json
import shutil
import tempfile
import threading
import urllib.robotparser
import xml.etree.ElementTree as ET
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import (
    HTTPBasicAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    Request,
    build_opener,
    urlopen,
    urlretrieve,
)

from ._case import innocent, leaks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.server import Address

CLIENT = "urllib.request"


@leaks("held", client=CLIENT)
def held_unread(server: Address) -> object:
    """Kept for later, and later never comes."""
    return [urlopen(server.url("/bytes/90000"))]  # LEAK


@innocent(twin_of=held_unread)
def held_and_read(server: Address) -> object:
    """Read before it is kept."""
    response = urlopen(server.url("/bytes/90000"))
    assert len(response.read()) == 90_000
    return [response]


@innocent(twin_of=held_unread)
def dropped_unread(server: Address) -> None:
    """Its socket goes with it at once."""
    urlopen(server.url("/bytes/90000"))


@innocent(twin_of=held_unread)
def kept_by_with(server: Address) -> object:
    """Closed, and its head is looked at afterwards."""
    with urlopen(server.url("/bytes/90000")) as response:
        pass
    return [response]


@innocent(twin_of=held_unread, idle=0.5)
def kept_a_moment(server: Address) -> object:
    """Not long enough to be called held."""
    return [urlopen(server.url("/bytes/90000"))]


@leaks("held", client=CLIENT)
def half_read(server: Address) -> object:
    """The first line is enough for it."""
    response = urlopen(server.url("/lines"))  # LEAK
    response.readline()
    return response


@innocent(twin_of=half_read)
def read_by_lines(server: Address) -> object:
    """To the last one."""
    response = urlopen(server.url("/lines"))
    assert sum(1 for _ in response) == 1000
    return response


@leaks("held", client=CLIENT)
def error_is_kept(server: Address) -> object:
    """The error of a bad status is a response, and keeps its socket."""
    failures = []
    try:
        urlopen(server.url("/status/404"))  # LEAK
    except HTTPError as error:
        failures.append(error)
    return failures


@innocent(twin_of=error_is_kept)
def error_is_read(server: Address) -> object:
    """Its body says why."""
    failures = []
    try:
        urlopen(server.url("/status/404"))
    except HTTPError as error:
        error.read()
        failures.append(error)
    return failures


@innocent(twin_of=error_is_kept)
def error_is_closed(server: Address) -> object:
    """The error itself is closed."""
    failures = []
    try:
        urlopen(server.url("/status/500"))
    except HTTPError as error:
        error.close()
        failures.append(error)
    return failures


@innocent(twin_of=error_is_kept)
def error_is_caught(server: Address) -> None:
    """The usual way: look at the code, and go on."""
    with suppress(HTTPError):
        urlopen(server.url("/status/404"))


@leaks("held", client=CLIENT)
def error_chained(server: Address) -> object:
    """The error of the program has it as its cause."""

    def fetch() -> None:
        try:
            urlopen(server.url("/status/503"))  # LEAK
        except HTTPError as error:
            raise LookupError from error

    try:
        fetch()
    except LookupError as error:
        return error
    return None


@innocent(twin_of=error_chained)
def error_chained_and_closed(server: Address) -> object:
    """Closed before it is handed on."""
    try:
        try:
            urlopen(server.url("/status/503"))
        except HTTPError as error:
            error.close()
            raise LookupError from error
    except LookupError as error:
        return error
    return None


@leaks(client=CLIENT)
def in_a_cycle(server: Address) -> None:
    """What refers to itself waits for the garbage collector with its socket."""
    response: Any = urlopen(server.url("/bytes/90000"))  # LEAK
    response.owner = {"response": response}


@innocent(twin_of=in_a_cycle)
def in_a_cycle_and_read(server: Address) -> None:
    """The cycle has no socket."""
    response: Any = urlopen(server.url("/bytes/90000"))
    response.owner = {"response": response}
    response.read()


@innocent(twin_of=in_a_cycle)
def in_a_cycle_and_read_by_lines(server: Address) -> None:
    """To its end."""
    response: Any = urlopen(server.url("/lines"))
    response.owner = {"response": response}
    assert len(list(response)) == 1000


@innocent(twin_of=in_a_cycle)
def in_a_cycle_and_closed_by_it(server: Address) -> None:
    """The collector runs a finalizer of the program, and that closes it."""

    class Download:
        def __init__(self) -> None:
            self.response = urlopen(server.url("/bytes/90000"))
            self.me = self

        def __del__(self) -> None:
            self.response.close()

    Download()


@leaks(client=CLIENT)
def error_in_a_cycle(server: Address) -> None:
    """An error that its own traceback keeps."""
    failure: Any = None
    try:
        urlopen(server.url("/status/404"))  # LEAK
    except HTTPError as error:
        failure = error
    assert failure.code == 404


@innocent(twin_of=error_in_a_cycle)
def error_in_a_cycle_closed(server: Address) -> None:
    """The same, closed."""
    failure: Any = None
    try:
        urlopen(server.url("/status/404"))
    except HTTPError as error:
        failure = error
        error.close()
    assert failure.code == 404


@leaks(client=CLIENT)
def text_in_a_cycle(server: Address) -> None:
    """What decodes it is in the cycle too, and closes it too late."""
    text: Any = io.TextIOWrapper(urlopen(server.url("/lines")))  # LEAK
    text.readline()
    text.me = text


@innocent(twin_of=text_in_a_cycle)
def text_dropped(server: Address) -> None:
    """No cycle."""
    text = io.TextIOWrapper(urlopen(server.url("/lines")))
    assert text.readline()


@innocent(twin_of=text_in_a_cycle)
def text_in_a_cycle_read(server: Address) -> None:
    """Decoded to its end."""
    text: Any = io.TextIOWrapper(urlopen(server.url("/lines")))
    text.me = text
    assert len(text.read()) == 90_000


@leaks("held", client=CLIENT)
def generator_parked(server: Address) -> object:
    """A generator that nobody goes on with has the response."""

    def lines() -> Iterator[bytes]:
        with urlopen(server.url("/lines")) as response:  # LEAK
            yield from response

    generator = lines()
    next(generator)
    return generator


@innocent(twin_of=generator_parked)
def generator_closed(server: Address) -> object:
    """Closing it runs its with block."""

    def lines() -> Generator[bytes, None, None]:
        with urlopen(server.url("/lines")) as response:
            yield from response

    generator = lines()
    next(generator)
    generator.close()
    return generator


@innocent(twin_of=generator_parked)
def line_a_while(server: Address) -> Iterator[None]:
    """A slow reader of lines: each takes its time."""
    with urlopen(server.url("/lines")) as response:
        for _ in range(4):
            assert response.readline()
            yield


@leaks("held", client=CLIENT)
def head_is_kept(server: Address) -> object:
    """An answer without a body has a socket all the same."""
    return [urlopen(Request(server.url("/lines"), method="HEAD"))]  # LEAK


@innocent(twin_of=head_is_kept)
def head_is_looked_at(server: Address) -> object:
    """The size of each, and nothing else, is kept."""
    sizes = []
    for _ in range(3):
        response = urlopen(Request(server.url("/lines"), method="HEAD"))
        sizes.append(response.headers["Content-Length"])
    return sizes


@innocent(twin_of=head_is_kept)
def head_is_closed(server: Address) -> object:
    """Closed by ``with``."""
    with urlopen(Request(server.url("/lines"), method="HEAD")) as response:
        return [response]


@leaks("held", client=CLIENT)
def opener_of_its_own(server: Address) -> object:
    """An opener with a handler: the line that asks is named."""
    opener = build_opener(HTTPBasicAuthHandler(HTTPPasswordMgrWithDefaultRealm()))
    return opener, opener.open(server.url("/bytes/90000"))  # LEAK


@innocent(twin_of=opener_of_its_own)
def opener_and_with(server: Address) -> object:
    """The same, closed."""
    opener = build_opener()
    with closing(opener.open(server.url("/bytes/90000"))) as response:
        return opener, response.read(10)


@leaks("held", client=CLIENT)
def redirected(server: Address) -> object:
    """Two hops: the answers on the way are read by urllib itself."""
    return urlopen(server.url("/redirect/2"))  # LEAK


@innocent(twin_of=redirected)
def redirected_and_read(server: Address) -> object:
    """The same, read."""
    response = urlopen(server.url("/redirect/2"))
    assert len(response.read()) == 90_000
    return response


@leaks("held", client=CLIENT)
def without_a_length(server: Address) -> object:
    """A body that ends with its connection."""
    response = urlopen(server.url("/close"))  # LEAK
    response.read(10)
    return response


@innocent(twin_of=without_a_length)
def without_a_length_read(server: Address) -> object:
    """To its end."""
    response = urlopen(server.url("/close"))
    while response.read(8192):
        pass
    return response


@innocent(twin_of=without_a_length)
def without_a_length_slowly(server: Address) -> Iterator[None]:
    """From a buffer, with nothing on the wire for long."""
    with urlopen(server.url("/close")) as response:
        for _ in range(4):
            assert response.read(10)
            yield


@leaks("held", client=CLIENT)
def chunked_half_read(server: Address) -> object:
    """A body in chunks, left in the middle of one."""
    response = urlopen(server.url("/chunked/1000"))  # LEAK
    response.read(100)
    return response


@innocent(twin_of=chunked_half_read)
def chunked_read(server: Address) -> object:
    """To its end."""
    response = urlopen(server.url("/chunked/1000"))
    assert len(response.read()) == 90_000
    return response


@innocent(twin_of=chunked_half_read)
def chunked_slowly(server: Address) -> Iterator[None]:
    """A bit of one chunk at a time."""
    with urlopen(server.url("/chunked/1000")) as response:
        for _ in range(4):
            assert response.read(5)
            yield


@leaks("held", count=5, client=CLIENT)
def list_of_them(server: Address) -> object:
    """All opened first, to be read later."""
    return [urlopen(server.url("/bytes/90000")) for _ in range(5)]  # LEAK


@innocent(twin_of=list_of_them)
def stack_of_them(server: Address) -> object:
    """An exit stack closes them."""
    with ExitStack() as stack:
        return [stack.enter_context(urlopen(server.url("/lines"))) for _ in range(5)]


@leaks("held", client=CLIENT)
def cached_by_url(server: Address) -> object:
    """A cache of responses, and not of what they say."""
    cache: dict[str, Any] = {}
    url = server.url("/lines")
    cache[url] = urlopen(url)  # LEAK
    cache[url].peek()
    return cache


@innocent(twin_of=cached_by_url)
def cached_body(server: Address) -> object:
    """What they say."""
    url = server.url("/lines")
    with urlopen(url) as response:
        return {url: response.read()}


@leaks("open", client=CLIENT)
def open_at_the_end(server: Address) -> object:
    """A scope that promised to leave nothing open."""
    return urlopen(server.url("/bytes/90000"))  # LEAK


@innocent(twin_of=open_at_the_end)
def nothing_open_at_the_end(server: Address) -> object:
    """Closed."""
    response = urlopen(server.url("/bytes/90000"))
    response.close()
    return response


@leaks("held", client=CLIENT)
def opened_by_a_thread(server: Address) -> object:
    """Handed to another thread, which forgets it."""
    box: list[Any] = []

    def fetch() -> None:
        box.append(urlopen(server.url("/bytes/90000")))  # LEAK

    thread = threading.Thread(target=fetch)
    thread.start()
    thread.join()
    return box


@innocent(twin_of=opened_by_a_thread)
def read_by_a_thread(server: Address) -> object:
    """Read there."""
    box: list[Any] = []

    def fetch() -> None:
        box.append(urlopen(server.url("/bytes/90000")))
        box[0].read()

    thread = threading.Thread(target=fetch)
    thread.start()
    thread.join()
    return box


@leaks("held", client=CLIENT)
def json_up_to_its_end(server: Address) -> object:
    """The document is read by lines, and no further than its first."""
    response = urlopen(server.url("/jsonlines"))  # LEAK
    assert json.loads(response.readline()) == {"row": 0}
    return response


@innocent(twin_of=json_up_to_its_end)
def json_loaded(server: Address) -> object:
    """``json.load`` reads all of it."""
    response = urlopen(server.url("/pages/0"))
    assert json.load(response)["items"]
    return response


@innocent(twin_of=json_up_to_its_end)
def xml_parsed(server: Address) -> object:
    """So does a parser of XML."""
    response = urlopen(server.url("/xml"))
    assert ET.parse(response).getroot().tag == "rows"
    return response


@innocent(twin_of=held_unread)
def copied_to_a_file(server: Address) -> object:
    """``shutil.copyfileobj`` reads to the end."""
    response = urlopen(server.url("/bytes/90000"))
    shutil.copyfileobj(response, io.BytesIO())
    return response


@innocent(twin_of=held_unread)
def retrieved(server: Address) -> object:
    """``urlretrieve`` closes what it opens."""
    with tempfile.NamedTemporaryFile() as file:
        return urlretrieve(server.url("/bytes/90000"), file.name)[1]


@innocent(twin_of=error_is_kept)
def robots(server: Address) -> object:
    """The standard library's own reader of robots.txt gets a 404."""
    parser = urllib.robotparser.RobotFileParser(server.url("/robots.txt"))
    parser.read()
    return parser


@innocent(twin_of=error_in_a_cycle)
def collected_often(server: Address) -> None:
    """Dropped, with the collector at work."""
    for _ in range(3):
        urlopen(server.url("/bytes/90000"))
        gc.collect()
