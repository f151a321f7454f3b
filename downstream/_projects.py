"""Whose suites run: the sdists, pinned, and what their tests need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Project:
    """One project whose sdist carries its tests.

    Args:
        name: What ``--only`` calls it; also its folder in the cache.
        package: As the index calls it.
        version: The release.
        sha256: Of the sdist.
        requires: Beside the sdist itself. What the suite is driven by is pinned,
            so that a new pytest is no news of ours.
        tests: Arguments that select tests, relative to the unpacked sdist.
        options: Further arguments of pytest.
        extras: Of the sdist, in brackets.
        environ: Variables of the suite; ``{site}`` is where its environment has
            its packages.
        quick: Arguments that select the tests of the short form; empty: the
            project is not part of it.
    """

    name: str
    package: str
    version: str
    sha256: str
    requires: tuple[str, ...]
    tests: tuple[str, ...] = ("tests",)
    options: tuple[str, ...] = ()
    extras: str = ""
    environ: tuple[tuple[str, str], ...] = ()
    quick: tuple[str, ...] = ()


_CLIENTS: Final = ("requests==2.34.2", "urllib3==2.8.0")
_PYTEST: Final = "pytest==9.2.0"
_HTTPBIN: Final = ("pytest-httpbin==2.1.0", "httpbin==0.10.4")

PROJECTS: Final = (
    Project(
        name="requests",
        package="requests",
        version="2.34.2",
        sha256="f288924cae4e29463698d6d60bc6a4da69c89185ad1e0bcc4104f584e960b9ed",
        requires=(
            "urllib3==2.8.0",
            _PYTEST,
            *_HTTPBIN,
            "pytest-mock==3.17.0",
            "trustme==1.2.1",
        ),
        extras="[socks]",
        # Without the tests that wait for seconds.
        quick=(
            "tests/test_lowlevel.py::test_chunked_upload",
            "tests/test_requests.py",
            "tests/test_utils.py",
            "--deselect=tests/test_requests.py::TestTimeout",
            "--deselect=tests/test_requests.py::TestPreparingURLs::test_different_connection_pool_for_tls_settings_verify_bundle_unexpired_cert",
        ),
    ),
    Project(
        name="urllib3",
        package="urllib3",
        version="2.8.0",
        sha256="63bf2ead4c879426ebf22ef2a781eeb4aa3b4ae798a0435506f8687fd5bb9b63",
        # The suite wants its own branch of hypercorn, which is on no index: some
        # tests of HTTPS proxies and client certificates fail, with us or without.
        requires=(
            _PYTEST,
            "pytest-socket==0.8.1",
            "pytest-timeout==2.4.0",
            "anyio[trio]==4.16.0",
            "httpx==0.28.1",
            "hypercorn==0.18.0",
            "quart==0.22.0",
            "quart-trio==0.12.0",
            "trio==0.35.0",
            "cryptography>=44.0.2",
            "idna>=3.10",
            "pyopenssl>=25.0.0",
            "trustme==1.2.1",
        ),
        tests=("test",),
        # Needs an address that swallows packets; where there is none, it fails now
        # and then and leaves a thread for which the interpreter waits for ever.
        options=("-k", "not test_http2_probe_blocked_per_thread"),
        extras="[brotli,h2,socks,zstd]",
        quick=(
            "test/test_connectionpool.py",
            "test/with_dummyserver/test_chunked_transfer.py",
            "test/with_dummyserver/test_connection.py",
            "test/with_dummyserver/test_poolmanager.py",
        ),
    ),
    Project(
        name="urllib3-1.26",
        package="urllib3",
        version="1.26.20",
        sha256="40c2dc0c681e47eb8f90e7e27bf6ff7df2e677421fd46756da1161c39ca70d32",
        requires=(
            "pytest==8.3.2",
            "pytest-timeout==2.3.1",
            "pytest-freezegun==0.4.2",
            "flaky==3.8.1",
            "mock==5.1.0",
            "six>=1.16",
            "tornado==6.4.1",
            "trustme==1.2.1",
            "cryptography==43.0.0",
            "pyopenssl==24.3.0",
            "idna>=3",
            "python-dateutil>=2.8",
        ),
        tests=("test",),
        extras="[brotli,socks]",
    ),
    Project(
        name="requests-toolbelt",
        package="requests-toolbelt",
        version="1.0.0",
        sha256="7681a0a3d047012b5bdc0ee37d7f8f07ebe76ab08caeccfc3921ce23c88d5bc6",
        requires=(
            *_CLIENTS,
            _PYTEST,
            "betamax==0.9.0",
            "pyopenssl>=25.0.0",
            "trustme==1.2.1",
        ),
    ),
    Project(
        name="requests-futures",
        package="requests-futures",
        version="1.1.0",
        sha256="f839cf536e6638a6e0ca1cfd54ac761bf3bb2b5a7ecf9349557e53acc5244d36",
        requires=(*_CLIENTS, _PYTEST, *_HTTPBIN),
    ),
    Project(
        name="requests-unixsocket",
        package="requests-unixsocket",
        version="0.4.1",
        sha256="b2596158c356ecee68d27ba469a52211230ac6fb0cde8b66afb19f0ed47a1995",
        requires=(*_CLIENTS, _PYTEST, "waitress==3.0.2"),
        tests=("requests_unixsocket/tests",),
    ),
    Project(
        name="requests-cache",
        package="requests-cache",
        version="1.3.3",
        sha256="79b72d5ac5143992d1836ad78f4d8e65666061dd44e220548caab3723089826b",
        requires=(
            *_CLIENTS,
            _PYTEST,
            "requests-mock==1.12.1",
            "responses==0.26.3",
            "psutil>=5.0",
            "tenacity>=8.0",
            "time-machine~=2.9",
            "rich>=10.0",
            "orjson>=3.0",
            "ujson>=5.4",
        ),
        tests=("tests/unit",),
        extras="[security,yaml]",
    ),
    Project(
        name="requests-mock",
        package="requests-mock",
        version="1.12.1",
        sha256="e9e12e333b525156e82a3c852f22016b9158220d2f47454de9cae8a77d371401",
        requires=(
            *_CLIENTS,
            _PYTEST,
            "fixtures==4.3.2",
            "purl==1.6",
            "testtools==2.9.1",
            "requests-futures==1.1.0",
        ),
    ),
    Project(
        name="responses",
        package="responses",
        version="0.26.3",
        sha256="b0c11ca8131b8b227b8d5108e6ed39772222bd5aab030ed430e8f99057c4c409",
        requires=(
            *_CLIENTS,
            _PYTEST,
            "pytest-asyncio==1.5.0",
            "pytest-httpserver>=1.0",
            "tomli-w>=1.0",
        ),
        tests=("responses/tests",),
        options=("--asyncio-mode=auto",),
    ),
    Project(
        name="vcrpy",
        package="vcrpy",
        version="9.4.2",
        sha256="2ffc051adf50d9a83326c8d365c29929cd6788cef647326b55502b59276d443a",
        requires=(
            *_CLIENTS,
            _PYTEST,
            *_HTTPBIN,
            "pytest-asyncio==1.5.0",
            "pytest-aiohttp==1.1.1",
            "aiohttp>=3.10",
            "httplib2>=0.22",
            "httpx==0.28.1",
            "tornado>=6.4",
            "cryptography>=44.0.2",
            "pysocks>=1.7.1",
        ),
        options=("-m", "not online"),
        # What the project's own script for running its tests says.
        environ=(("REQUESTS_CA_BUNDLE", "{site}/pytest_httpbin/certs/client.pem"),),
    ),
    Project(
        name="elastic-transport",
        package="elastic-transport",
        version="9.4.2",
        sha256="366f4614f4544c5fb5d780c82f57af8f30492b44a68ed20750390aa81e20c2ea",
        requires=(
            *_CLIENTS,
            _PYTEST,
            *_HTTPBIN,
            "pytest-asyncio==1.5.0",
            "pytest-mock==3.17.0",
            "pytest-httpserver>=1.0",
            "trustme==1.2.1",
            "aiohttp>=3.10",
            "anyio[trio]==4.16.0",
            "httpx==0.28.1",
            "respx==0.23.1",
            "opentelemetry-sdk>=1.20",
            "orjson>=3.0",
        ),
        # Its own options measure coverage; those of TLS versions ask the internet.
        options=(
            "-o",
            "addopts=",
            "--ignore=tests/node/test_tls_versions.py",
        ),
    ),
    Project(
        name="botocore",
        package="botocore",
        version="1.44.8",
        sha256="945b783c1a1259e2a8b078f3f3dd40fae32ea84ab01d3a9953af6b378da7108a",
        requires=("urllib3==2.8.0", _PYTEST, "jsonschema>=4.23"),
        tests=("tests/unit", "--ignore=tests/unit/docs"),
    ),
)
