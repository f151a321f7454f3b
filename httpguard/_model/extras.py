"""What a command needs beyond the library, and how to get it."""

from __future__ import annotations

from importlib.util import find_spec

from .errors import HTTPGuardError


class MissingExtraError(HTTPGuardError):
    """Packages are not installed; the message says which `pip install` helps.

    Args:
        extra: The extra that brings them.
        packages: What is missing.
    """

    def __init__(self, extra: str, packages: list[str]) -> None:
        """Say it in one sentence, the command on a line of its own."""
        names = " and ".join(packages)
        verb = "is" if len(packages) == 1 else "are"
        # Double quotes suit every shell, cmd.exe included.
        super().__init__(
            f"{names} {verb} not installed; this brings what is missing:\n"
            f'  python -m pip install "httpguard[{extra}]"\n'
            f'or, in a checkout, python -m pip install ".[{extra}]"'
        )


def require(extra: str, *packages: str) -> None:
    """Make sure that packages are installed, before a command begins its work.

    Args:
        extra: The extra that brings them.
        *packages: Their import names.

    Raises:
        MissingExtraError: One is not.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise MissingExtraError(extra, missing)
