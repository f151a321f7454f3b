"""The command `httpguard`. Needs the extra ``cli``: typer and rich."""

from __future__ import annotations

import io
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, NoReturn

from ._model.extras import MissingExtraError, require

if TYPE_CHECKING:
    from collections.abc import Sequence

# The commands that need another extra than ``cli``; it includes that one.
_EXTRAS: Final = {"demo": "demo"}
_INTERRUPTED: Final = 130
# Asked for most often, and by people who wait: it needs no import.
_HELP: Final = """\
Usage: httpguard [--version] [--help] COMMAND ...

Find the HTTP responses that a Python program never closes.

The library does the work: put import httpguard; httpguard.install() at the
start of your program, and each leak is a line in its log. These commands show
it and help with it. New here? Try httpguard demo.

  demo      Show what httpguard reports, on a program that leaks.
  run       Run a Python program and show the HTTP responses it leaked.
  explain   Explain a kind of leak: what happened, the harm, programs and their
            repair.
  report    Show which lines leak, most harmful first, out of any number of logs.
  top       Show what a running program holds open and leaks, live.
  attach    Show what a program holds open and leaks that runs without httpguard.
  baseline  Look after a baseline: the known leaks of an old code base.

For example:

  httpguard run app.py
  httpguard run --fail -m pytest tests
  httpguard explain dropped
  httpguard report leaks.jsonl

  --install-completion, --show-completion  For your shell.
  --version                                Print the version and exit.
  -h, --help                               Show this message, or a command's.

The commands need typer and rich:
  python -m pip install "httpguard[cli]"    (in a checkout: ".[cli]")
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit.

    The exit code is 0 if all went well, 1 if the command says so, 2 if it was
    called wrongly or an extra is missing, 130 after Ctrl-C.

    Args:
        arguments: What follows the command's name; None: that of the process.
    """
    _tolerate_any_encoding()
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        _run(words)
    except MissingExtraError as error:
        sys.stderr.write(f"httpguard: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _run(words: list[str]) -> NoReturn:
    """Hand over to typer, but for what needs none. Raises `MissingExtraError`."""
    if words[:1] == ["--version"]:
        from ._model.version import __version__

        sys.stdout.write(f"httpguard {__version__}\n")
        sys.exit(0)
    if words[:1] in ([], ["--help"], ["-h"]):
        sys.stdout.write(_HELP)
        sys.exit(0 if words else 2)
    if words[0] == "run":
        _run_quickly(words[1:])
    # Told in one go what it takes to run the command that was asked for.
    require(_EXTRAS.get("".join(words[:1]), "cli"), "typer", "rich")
    from ._cli.app import build

    build(words[0])(words, prog_name="httpguard")
    sys.exit(0)


def _run_quickly(words: list[str]) -> None:
    """Run a program, unless there is something to say about the command line.

    typer says that better, and is not imported before.
    """
    from ._run.options import read_quickly

    read = read_quickly(words)
    # The table at the end needs rich.
    if read is None or None in map(find_spec, ("typer", "rich")):
        return
    from ._model.errors import HTTPGuardError
    from ._run.child import end_like
    from ._run.start import prepare

    try:
        run = prepare(*read)
    except HTTPGuardError:  # Nothing has begun: typer comes to the same.
        return
    try:
        code = run.start()
    except HTTPGuardError as error:
        sys.stderr.write(f"httpguard run: {error}\n")
        sys.exit(2)
    end_like(code)


def _tolerate_any_encoding() -> None:
    """Print what a terminal's encoding has no sign for as a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    main()
