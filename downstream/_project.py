"""What is said of a project whose suite runs."""

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


CLIENTS: Final = ("requests==2.34.2", "urllib3==2.8.0")
PYTEST: Final = "pytest==9.2.0"
HTTPBIN: Final = ("pytest-httpbin==2.1.0", "httpbin==0.10.4")
