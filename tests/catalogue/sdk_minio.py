"""MinIO's client: what ``get_object`` returns must be closed and released."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

import minio

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


def _client(server: Address) -> minio.Minio:
    """A client of the local server."""
    return minio.Minio(
        endpoint=f"{server.host}:{server.port}",
        access_key="access",
        secret_key="secret-key",
        secure=False,
        region="us-east-1",
    )


@leaks(client="urllib3")
def get_object(server: Address) -> None:
    """Never closed, never released."""
    _client(server).get_object(bucket_name="bucket", object_name="key")  # LEAK


@innocent(twin_of=get_object)
def get_object_as_documented(server: Address) -> object:
    """Closed and released in a finally."""
    response = _client(server).get_object(bucket_name="bucket", object_name="key")
    try:
        assert response.read(100)
    finally:
        response.close()
        response.release_conn()
    return response


@innocent(twin_of=get_object)
def missing_object(server: Address) -> None:
    """The client reads the error itself."""
    with contextlib.suppress(minio.S3Error):
        _client(server).get_object(bucket_name="bucket", object_name="missing")


@innocent(twin_of=get_object)
def other_calls(server: Address) -> None:
    """What returns no body leaves none open."""
    client = _client(server)
    client.stat_object(bucket_name="bucket", object_name="key")
    client.put_object(
        bucket_name="bucket", object_name="key", data=io.BytesIO(b"body"), length=4
    )


@leaks("held", client="urllib3")
def objects_kept(server: Address) -> object:
    """A list of objects to read when there is time."""
    client = _client(server)
    return [client.get_object(bucket_name="bucket", object_name="key")]  # LEAK


@innocent(twin_of=objects_kept)
def objects_read(server: Address) -> object:
    """Read first."""
    client = _client(server)
    return [client.get_object(bucket_name="bucket", object_name="key").read()]


@leaks(client="urllib3")
def object_streamed_partly(server: Address) -> None:
    """``stream``, broken off."""
    client = _client(server)
    response = client.get_object(bucket_name="bucket", object_name="key")  # LEAK
    for _ in response.stream(1024):
        break


@innocent(twin_of=object_streamed_partly)
def object_in_with_block(server: Address) -> object:
    """The client's pool does not block: closing is enough."""
    client = _client(server)
    with client.get_object(bucket_name="bucket", object_name="key") as response:
        for _ in response.stream(1024):
            break
    return response
