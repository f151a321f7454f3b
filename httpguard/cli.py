"""The command `httpguard`. Needs the extra ``cli``: typer and rich."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Final, NoReturn

from ._model.extras import MissingExtraError, require

if TYPE_CHECKING:
    from collections.abc import Sequence

# The commands that need another extra than ``cli``; it includes that one.
_EXTRAS: Final = {"demo": "demo", "report": "report"}


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit.

    The exit code is 0 if all went well, 1 if the command says so, 2 if it was
    called wrongly or an extra is missing.

    Args:
        arguments: What follows the command's name; None: that of the process.
    """
    _tolerate_any_encoding()
    try:
        _run(sys.argv[1:] if arguments is None else list(arguments))
    except MissingExtraError as error:
        sys.stderr.write(f"httpguard: {error}\n")
        sys.exit(2)


def _run(arguments: list[str]) -> NoReturn:
    """Hand over to typer.

    Raises:
        MissingExtraError: A package that the command needs is not installed.
    """
    # Told in one go what it takes to run the command that was asked for.
    require(_EXTRAS.get("".join(arguments[:1]), "cli"), "typer", "rich")
    from ._cli.app import build

    build()(arguments, prog_name="httpguard")
    sys.exit(0)


def _tolerate_any_encoding() -> None:
    """Print what a terminal's encoding has no sign for as a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    main()
