"""`httpguard explain`, and the programs of its page: each does what the page says."""

from __future__ import annotations

import contextlib
import gc
import linecache
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
import urllib3

import httpguard
from httpguard import cli
from httpguard._model.kinds import CODES, MORE, explain, page
from httpguard._model.leak import LeakKind
from tests.program import ROOT

if TYPE_CHECKING:
    from tests.conftest import GuardControl
    from tests.server import Server

CODE = re.compile(r"```python\n(.+?)```", re.DOTALL)
PROGRAMS = [
    (kind, number, *pair)
    for kind in LeakKind
    for blocks in [CODE.findall(explain(kind))]
    for number, pair in enumerate(zip(blocks[::2], blocks[1::2], strict=True))
]


def run(code: str, name: str, url: str, times: int) -> list[Any]:
    """Call the last function of a program; what a program cannot say is here."""
    # The site's file is one of the application's own, and can be read.
    path = str(ROOT / f"{name}.py")
    linecache.cache[path] = (len(code), None, code.splitlines(keepends=True), path)
    space: dict[str, Any] = {
        "__name__": name,
        "contextlib": contextlib,
        "httpguard": httpguard,
        "httpx": httpx,
        "requests": requests,
        "urllib3": urllib3,
    }
    exec(compile(code, path, "exec"), space)
    last = re.findall(r"^def (\w+)", code, re.MULTILINE)[-1]
    kept: list[Any] = [space]
    for _ in range(times):
        with contextlib.suppress(httpguard.LeakError):
            space[last](url)
            continue
        kept.append("raised")
    return kept


def found(
    guard: GuardControl, kind: LeakKind, code: str, url: str
) -> list[tuple[str, int]]:
    guard.install(max_sessions=1)
    kept = run(code, f"explained_{kind}", url, 2 if kind is LeakKind.SESSION else 1)
    gc.collect()
    guard.check()
    if kind in {LeakKind.HELD, LeakKind.SESSION}:
        guard.advance(100)
    leaks = guard.check().leaks
    assert len(kept) == 1 + (kind is LeakKind.OPEN and bool(leaks))
    seen = [(str(leak.kind), leak.site.lineno) for leak in leaks]
    for value in kept[0].values():
        if isinstance(value, list):
            for one in value:
                getattr(one, "close", lambda: None)()
    return seen


@pytest.mark.parametrize(
    ("kind", "leaky", "repaired"),
    [(kind, leaky, repaired) for kind, _, leaky, repaired in PROGRAMS],
    ids=[f"{kind}-{number}" for kind, number, *_ in PROGRAMS],
)
def test_a_program_and_its_repair(
    kind: LeakKind,
    leaky: str,
    repaired: str,
    guard: GuardControl,
    server: Server,
) -> None:
    url = server.url("/bytes/90000")
    (line,) = (n for n, text in enumerate(leaky.splitlines(), 1) if "# leaks" in text)
    assert found(guard, kind, leaky, url) == [(kind.value, line)]
    httpguard.uninstall()
    assert found(guard, kind, repaired, url) == []


def test_there_are_three_programs_for_each_kind() -> None:
    assert [kind for kind, *_ in PROGRAMS] == [k for k in LeakKind for _ in range(3)]


def test_every_kind_is_explained() -> None:
    assert [*CODES][:5] == [kind.value for kind in LeakKind]
    for kind, code in CODES.items():
        text = explain(kind)
        assert text.startswith(f"## {code} {kind}\n")
        assert "**Harm.**" in text
        assert "**See it.**" in text
        assert MORE[kind] == f"httpguard explain {code}"


def test_the_page_of_the_docs_is_the_same_text() -> None:
    assert (ROOT / "docs" / "kinds.md").read_text("utf-8") == page()


@pytest.mark.parametrize(
    "name", ["dropped", "HG101", "hg101", "DROPPED", "pool_pressure", "session-churn"]
)
def test_a_name_or_a_code(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        cli.main(["explain", name])
    assert exited.value.code == 0
    assert capsys.readouterr().out == explain(name)


def test_without_a_name_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        cli.main(["explain"])
    assert exited.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{code}  {kind}" for kind, code in CODES.items()]


@pytest.mark.parametrize(
    ("name", "hint"), [("droped", "did you mean dropped?"), ("xyz", "known: dropped")]
)
def test_an_unknown_name(
    name: str,
    hint: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit) as exited:
        cli.main(["explain", name])
    assert exited.value.code == 2
    assert hint in " ".join(capsys.readouterr().err.split())
