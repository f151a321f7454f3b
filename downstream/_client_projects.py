"""The suites of the other clients, and of what is built on them."""

from __future__ import annotations

from typing import Final

from ._project import HTTPBIN, PYTEST, Project

CLIENT_PROJECTS: Final = (
    Project(
        name="httpx",
        package="httpx",
        version="0.28.1",
        sha256="75e98c5f16b0f35b567856f597f06ff2270a374470a5c2392242528e3e3e42fc",
        requires=(
            "httpcore==1.0.9",
            PYTEST,
            "anyio[trio]==4.16.0",
            "trio==0.35.0",
            "chardet==5.2.0",
            "cryptography>=44.0.2",
            "trustme==1.2.1",
            "uvicorn==0.54.0",
            "typing-extensions>=4",
        ),
        extras="[brotli,cli,http2,socks,zstd]",
    ),
    Project(
        name="httpcore",
        package="httpcore",
        version="1.0.9",
        sha256="6e34463af53fd2ab5d807f399a9b45ea31c3dfa2276f15a2c3f00afff6e176e8",
        requires=(
            PYTEST,
            *HTTPBIN,
            "pytest-trio==0.8.0",
            "anyio[trio]==4.16.0",
            "trio==0.35.0",
            "httpx==0.28.1",
        ),
        extras="[asyncio,http2,socks,trio]",
    ),
    Project(
        name="aiohttp",
        package="aiohttp",
        version="3.14.5",
        sha256="5558a7f5a05af9ecf744af91e5baefc436f93c9333e656c27ec253f9a6bbe178",
        requires=(
            PYTEST,
            "blockbuster",
            "freezegun",
            "isal",
            "proxy.py",
            "pytest-codspeed",
            "pytest-cov",
            "pytest-mock==3.17.0",
            "pytest-timeout==2.4.0",
            "pytest-xdist",
            "python-on-whales",
            "trustme==1.2.1",
            "uvloop",
            "zlib-ng",
        ),
        tests=(
            "tests/test_client_connection.py",
            "tests/test_client_functional.py",
            "tests/test_client_proto.py",
            "tests/test_client_request.py",
            "tests/test_client_response.py",
            "tests/test_client_session.py",
            "tests/test_client_ws.py",
            "tests/test_client_ws_functional.py",
            "tests/test_client_middleware.py",
            "tests/test_client_middleware_digest_auth.py",
            "tests/test_connector.py",
            "tests/test_proxy.py",
            "tests/test_proxy_functional.py",
        ),
        # Its own options measure coverage, in many processes.
        options=("-o", "addopts=", "-m", "not dev_mode and not internal"),
        # Not the sources beside the tests: they have no compiled parser.
        environ=(("PYTHONSAFEPATH", "1"),),
    ),
)
