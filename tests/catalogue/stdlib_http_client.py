"""http.client by itself: its responses, and its connections that nobody closes."""

from __future__ import annotations

import threading
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from logging import makeLogRecord
from logging.handlers import HTTPHandler
from typing import TYPE_CHECKING, Any
from xmlrpc.client import ProtocolError, ServerProxy

from ._case import innocent, leaks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server import Address

CLIENT = "http.client"


def connect(server: Address) -> HTTPConnection:
    """A connection with a time-out."""
    return HTTPConnection(server.host, server.port, timeout=30)


@leaks("held", client=CLIENT)
def held_unread(server: Address) -> object:
    """Connection and response are kept, and nothing is read."""
    connection = connect(server)
    connection.request("GET", "/bytes/90000")
    return connection, connection.getresponse()  # LEAK


@innocent(twin_of=held_unread)
def held_and_read(server: Address) -> object:
    """Read before it is kept."""
    connection = connect(server)
    connection.request("GET", "/bytes/90000")
    response = connection.getresponse()
    assert len(response.read()) == 90_000
    return connection, response


@innocent(twin_of=held_unread)
def connection_closed(server: Address) -> object:
    """Closing the connection closes its response."""
    connection = connect(server)
    connection.request("GET", "/bytes/90000")
    response = connection.getresponse()
    connection.close()
    return connection, response


@innocent(twin_of=held_unread)
def both_dropped(server: Address) -> None:
    """Reference counting takes the socket along."""
    connection = connect(server)
    connection.request("GET", "/bytes/90000")
    connection.getresponse()


@leaks("held", client=CLIENT)
def response_forgotten(server: Address) -> object:
    """The response is dropped, but its connection has it too."""
    connection = connect(server)
    connection.request("GET", "/bytes/90000")
    connection.getresponse()  # LEAK
    return connection


@innocent(twin_of=response_forgotten)
def status_and_body(server: Address) -> object:
    """As it should be: the next request needs the end of this one."""
    connection = connect(server)
    for _ in range(3):
        connection.request("GET", "/bytes/90000")
        with connection.getresponse() as response:
            assert response.read()
    return connection


@innocent(twin_of=response_forgotten)
def head_by_a_connection(server: Address) -> object:
    """Nothing to read; the socket is the connection's, which is kept for use."""
    connection = connect(server)
    connection.request("HEAD", "/lines")
    return connection, connection.getresponse()


@innocent(twin_of=response_forgotten)
def no_content(server: Address) -> object:
    """Neither has a 204."""
    connection = connect(server)
    connection.request("GET", "/status/204")
    return connection, connection.getresponse()


@innocent(twin_of=response_forgotten)
def empty_body(server: Address) -> object:
    """A length of 0."""
    connection = connect(server)
    connection.request("POST", "/echo", b"")
    return connection, connection.getresponse()


@leaks(client=CLIENT)
def in_a_cycle(server: Address) -> None:
    """A client object that refers to itself."""

    class Client:
        def __init__(self) -> None:
            self.connection = connect(server)
            self.connection.request("GET", "/bytes/90000")
            self.response = self.connection.getresponse()  # LEAK
            self.parent = self

    Client()


@innocent(twin_of=in_a_cycle)
def in_a_cycle_and_closed(server: Address) -> None:
    """The same, closed by its user."""

    class Client:
        def __init__(self) -> None:
            self.connection = connect(server)
            self.connection.request("GET", "/bytes/90000")
            self.response = self.connection.getresponse()
            self.parent = self

    Client().response.close()


@leaks("held", client=CLIENT)
def step_by_step(server: Address) -> object:
    """``putrequest``, ``putheader``, ``endheaders``."""
    connection = connect(server)
    connection.putrequest("GET", "/bytes/90000")
    connection.putheader("Accept", "*/*")
    connection.endheaders()
    return connection, connection.getresponse()  # LEAK


@innocent(twin_of=step_by_step)
def step_by_step_read(server: Address) -> object:
    """The same, read into a buffer."""
    connection = connect(server)
    connection.putrequest("GET", "/bytes/90000")
    connection.endheaders()
    response = connection.getresponse()
    buffer = bytearray(90_000)
    view = memoryview(buffer)
    while response.readinto(view):
        pass
    return connection, response


@leaks("held", client=CLIENT)
def until_the_server_closes(server: Address) -> object:
    """The connection has handed its socket over, and may go."""
    connection = connect(server)
    connection.request("GET", "/close")
    return connection.getresponse()  # LEAK


@innocent(twin_of=until_the_server_closes)
def until_the_server_closes_read(server: Address) -> object:
    """The same, read by ``read1``."""
    connection = connect(server)
    connection.request("GET", "/close")
    response = connection.getresponse()
    while response.read1(4096):
        pass
    return response


@leaks("held", client=CLIENT)
def chunked_without_the_end(server: Address) -> object:
    """All bytes of it were read, but not its last chunk."""
    connection = connect(server)
    connection.request("GET", "/chunked/10")
    response = connection.getresponse()  # LEAK
    assert len(response.read(900)) == 900
    return connection, response


@innocent(twin_of=chunked_without_the_end)
def chunked_with_the_end(server: Address) -> object:
    """One more read."""
    connection = connect(server)
    connection.request("GET", "/chunked/10")
    response = connection.getresponse()
    while response.read(900):
        pass
    return connection, response


@innocent(twin_of=chunked_without_the_end)
def exactly_its_length(server: Address) -> object:
    """With a length, reading just that much ends it."""
    connection = connect(server)
    connection.request("GET", "/bytes/900")
    response = connection.getresponse()
    assert len(response.read(900)) == 900
    return connection, response


@leaks("held", client=CLIENT)
def subclass_of_the_program(server: Address) -> object:
    """Classes of its own, connection and response."""

    class Response(HTTPResponse):
        def close(self) -> None:
            super().close()

    class Connection(HTTPConnection):
        response_class = Response

    connection = Connection(server.host, server.port)
    connection.request("GET", "/bytes/90000")
    return connection, connection.getresponse()  # LEAK


@innocent(twin_of=subclass_of_the_program)
def subclass_closed(server: Address) -> object:
    """The same, closed."""

    class Response(HTTPResponse):
        def close(self) -> None:
            super().close()

    class Connection(HTTPConnection):
        response_class = Response

    connection = Connection(server.host, server.port)
    connection.request("GET", "/bytes/90000")
    response = connection.getresponse()
    response.close()
    return connection, response


@innocent(twin_of=subclass_of_the_program)
def subclass_that_does_not_close(server: Address) -> None:
    """Its ``close`` does nothing; it goes with its socket all the same."""

    class Response(HTTPResponse):
        def close(self) -> None:
            pass

    class Connection(HTTPConnection):
        response_class = Response

    connection = Connection(server.host, server.port)
    connection.request("GET", "/bytes/90000")
    connection.getresponse()


@leaks("held", client=CLIENT)
def one_of_many_threads(server: Address) -> object:
    """A connection for each thread, and one forgets to read."""
    made: list[Any] = []

    def work() -> None:
        connection = connect(server)
        for number in range(3):
            connection.request("GET", "/lines")
            response = connection.getresponse()  # LEAK
            if len(made) or number < 2:
                response.read()
        made.append(connection)

    for _ in range(3):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    return made


@innocent(twin_of=one_of_many_threads)
def all_threads_read(server: Address) -> object:
    """All of them do."""
    made: list[Any] = []

    def work() -> None:
        connection = connect(server)
        for _ in range(3):
            connection.request("GET", "/lines")
            connection.getresponse().read()
        made.append(connection)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return made


@leaks("open", client=CLIENT)
def open_at_the_end(server: Address) -> object:
    """A scope that promised to leave nothing open."""
    connection = connect(server)
    connection.request("GET", "/bytes/90000")
    return connection, connection.getresponse()  # LEAK


@innocent(twin_of=open_at_the_end)
def nothing_open_at_the_end(server: Address) -> object:
    """Closed."""
    with closing(connect(server)) as connection:
        connection.request("GET", "/bytes/90000")
        return connection, connection.getresponse()


@leaks("session", count=5, client=CLIENT)
def connection_for_each_user(server: Address) -> object:
    """A connection for each user, and all of them kept open."""

    def login() -> HTTPConnection:
        connection = HTTPConnection(server.host, server.port)  # LEAK
        connection.request("GET", "/lines")
        connection.getresponse().read()
        return connection

    return [login() for _ in range(25)]


@innocent(twin_of=connection_for_each_user)
def connection_for_each_user_closed(server: Address) -> object:
    """The same, closed."""

    def login() -> HTTPConnection:
        connection = HTTPConnection(server.host, server.port)
        connection.request("GET", "/lines")
        connection.getresponse().read()
        connection.close()
        return connection

    return [login() for _ in range(25)]


@innocent(twin_of=connection_for_each_user)
def connection_for_each_call(server: Address) -> None:
    """Each goes with its socket."""
    for _ in range(25):
        connection = HTTPConnection(server.host, server.port)
        connection.request("GET", "/lines")
        connection.getresponse().read()


@innocent(twin_of=connection_for_each_user)
def connection_for_each_user_closed_by_server(server: Address) -> object:
    """The server does not keep them: no socket is open."""

    def login() -> HTTPConnection:
        connection = HTTPConnection(server.host, server.port)
        connection.request("GET", "/close")
        connection.getresponse().read()
        return connection

    return [login() for _ in range(25)]


@innocent(twin_of=connection_for_each_user, idle=0.5)
def connections_in_use(server: Address) -> object:
    """Not idle for long enough."""

    def login() -> HTTPConnection:
        connection = HTTPConnection(server.host, server.port)
        connection.request("GET", "/lines")
        connection.getresponse().read()
        return connection

    return [login() for _ in range(25)]


@leaks("session", count=5, client=CLIENT)
def heads_by_connections(server: Address) -> object:
    """A link checker that keeps its connections: there is nothing to read."""

    def check() -> HTTPConnection:
        connection = HTTPConnection(server.host, server.port)  # LEAK
        connection.request("HEAD", "/lines")
        assert connection.getresponse().status == 200
        return connection

    return [check() for _ in range(25)]


@innocent(twin_of=heads_by_connections)
def heads_by_connections_closed(server: Address) -> object:
    """The same, closed."""

    def check() -> HTTPConnection:
        with closing(HTTPConnection(server.host, server.port)) as connection:
            connection.request("HEAD", "/lines")
            assert connection.getresponse().status == 200
        return connection

    return [check() for _ in range(25)]


@innocent(twin_of=both_dropped)
def logged_over_http(server: Address) -> None:
    """The standard library's handler of logs reads no answer, and drops it."""
    handler = HTTPHandler(f"{server.host}:{server.port}", "/echo", "POST")
    handler.emit(makeLogRecord({"msg": "hello"}))


@innocent(twin_of=held_unread)
def cut_by_the_server(server: Address) -> object:
    """The body ends too early, and with it the response."""
    connection = connect(server)
    connection.request("GET", "/cut")
    response = connection.getresponse()
    with suppress(HTTPException):
        response.read()
    return connection, response


@innocent(twin_of=held_unread)
def line_a_while(server: Address) -> Iterator[None]:
    """A slow reader of lines of a body in chunks."""
    connection = connect(server)
    connection.request("GET", "/chunked/1000")
    response = connection.getresponse()
    for _ in range(4):
        assert response.readline()
        yield
    response.close()


@leaks("held", client=CLIENT)
def xmlrpc_error_in_chunks(server: Address) -> object:
    """ServerProxy raises, leaves the body unread, and keeps the connection."""
    proxy = ServerProxy(server.url("/chunked-status/500"))
    with suppress(ProtocolError):
        proxy.pay()  # LEAK
    return proxy


@innocent(twin_of=xmlrpc_error_in_chunks)
def xmlrpc_error_of_a_length(server: Address) -> object:
    """ServerProxy reads that one."""
    proxy = ServerProxy(server.url("/status/500"))
    with suppress(ProtocolError):
        proxy.pay()
    return proxy


@innocent(twin_of=xmlrpc_error_in_chunks)
def xmlrpc_closed_after_the_error(server: Address) -> object:
    """Its connection is closed, and the next call makes a new one."""
    proxy = ServerProxy(server.url("/chunked-status/500"))
    with suppress(ProtocolError):
        proxy.pay()
    proxy("close")()
    return proxy
