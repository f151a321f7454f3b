"""The environment that makes Python processes guard themselves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

BOOTSTRAP: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bootstrap")
# Not HTTPGUARD_…: those are settings.
RUN_VARIABLE: Final = "_HTTPGUARD_RUN"
NO_RUN: Final = "-"
VERBOSE: Final = "_HTTPGUARD_VERBOSE"
"""Not empty where the program's log is to tell of leaks too."""


def guarded_environment(settings: Mapping[str, str], run: str) -> dict[str, str]:
    """The user's environment, for the program and, by inheritance, for its children.

    `run` is the start of the names of the run's files, or `NO_RUN`.
    """
    path = os.environ.get("PYTHONPATH", "")
    # An empty entry means the working directory: none is added, none is lost.
    others = [entry for entry in path.split(os.pathsep) if entry != BOOTSTRAP]
    rest = os.pathsep.join(others)
    return {
        **os.environ,
        **settings,
        "PYTHONPATH": BOOTSTRAP + os.pathsep + rest if rest else BOOTSTRAP,
        RUN_VARIABLE: run,
    }
