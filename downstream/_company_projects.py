"""The suites of what patches the clients too, or stands in their place in tests."""

from __future__ import annotations

from typing import Final

from ._project import CLIENTS, PYTEST, Project

_SPANS: Final = (PYTEST, "httpretty==1.1.4", "http-server-mock==1.7", "mocket==3.14.1")
_OF_B1: Final = ("opentelemetry-test-utils==0.66b1", "opentelemetry-sdk==1.45.1")
_OF_B2: Final = ("opentelemetry-test-utils==0.66b2", "opentelemetry-sdk==1.45.2")

COMPANY_PROJECTS: Final = (
    Project(
        name="opentelemetry-requests",
        package="opentelemetry-instrumentation-requests",
        version="0.66b2",
        sha256="bcfbdc3ff3ec8524044908788f0e7f3c25e219053b496fd9926d75f8d7c7bc96",
        requires=(*CLIENTS, *_SPANS, *_OF_B2),
    ),
    Project(
        name="opentelemetry-urllib3",
        package="opentelemetry-instrumentation-urllib3",
        version="0.66b1",
        sha256="31e84a2ccfa86ca1d4f1209ea66c1f709c335348d5c487477d3843172efcc408",
        requires=(*CLIENTS, *_SPANS, *_OF_B1),
    ),
    Project(
        name="opentelemetry-urllib",
        package="opentelemetry-instrumentation-urllib",
        version="0.66b1",
        sha256="f00daa25375fbdf88b7e1a425ef54c704674d8bef639c834de93df9b3f88d7f4",
        requires=(*_SPANS, *_OF_B1),
    ),
    Project(
        name="opentelemetry-httpx",
        package="opentelemetry-instrumentation-httpx",
        version="0.66b2",
        sha256="b4c81e4a6dc7b8d7cb2d3088eb8848f6db6bd4abdc443ac9586ec176f1460187",
        requires=(*_SPANS, *_OF_B2, "httpx==0.28.1", "httpx2==2.16.2", "respx==0.23.1"),
    ),
    Project(
        name="opentelemetry-aiohttp",
        package="opentelemetry-instrumentation-aiohttp-client",
        version="0.66b1",
        sha256="6f853dadc53916fd6af41413bcb627b3e36c4a01b581e03b61b2f8eb6031d69f",
        requires=(*_SPANS, *_OF_B1, "aiohttp==3.14.5", "yarl"),
    ),
    Project(
        name="sentry-sdk",
        package="sentry-sdk",
        version="2.75.0",
        sha256="c38ac2d4b2435c11da821e173bb9d9088c98f41ae92f559ce0e424170a8e1a29",
        requires=(
            *CLIENTS,
            PYTEST,
            "aiohttp==3.14.5",
            "anyio==4.16.0",
            "boto3==1.43.127",
            "httpcore[asyncio,http2]==1.0.9",
            "httpx==0.28.1",
            "jsonschema",
            "pytest-aiohttp",
            "pytest-asyncio==1.5.0",
            "pytest-forked",
            "pytest-httpx==0.36.2",
            "pytest-localserver",
            "pytest-watch",
            "responses",
            "socksio",
        ),
        options=("-o", "addopts="),
        # Of those for others, what each needs would have to be there.
        tests=(
            "tests/test_transport.py",
            "tests/integrations/aiohttp",
            "tests/integrations/boto3",
            "tests/integrations/httpx",
            "tests/integrations/requests",
            "tests/integrations/socket",
            "tests/integrations/stdlib",
        ),
    ),
    Project(
        name="pytest-httpx",
        package="pytest-httpx",
        version="0.36.2",
        sha256="05a56527484f7f4e8c856419ea379b8dc359c36801c4992fdb330f294c690356",
        requires=(PYTEST, "httpx==0.28.1", "pytest-asyncio==1.5.0"),
    ),
    Project(
        name="aioresponses",
        package="aioresponses",
        version="0.7.9",
        sha256="1dcfa28938fc006f046a98383a7c07ac180be7a492c1ed557f5cd7b0805357d3",
        requires=(
            PYTEST,
            "aiohttp==3.14.5",
            "ddt==1.7.2",
            "pytest-asyncio==1.5.0",
            "yarl",
        ),
    ),
    Project(
        name="cheroot",
        package="cheroot",
        version="11.1.2",
        sha256="bfb70c49663f63b0440f2b54dbc6b0d1650e56dfe4e2641f59b2c6f727b44aca",
        requires=(
            *CLIENTS,
            PYTEST,
            "jaraco.functools",
            "jaraco.text",
            "portend",
            "pyopenssl",
            "pypytools",
            "pytest-mock==3.17.0",
            "pytest-rerunfailures==16.7",
            "requests-toolbelt",
            "requests-unixsocket",
            "trustme==1.2.1",
        ),
        options=("-o", "addopts=", "-p", "cheroot.test._pytest_plugin"),
        tests=("cheroot/test",),
    ),
    Project(
        name="requests-oauthlib",
        package="requests-oauthlib",
        version="2.0.0",
        sha256="b3dffaebd884d8cd778494369603a9e7b58d29111bf6b41bdc2dcd87203af4e9",
        requires=(*CLIENTS, PYTEST, "mock", "requests-mock==1.12.1"),
        extras="[rsa]",
        tests=("tests", "--ignore=tests/examples"),
    ),
)
