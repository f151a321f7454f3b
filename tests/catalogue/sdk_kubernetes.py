"""The Kubernetes client: ``_preload_content=False`` returns urllib3's response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubernetes import client, watch

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


def _core(server: Address) -> Any:
    """The core API of the local server."""
    configuration = client.Configuration()
    configuration.host = server.url("")
    return client.CoreV1Api(client.ApiClient(configuration))


def _watch() -> Any:
    """A watch; it has no types."""
    return watch.Watch()  # type: ignore[no-untyped-call]


@leaks(client="urllib3")
def log_not_read(server: Address) -> None:
    """A log that is opened, and that is all."""
    _core(server).read_namespaced_pod_log("pod", "ns", _preload_content=False)  # LEAK


@innocent(twin_of=log_not_read)
def log_preloaded(server: Address) -> object:
    """The client reads it."""
    return _core(server).read_namespaced_pod_log("pod", "ns")


@innocent(twin_of=log_not_read)
def log_released(server: Address) -> object:
    """Released by hand."""
    core = _core(server)
    response = core.read_namespaced_pod_log("pod", "ns", _preload_content=False)
    response.release_conn()
    return response


@leaks(client="urllib3")
def log_searched(server: Address) -> None:
    """Following a log up to a line."""
    core = _core(server)
    log = core.read_namespaced_pod_log("pod", "ns", _preload_content=False)  # LEAK
    for line in log:
        if line.startswith(b"7 "):
            break


@innocent(twin_of=log_searched)
def log_searched_and_closed(server: Address) -> object:
    """The same, closed."""
    core = _core(server)
    log = core.read_namespaced_pod_log("pod", "ns", _preload_content=False)
    for line in log:
        if line.startswith(b"7 "):
            break
    log.close()
    return log


@leaks("held", client="urllib3")
def watch_suspended(server: Address) -> object:
    """A watch that nobody asks for more, nor stops."""
    events = _watch().stream(_core(server).list_namespaced_pod, "ns")
    next(events)  # LEAK
    return events


@innocent(twin_of=watch_suspended)
def watch_stopped(server: Address) -> object:
    """``stop`` ends the loop, and the watch closes its response."""
    watcher = _watch()
    events = watcher.stream(_core(server).list_namespaced_pod, "ns")
    for _ in events:
        watcher.stop()
    return events


@innocent(twin_of=watch_suspended)
def watch_broken_off(server: Address) -> None:
    """Even broken off, it closes as its generator is collected."""
    for _ in _watch().stream(_core(server).list_namespaced_pod, "ns"):
        break
