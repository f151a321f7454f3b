"""The options of httpguard run, read quickly and by typer."""

from __future__ import annotations

from typing import Any

import pytest
from typer.main import get_command

from httpguard._cli.app import build
from httpguard._run.options import Options, read_quickly

COMMAND: Any = get_command(build("run")).commands["run"]  # type: ignore[attr-defined]
OWN = [option for option in COMMAND.params if option.opts[0].startswith("--")]


def by_typer(words: list[str]) -> tuple[list[str], Options]:
    found = COMMAND.make_context("run", list(words)).params
    program = list(found.pop("program"))
    for name in ("app", "ignore"):
        found[name] = tuple(found[name] or ())
    return program, Options(**found)


@pytest.mark.parametrize("option", OWN, ids=lambda option: str(option.name))
def test_both_read_every_option_alike(option: Any) -> None:
    own = [option.opts[0]] if option.is_flag else [option.opts[0], "-x", option.opts[0]]
    own += [] if option.is_flag else ["y"]
    for rest in (["x.py", "--log", "z"], ["-m", "x", "--"], ["--", "x"], ["-", "-"]):
        read = read_quickly([*own, *rest])
        assert read == by_typer([*own, *rest])
        assert read is not None
        assert read[1] != Options()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--"],
        ["--help"],
        ["--log"],
        ["--log=x", "y"],
        ["--bogus", "x"],
        ["-z", "x"],
    ],
)
def test_what_is_not_spelled_out_is_left_to_typer(words: list[str]) -> None:
    assert read_quickly(words) is None
