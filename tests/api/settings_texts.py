"""Writes what is said of the settings elsewhere; run it after a change of theirs."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Final

from httpguard import Settings
from httpguard._model.settings import TABLE

ROOT: Final = Path(__file__).parents[2]
INSTALL: Final = ROOT / "httpguard/_api/install.py"
PAGE: Final = ROOT / "docs" / "settings.md"
_WIDTH: Final = 88
_SIGNATURE: Final = re.compile(
    r"(?<=^def install\(\n    \*,\n).*?(?=^\) -> None:)", re.DOTALL | re.MULTILINE
)
_ARGUMENTS: Final = re.compile(
    r"(?<=^    Args:\n        )\S.*?(?=\n\n    Raises:\n        ConfigError)",
    re.DOTALL | re.MULTILINE,
)
_ROWS: Final = re.compile(
    r"(?<=^\| setting \| default \| meaning \|\n\|---\|---\|---\|\n).*?(?=^\n|\Z)",
    re.DOTALL | re.MULTILINE,
)


def signature() -> str:
    """The parameters of `install`."""
    defaults = Settings()
    return "".join(
        f"    {name}: {setting.check.takes} = {_literal(getattr(defaults, name))},\n"
        for name, setting in TABLE.items()
    )


def arguments() -> str:
    """What `install`'s docstring says of them."""
    return "\n".join(
        textwrap.fill(
            f"{name}: {setting.text}",
            _WIDTH,
            initial_indent=" " * 8,
            subsequent_indent=" " * 12,
            break_on_hyphens=False,
            break_long_words=False,
        )
        for name, setting in TABLE.items()
    ).strip()


def rows() -> str:
    """The rows of the table in docs/settings.md."""
    return "".join(
        f"| `{name}` | {_shown(name)} | {setting.text} |\n"
        for name, setting in TABLE.items()
    )


def _shown(name: str) -> str:
    """A default as people read it."""
    setting, default = TABLE[name], getattr(Settings(), name)
    if setting.shown:
        return setting.shown
    if default is None or default == ():
        return "none"
    return (
        f"`{default:g}`{setting.check.unit}"
        if type(default) is float
        else f"`{default}`"
    )


def _literal(default: object) -> str:
    """A default in Python, as ruff formats it."""
    return f'"{default}"' if isinstance(default, str) else repr(default)


def written() -> dict[Path, str]:
    """The files as they should be."""
    install, page = INSTALL.read_text("utf-8"), PAGE.read_text("utf-8")
    install = _SIGNATURE.sub(lambda _: signature(), install, count=1)
    install = _ARGUMENTS.sub(lambda _: arguments(), install, count=1)
    return {INSTALL: install, PAGE: _ROWS.sub(lambda _: rows(), page, count=1)}


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text, "utf-8")
