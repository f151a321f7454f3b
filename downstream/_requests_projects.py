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
)
