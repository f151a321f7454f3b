"""Optional packages: what an extra brings, and how to get it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .errors import HTTPGuardError

if TYPE_CHECKING:
    from collections.abc import Sequence


class MissingExtraError(HTTPGuardError):
    """Packages are missing; the message says which `pip install` helps.

    Args:
        extra: What brings them; empty: none does.
    """

    def __init__(self, extra: str, packages: Sequence[str]) -> None:
        names = " and ".join(packages)
        verb = "is" if len(packages) == 1 else "are"
        if not extra:
            install = f"  python -m pip install {' '.join(packages)}"
            super().__init__(f"{names} {verb} not installed:\n{install}")
            return
        # Double quotes suit every shell, cmd.exe included.
        super().__init__(
            f"{names} {verb} not installed; this brings what is missing:\n"
            f'  python -m pip install "httpguard[{extra}]"\n'
            f"or, from where it was installed, "
            # Without -e a copy would take the place of an editable installation.
            f"python -m pip install {'-e ' if _installed()[1] else ''}"
            f'"{checkout() or "."}[{extra}]"'
        )


def checkout() -> str:
    """The directory that httpguard was installed from; empty: none that is there."""
    return _installed()[0]


def _installed() -> tuple[str, bool]:
    """As of `checkout`, and whether the installation is an editable one."""
    import json
    import os
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        told = distribution("httpguard").read_text("direct_url.json")
        origin = json.loads(told or "{}")
        parts = urlsplit(origin.get("url", ""))
        editable = bool(origin.get("dir_info", {}).get("editable"))
    except (PackageNotFoundError, ValueError, AttributeError):
        return "", False
    path = url2pathname(parts.path) if parts.scheme == "file" else ""
    return (path, editable) if path and os.path.isdir(path) else ("", False)


def require(extra: str, *modules: str) -> None:
    """Import what an extra brings (or none does), before the work that needs it begins.

    Of a namespace package the module that is needed. Raises `MissingExtraError` where
    one cannot be imported.
    """
    # A package that lacks one of its own is not there either: that one is named.
    missing = dict.fromkeys(filter(None, map(_what_lacks, modules)))
    if missing:
        raise MissingExtraError(extra, list(missing))


def _what_lacks(module: str) -> str | None:
    """What is missing where a module cannot be imported; None: it is imported."""
    try:
        import_module(module)
    except ImportError as error:
        return error.name or module
    return None
