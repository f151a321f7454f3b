"""The registry of the guard that is on, and what Python code opens in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from httpguard._process import process

if TYPE_CHECKING:
    import pytest

    from httpguard._leases.registry import Registry


def registry() -> Registry:
    guard = process.current()
    assert guard is not None
    return guard.registry


def begun_in(module: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The class of each response whose lease a module's `begin` opens, in Python."""
    responses: list[Any] = []
    begin = module.begin

    def counting(registry: Registry, client: Any, *args: Any, **kwargs: Any) -> None:
        responses.append(type(args[0]))
        begin(registry, client, *args, **kwargs)

    monkeypatch.setattr(module, "begin", counting)
    return responses
