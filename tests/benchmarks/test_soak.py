"""`benchmarks.soak`: its services in a short form, and what it says of a wrong log."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
from typing import TYPE_CHECKING

import pytest

from benchmarks import soak
from benchmarks._soak_memory import is_flat, peaks
from benchmarks._soak_run import Plan, Result, judged, run
from benchmarks.services.settings import Orders
from benchmarks.services.truth import Reader

if TYPE_CHECKING:
    from pathlib import Path

PLAN = Plan(requests=200, seconds=None, seed=3, max_idle=1.0)
KINDS = {"dropped", "held", "open", "session"}

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="services fork")


@pytest.mark.parametrize("name", soak.SERVICES)
def test_each_leak_of_a_service_is_counted(name: str, tmp_path: Path) -> None:
    service = soak.service_of(name)
    for package in service.packages:
        pytest.importorskip(package)
    result = run(service, PLAN, tmp_path)
    said = (tmp_path / "output.txt").read_text("utf-8", "replace")
    assert not result.faults, (result.failed, said[-10_000:])
    assert result.requests >= PLAN.requests
    assert {row.kind for row in result.rows if row.made} >= KINDS
    assert len(result.injected) >= 5
    if name == "celery":
        one_less_and_one_more(Orders("", PLAN.seed, tmp_path, PLAN.max_idle))


def one_less_and_one_more(orders: Orders) -> None:
    """Alter the truth by one leak, and judge again."""
    lines = orders.diary.read_text().splitlines()
    leak = next(line for line in lines if '"leaked": "left_open"' in line)
    name = json.loads(leak)["leaked"]
    for altered, missed, false in (
        ([line for line in lines if line is not leak], 0, 1),
        ([*lines, leak], 1, 0),
    ):
        orders.diary.write_text("".join(line + "\n" for line in altered))
        rows = judged(orders, Reader(orders.diary).read())
        wrong = [row for row in rows if not row.is_right]
        assert [(row.name, row.missed, row.false) for row in wrong] == [
            (name, missed, false)
        ]


def made_up(**changes: object) -> Result:
    steady = [50.0] * 10
    result = Result(
        requests=10_000,
        seconds=1.0,
        interrupted=False,
        processes=1,
        unfinished=0,
        code=0,
        errors=0,
        failed={},
        injected={},
        rows=[],
        resident=[*steady],
        kept=[*steady],
    )
    return dataclasses.replace(result, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Every leak counted to the one"),
        ({"unfinished": 1}, "1 processes that did not end by themselves"),
        ({"code": -9}, "the service ended with -9"),
        ({"errors": 2}, "2 failures inside httpguard"),
        ({"failed": {"read: OSError": 3}}, "3 errors of the service"),
        ({"kept": [50.0] * 9 + [56.0]}, "httpguard's containers grew"),
        ({"resident": [50.0] * 9 + [56.0]}, "resident memory grew"),
        ({"requests": 0}, "no request was made"),
    ],
)
def test_the_exit_code_says_whether_all_is_right(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, object],
    said: str,
) -> None:
    monkeypatch.setattr(soak, "run", lambda *_: made_up(**changes))
    monkeypatch.setattr(soak, "find_spec", lambda _: object())
    with pytest.raises(SystemExit) as ended:
        soak.main(["celery"])
    assert ended.value.code == (1 if changes else 0)
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["uwsgi"], "invalid choice: 'uwsgi'"),
        (["celery", "--requests", "5"], "--requests: 5 is not 200 or more"),
        (["celery", "--seconds", "0"], "--seconds: 0 is not more than 0"),
        (["celery", "--seed", "x"], "invalid int value: 'x'"),
    ],
)
def test_what_makes_no_sense_is_an_error(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        soak.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        soak, "find_spec", lambda name: None if name == "gevent" else found(name)
    )
    with pytest.raises(SystemExit) as ended:
        soak.main(["gunicorn-gevent"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "gunicorn-gevent needs gevent, which is not installed" in said


def test_memory_is_flat_when_its_peaks_are() -> None:
    readings = [(float(second), 100.0 + second % 5) for second in range(100)]
    found = peaks(readings, 0.0, 100.0)
    assert found == [104.0] * 10
    assert is_flat(found)
    assert not is_flat([*found[:-1], 115.0])
    assert is_flat([None] * 10) is None
