"""boto3: ``get_object`` returns a ``StreamingBody``."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from ._case import innocent, leaks

if TYPE_CHECKING:
    from tests.server import Address


def _s3(server: Address) -> Any:
    """An S3 client of the local server; the credentials are made up."""
    return boto3.client(
        "s3",
        endpoint_url=server.url(""),
        region_name="us-east-1",
        aws_access_key_id="access",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
    )


@leaks(client="urllib3")
def body_not_read(server: Address) -> None:
    """The object's metadata was all that mattered."""
    answer = _s3(server).get_object(Bucket="bucket", Key="key")  # LEAK
    assert answer["ContentLength"] == 90_000


@innocent(twin_of=body_not_read)
def head_object(server: Address) -> None:
    """There is a call for that."""
    assert _s3(server).head_object(Bucket="bucket", Key="key")["ContentLength"]


@innocent(twin_of=body_not_read)
def body_read(server: Address) -> object:
    """Read to the end."""
    answer = _s3(server).get_object(Bucket="bucket", Key="key")
    assert len(answer["Body"].read()) == 90_000
    return answer


@innocent(twin_of=body_not_read)
def body_closed(server: Address) -> object:
    """Or closed."""
    answer = _s3(server).get_object(Bucket="bucket", Key="key")
    answer["Body"].close()
    return answer


@innocent(twin_of=body_not_read)
def missing_key(server: Address) -> None:
    """botocore reads the error itself."""
    with contextlib.suppress(ClientError):
        _s3(server).get_object(Bucket="bucket", Key="missing")


@leaks("held", client="urllib3")
def bodies_kept(server: Address) -> object:
    """Bodies handed on to someone who never reads them."""
    s3 = _s3(server)
    return [s3.get_object(Bucket="bucket", Key="key")["Body"]]  # LEAK


@innocent(twin_of=bodies_kept)
def downloaded(server: Address) -> object:
    """s3transfer reads in threads of its own."""
    target = io.BytesIO()
    _s3(server).download_fileobj("bucket", "key", target)
    assert len(target.getvalue()) == 90_000
    return target


@leaks(client="urllib3")
def first_chunk(server: Address) -> None:
    """``iter_chunks``, broken off."""
    body = _s3(server).get_object(Bucket="bucket", Key="key")["Body"]  # LEAK
    assert next(body.iter_chunks(1024))


@innocent(twin_of=first_chunk)
def first_bytes_in_with_block(server: Address) -> object:
    """A body is a context manager, of the response beneath it."""
    with _s3(server).get_object(Bucket="bucket", Key="key")["Body"] as raw:
        assert raw.read(1024)
    return raw


@innocent(twin_of=first_chunk)
def every_chunk(server: Address) -> None:
    """``iter_chunks`` to the end."""
    body = _s3(server).get_object(Bucket="bucket", Key="key")["Body"]
    assert sum(map(len, body.iter_chunks(1024))) == 90_000
