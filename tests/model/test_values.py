"""Frozen values: equal, hashable, pickled, copied, and complete."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest
import requests

import httpguard
from httpguard import Counters, LeakKind, Settings, Snapshot
from httpguard._model.tally import drain
from tests.program import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server

KEYS = {
    *(kind.value for kind in LeakKind),
    *("opened", "released", "closed", "leaks", "resolved", "excused", "errors"),
    *("connected", "reused", "discarded", "waited", "reclaimed"),
    *("too_many_open", "pool_starved", "held_closed"),
}


@pytest.fixture
def snapshot(guard: GuardControl, server: Server) -> Snapshot:
    """One of everything."""
    guard.install()
    requests.get(server.url("/bytes/90000"), stream=True)
    with requests.get(server.url("/bytes/90000"), stream=True):
        return guard.check()


@pytest.mark.parametrize(
    "again",
    [
        copy.copy,
        copy.deepcopy,
        lambda value: pickle.loads(pickle.dumps(value)),
        dataclasses.replace,
    ],
    ids=["copy", "deepcopy", "pickle", "replace"],
)
def test_values_survive_a_copy(snapshot: Snapshot, again: Callable[[Any], Any]) -> None:
    values: tuple[Any, ...] = (snapshot, *snapshot.leaks, *snapshot.open)
    values += (*snapshot.pools, snapshot.counters, Snapshot(), Counters(), Settings())
    assert len(values) == 8
    for value in values:
        assert again(value) == value
        assert hash(again(value)) == hash(value)
        assert type(again(value)) is type(value)


def test_a_snapshot_as_a_dict(snapshot: Snapshot) -> None:
    plain = dataclasses.asdict(snapshot)
    assert plain["counters"] == dict(snapshot.counters)
    assert plain["leaks"][0]["count"] == 1
    for value in (snapshot, Snapshot(), snapshot.leaks[0], snapshot.open[0]):
        json.dumps(value.to_dict())
    assert json.loads(json.dumps(snapshot.to_dict()))["counters"]["dropped"] == 1


@pytest.mark.parametrize("installed", [False, True])
def test_every_counter_is_there(guard: GuardControl, installed: bool) -> None:  # noqa: FBT001
    if installed:
        guard.install()
    for state in (httpguard.snapshot(), httpguard.check(), Snapshot()):
        assert {*state.counters} == KEYS
        assert dict(state.counters) == dict.fromkeys(KEYS, 0)
        assert state.counters["leaks"] == state.counters.leaks == 0


def test_every_counter_is_there_where_something_failed(
    guard: GuardControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.install()
    monkeypatch.setattr("httpguard._guard.guard.take_snapshot", lambda *_, **__: 1 / 0)
    counters = httpguard.snapshot().counters
    assert (counters["errors"], counters["leaks"]) == (1, 0)


def test_counters_are_a_frozen_mapping(snapshot: Snapshot) -> None:
    counters = snapshot.counters
    assert counters == dict(counters)
    assert counters != {}
    assert (len(counters), counters.get("dropped"), counters.get("x")) == (20, 1, None)
    assert "__len__" not in counters
    assert (counters.opened, counters["opened"]) == (2, 2)
    with pytest.raises(KeyError):
        counters["x"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        counters.opened = 3  # type: ignore[misc]  # what is tested
    with pytest.raises(TypeError):
        counters["opened"] = 3  # type: ignore[index]  # what is tested


def test_a_leak_reads_as_its_report(
    snapshot: Snapshot, caplog: pytest.LogCaptureFixture
) -> None:
    (leak,) = snapshot.leaks
    text = str(leak)
    assert text.startswith("leak dropped ")
    assert f"test_values.py:{leak.site.lineno} in snapshot" in text
    assert 'requests.get(server.url("/bytes/90000"), stream=True)' in text
    assert leak.hint in text
    assert text in [record.getMessage() for record in caplog.get_records("setup")]


def test_a_leak_reads_so_where_it_was_sent_to(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    path = tmp_path / "leak"
    path.write_bytes(pickle.dumps(snapshot.leaks[0]))
    source = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')))"
    done = run("-W", "ignore", "-c", source, path)
    assert done.stdout.strip() == str(snapshot.leaks[0]).strip()


def test_a_leak_reads_somehow_whatever_fails(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("httpguard._text.leaks.describe", lambda _: 1 / 0)
    (leak,) = snapshot.leaks
    assert str(leak) == f"leak dropped {leak.site}"


def test_numbers_are_rounded_to_what_they_are_worth(
    guard: GuardControl, server: Server
) -> None:
    guard.install(max_idle=1)
    held = requests.get(server.url("/bytes/90000"), stream=True)
    guard.advance(100 / 3)
    content = guard.check().to_dict()
    held.close()
    ages = [row[key] for row in content["leaks"] for key in ("age", "idle")]
    ages += [row[key] for row in content["open"] for key in ("age", "idle")]
    assert ages == [33.333] * 4


class Emptied(deque[int]):
    """A queue whose last item another thread takes as soon as it was seen."""

    def __bool__(self) -> bool:
        return True


def test_a_queue_may_be_emptied_by_another_thread() -> None:
    assert list(drain(Emptied([1, 2]))) == [1, 2]
    assert list(drain(deque([1, 2]))) == [1, 2]
