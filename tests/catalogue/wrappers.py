"""Responses behind file objects, generators, decorators and context managers."""

from __future__ import annotations

import codecs
import contextlib
import csv
import functools
import gzip
import io
import itertools
import json
import shutil
import tarfile
import weakref
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import requests

from ._case import innocent, leaks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.server import Address


def _text(response: requests.Response) -> io.TextIOWrapper:
    """The raw body as a text file."""
    raw: Any = response.raw
    return io.TextIOWrapper(raw, encoding="utf-8")


@leaks()
def text_wrapper(server: Address) -> None:
    """The wrapper's finalizer closes what the program did not."""
    response = requests.get(server.url("/lines"), stream=True)  # LEAK
    _text(response).readline()


@innocent(twin_of=text_wrapper)
def text_wrapper_to_the_end(server: Address) -> None:
    """Without ``auto_close`` a wrapper can read to the end."""
    response = requests.get(server.url("/lines"), stream=True)
    response.raw.auto_close = False
    assert sum(1 for _ in _text(response)) == 1000


@innocent(twin_of=text_wrapper)
def text_wrapper_in_with_block(server: Address) -> None:
    """Closing the wrapper closes the response."""
    response = requests.get(server.url("/lines"), stream=True)
    with _text(response) as text:
        text.readline()


@leaks()
def buffered_reader(server: Address) -> None:
    """The same with bytes."""
    response = requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
    io.BufferedReader(response.raw, 1024).read(10)


@innocent(twin_of=buffered_reader)
def buffered_reader_closed(server: Address) -> None:
    """Closed in a finally."""
    response = requests.get(server.url("/bytes/90000"), stream=True)
    reader = io.BufferedReader(response.raw, 1024)
    try:
        reader.read(10)
    finally:
        reader.close()


@leaks()
def codecs_reader(server: Address) -> None:
    """A stream reader for the first line."""
    response = requests.get(server.url("/lines"), stream=True)  # LEAK
    codecs.getreader("utf-8")(response.raw).readline()


@innocent(twin_of=codecs_reader)
def codecs_reader_to_the_end(server: Address) -> None:
    """Every line is taken."""
    response = requests.get(server.url("/lines"), stream=True)
    assert len(codecs.getreader("utf-8")(response.raw).read()) == 90_000


@leaks()
def gzip_file(server: Address) -> None:
    """The first line of a compressed dump."""
    response = requests.get(server.url("/gzip-file"), stream=True)  # LEAK
    gzip.GzipFile(fileobj=response.raw).read(90)


@innocent(twin_of=gzip_file)
def gzip_file_to_the_end(server: Address) -> None:
    """The whole dump."""
    response = requests.get(server.url("/gzip-file"), stream=True)
    assert len(gzip.GzipFile(fileobj=response.raw).read()) == 450_000


@leaks()
def tar_stream(server: Address) -> None:
    """The first member of an archive."""
    response = requests.get(server.url("/tar"), stream=True)  # LEAK
    with tarfile.open(fileobj=response.raw, mode="r|") as archive:
        assert archive.next()


@innocent(twin_of=tar_stream)
def tar_stream_in_with_block(server: Address) -> None:
    """``tarfile`` does not close what it was given; a with block does."""
    with contextlib.ExitStack() as stack:
        response = stack.enter_context(requests.get(server.url("/tar"), stream=True))
        archive = stack.enter_context(tarfile.open(fileobj=response.raw, mode="r|"))
        assert archive.next()


@leaks()
def xml_events(server: Address) -> None:
    """An incremental parser left at the first element."""
    response = requests.get(server.url("/xml"), stream=True)  # LEAK
    for _, element in ET.iterparse(response.raw):
        assert element.text
        break


@innocent(twin_of=xml_events)
def xml_events_to_the_end(server: Address) -> None:
    """Every element is taken."""
    response = requests.get(server.url("/xml"), stream=True)
    assert sum(1 for _ in ET.iterparse(response.raw)) == 5001


@leaks()
def csv_header(server: Address) -> None:
    """A table's header row."""
    response = requests.get(server.url("/lines"), stream=True)  # LEAK
    next(csv.reader(response.iter_lines(decode_unicode=True)))


@innocent(twin_of=csv_header)
def csv_table(server: Address) -> None:
    """The whole table."""
    response = requests.get(server.url("/lines"), stream=True)
    assert len(list(csv.reader(response.iter_lines(decode_unicode=True)))) == 1000


@leaks()
def first_rows(server: Address) -> None:
    """``islice`` stops, and nobody tells the response."""
    response = requests.get(server.url("/jsonlines"), stream=True)  # LEAK
    assert [json.loads(line) for line in itertools.islice(response.iter_lines(), 10)]


@innocent(twin_of=first_rows)
def all_rows(server: Address) -> None:
    """Every line is taken."""
    response = requests.get(server.url("/jsonlines"), stream=True)
    assert all(json.loads(line) for line in response.iter_lines())


@innocent(twin_of=first_rows)
def json_document(server: Address) -> object:
    """``Response.json`` reads the whole body."""
    response = requests.get(server.url("/pages/0"), stream=True)
    assert response.json()["items"]
    return response


@innocent(twin_of=first_rows)
def json_load_of_raw(server: Address) -> object:
    """So does ``json.load`` of the raw response."""
    response = requests.get(server.url("/pages/0"), stream=True)
    assert json.load(response.raw)["items"]
    return response


@leaks()
def blocks_by_iter(server: Address) -> None:
    """``iter(read, b"")``, broken off."""
    response = requests.get(server.url("/bytes/90000"), stream=True)  # LEAK
    for block in iter(functools.partial(response.raw.read, 1024), b""):
        assert block
        break


@innocent(twin_of=blocks_by_iter)
def copied_to_file(server: Address) -> None:
    """``shutil.copyfileobj`` copies to the end."""
    response = requests.get(server.url("/bytes/90000"), stream=True)
    shutil.copyfileobj(response.raw, io.BytesIO())


@leaks()
def context_manager_forgets(server: Address) -> None:
    """A context manager that closes nothing."""

    @contextlib.contextmanager
    def opened(path: str) -> Iterator[requests.Response]:
        yield requests.get(server.url(path), stream=True)  # LEAK

    with opened("/lines") as response:
        assert response.ok


@innocent(twin_of=context_manager_forgets)
def context_manager_closes(server: Address) -> None:
    """One that does."""

    @contextlib.contextmanager
    def opened(path: str) -> Iterator[requests.Response]:
        with requests.get(server.url(path), stream=True) as response:
            yield response

    with opened("/lines") as response:
        assert response.ok


@leaks()
def exit_stack_let_go(server: Address) -> None:
    """``pop_all`` hands the duty to close to someone, here to nobody."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(requests.get(server.url("/lines"), stream=True))  # LEAK
        stack.pop_all()


@innocent(twin_of=exit_stack_let_go)
def exit_stack(server: Address) -> None:
    """An exit stack closes what entered it."""
    with contextlib.ExitStack() as stack:
        for path in ("/lines", "/bytes/90000", "/chunked/1000"):
            stack.enter_context(requests.get(server.url(path), stream=True))


@innocent(twin_of=exit_stack_let_go)
def closing(server: Address) -> None:
    """So does ``contextlib.closing``."""
    with contextlib.closing(requests.get(server.url("/lines"), stream=True)):
        pass


def _logged(function: Callable[[str], requests.Response]) -> Callable[[str], int]:
    """A decorator that returns something of the response, not the response."""

    @functools.wraps(function)
    def call(url: str) -> int:
        return function(url).status_code

    return call


@leaks()
def decorator_swallows(server: Address) -> None:
    """The decorator keeps the status and drops the response."""

    @_logged
    def fetch(url: str) -> requests.Response:
        return requests.get(url, stream=True)  # LEAK

    assert fetch(server.url("/lines")) == 200


@innocent(twin_of=decorator_swallows)
def decorator_of_read_response(server: Address) -> None:
    """What it drops has been read."""

    @_logged
    def fetch(url: str) -> requests.Response:
        return requests.get(url)

    assert fetch(server.url("/lines")) == 200


@leaks()
def generator_without_finally(server: Address) -> None:
    """A generator that opens, and whose consumer stops early."""

    def rows() -> Iterator[bytes]:
        response = requests.get(server.url("/lines"), stream=True)  # LEAK
        yield from response.iter_lines()

    for _ in rows():
        break


@innocent(twin_of=generator_without_finally)
def generator_with_block(server: Address) -> None:
    """As it is collected, the with block inside it ends."""

    def rows() -> Iterator[bytes]:
        with requests.get(server.url("/lines"), stream=True) as response:
            yield from response.iter_lines()

    for _ in rows():
        break


class _Download:
    """A wrapper with a ``close`` of its own."""

    def __init__(self, url: str) -> None:
        """Open it."""
        self.response = requests.get(url, stream=True)

    def close(self) -> None:
        """Close it."""
        self.response.close()


@leaks()
def wrapper_not_closed(server: Address) -> None:
    """A class that can be closed, and is not."""

    class Download(_Download):
        def __init__(self, url: str) -> None:
            self.response = requests.get(url, stream=True)  # LEAK

    assert Download(server.url("/lines")).response.ok


@innocent(twin_of=wrapper_not_closed)
def wrapper_closed(server: Address) -> None:
    """The same, closed."""
    with contextlib.closing(_Download(server.url("/lines"))) as download:
        assert download.response.ok


@innocent(twin_of=wrapper_not_closed)
def wrapper_closes_in_del(server: Address) -> None:
    """A finalizer of the program's own is the program closing it."""

    class Download(_Download):
        def __del__(self) -> None:
            self.close()

    assert Download(server.url("/lines")).response.ok


@innocent(twin_of=wrapper_not_closed)
def wrapper_with_finalize(server: Address) -> None:
    """So is ``weakref.finalize``."""

    class Download:
        def __init__(self, url: str) -> None:
            response = requests.get(url, stream=True)
            self.read = response.raw.read
            weakref.finalize(self, response.close)

    download = Download(server.url("/lines"))
    assert download.read(10)


@leaks()
def lazy_attribute(server: Address) -> None:
    """A property that opens a stream, and an owner that does not know."""

    class Document:
        @functools.cached_property
        def source(self) -> requests.Response:
            return requests.get(server.url("/lines"), stream=True)  # LEAK

    assert Document().source.ok


@innocent(twin_of=lazy_attribute)
def lazy_attribute_not_used(server: Address) -> None:
    """An owner that closes what it opened."""

    class Document:
        @functools.cached_property
        def source(self) -> requests.Response:
            return requests.get(server.url("/lines"), stream=True)

    document = Document()
    document.source.close()
