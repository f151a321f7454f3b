"""Lines whose stacks are kept in brief, and those that are not trusted any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from httpguard._stacks import sites
from httpguard._stacks.ownership import Origins
from httpguard._stacks.sites import Proven

if TYPE_CHECKING:
    from types import CodeType

MOST = 50


@pytest.fixture(autouse=True)
def few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "_MOST_PLACES", MOST)


def made(number: int) -> CodeType:
    return compile("...", f"/application/file_{number}.py", "exec")


def stack(code: CodeType) -> tuple[Any, ...]:
    return (code, 0) * 20


def learn(proven: Proven, code: CodeType, origins: Origins) -> None:
    for _ in range(100):
        proven.learn(stack(code), origins, in_task=False)


def test_whom_it_distrusts_is_never_forgotten() -> None:
    proven, origins = Proven(32), Origins()
    leaky = made(0)
    proven.distrust((leaky, 0))
    others = [made(number) for number in range(1, 10 * MOST)]
    for code in others:
        learn(proven, code, origins)
    assert len(proven) > 0
    learn(proven, leaky, origins)
    assert id(leaky) not in proven
    assert len(proven) <= MOST


def test_where_too_many_leak_it_trusts_nobody() -> None:
    proven, origins = Proven(32), Origins()
    codes = [made(number) for number in range(3 * MOST)]
    for code in codes:
        proven.distrust((code, 0))
    for code in codes:
        learn(proven, code, origins)
    assert len(proven) == 0
