"""What each kind of leak and each advice is called, and what it means."""

from __future__ import annotations

import os
import re
from typing import Final

# As reports, SARIF and pytest print them; never given to another kind.
CODES: Final = {
    "dropped": "HG101",
    "held": "HG102",
    "unreleased": "HG103",
    "open": "HG104",
    "session": "HG105",
    "pool_pressure": "HG201",
    "session_churn": "HG202",
    "fd_pressure": "HG203",
}
_PAGE: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kinds.md")
_HEADING: Final = re.compile(r"^(?=## )", re.MULTILINE)


class _More(dict[str, str]):
    def __missing__(self, kind: str) -> str:
        """One that is unknown, as of a newer version's log, is its own code."""
        return f"httpguard explain {kind}"


MORE: Final = _More({kind: f"httpguard explain {code}" for kind, code in CODES.items()})
"""The command that tells more of a kind."""


def page() -> str:
    """All of it, as Markdown."""
    with open(_PAGE, encoding="utf-8") as file:
        return file.read()


def explain(name: str) -> str:
    """What a kind means: its part of the page.

    By its word, its code or its event's name, in upper or lower case. Raises `KeyError`
    where there is no such kind.
    """
    word = name.lower().removeprefix("httpguard.").replace("-", "_")
    wanted = CODES.get(word, name.upper())
    for part in _HEADING.split(page())[1:]:
        if part.split(maxsplit=2)[1] == wanted:
            return part.rstrip() + "\n"
    raise KeyError(name)
