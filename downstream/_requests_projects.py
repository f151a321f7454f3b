"""The suites of programs and libraries built on requests."""

from __future__ import annotations

from typing import Final

from ._project import CLIENTS, PYTEST, Project

REQUESTS_PROJECTS: Final = (
    Project(
        name="streamlink",
        package="streamlink",
        version="8.6.3",
        sha256="d3602a2629b62d935a7ddc2f31dcea7797b3780654dcccbd5c3dd5b5f7e380c8",
        requires=(
            *CLIENTS,
            PYTEST,
            "freezegun==1.5.5",
            "pytest-trio==0.8.0",
            "requests-mock==1.12.1",
        ),
        extras="[decompress]",
    ),
    Project(
        name="PyGithub",
        package="PyGithub",
        version="2.10.0",
        sha256="90ff24ef1cd1bd57124c2a3869cafee9d7b066909129ecdaba2c2d1903bc118d",
        requires=(
            *CLIENTS,
            PYTEST,
            "cryptography>=44.0.2",
            "more-itertools",
            "parameterized",
            "responses==0.26.3",
        ),
    ),
    Project(
        name="httpie",
        package="httpie",
        version="3.2.4",
        sha256="302ad436c3dc14fd0d1b19d4572ef8d62b146bcd94b505f3c2521f701e2e7a2a",
        requires=(
            *CLIENTS,
            "pytest==8.2.2",
            "pytest-httpbin==2.0.0",
            "httpbin==0.7.0",
            "pytest-mock==3.17.0",
            "responses==0.26.3",
            "flask<2.1",
            "setuptools<80",
            "werkzeug<2.1",
        ),
        # Those run pip, which wants its index.
        tests=("tests", "--ignore=tests/test_plugins_cli.py"),
    ),
    Project(
        name="sphinx",
        package="sphinx",
        version="9.0.4",
        sha256="594ef59d042972abbc581d8baa577404abe4e6c3b04ef61bd7fc2acbd51f3fa3",
        requires=(
            *CLIENTS,
            PYTEST,
            "defusedxml>=0.7.1",
            "setuptools>=70",
            "typing-extensions>=4.9",
        ),
        # What asks servers: the check of links, inventories of other projects.
        tests=(
            "tests/test_builders/test_build_linkcheck.py",
            "tests/test_ext_intersphinx",
        ),
    ),
    Project(
        name="internetarchive",
        package="internetarchive",
        version="5.12.1",
        sha256="fa9589c463a8a64e1c194f19f40bac680e2db9b493a0d9722cf7d30754cde65b",
        requires=(*CLIENTS, PYTEST, "responses==0.26.3"),
        options=("-m", "not network"),
    ),
    Project(
        name="pytest-httpserver",
        package="pytest-httpserver",
        version="1.2.0",
        sha256="d07744ce2efaafa0575ed3081d416b999c773b09e84aa95065138bedc3e12352",
        requires=(*CLIENTS, PYTEST),
    ),
)
