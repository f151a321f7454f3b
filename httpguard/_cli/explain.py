"""`httpguard explain`: what a kind of leak or an advice means."""

from __future__ import annotations

import difflib
import sys
from typing import Annotated

import typer

from .._model.kinds import CODES
from .._model.kinds import explain as text_of


def explain(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KIND]...",
            help="`dropped`, or the code that a report prints: `HG101`. None: the list"
            " of all.",
        ),
    ] = None,
) -> None:
    """Explain a kind of leak: what happened, the harm, programs and their repair.

    For example:

    - `httpguard explain dropped`

    - `httpguard explain HG103`
    """
    if not names:
        for kind, code in CODES.items():
            sys.stdout.write(f"{code}  {kind}\n")
        return
    for name in names:
        _show(name)


def _show(name: str) -> None:
    try:
        text = text_of(name)
    except KeyError:
        known = [*CODES, *CODES.values()]
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise typer.BadParameter(f"there is no kind {name!r}; {hint}") from None
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        sys.stdout.write(text)
