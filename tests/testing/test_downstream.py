"""What `python -m downstream --plugin` reads of a suite that is guarded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from downstream.plugins import downstream_plugin

from .suites import LEAKS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from .suites import Suite

pytest_plugins = ["pytester"]


def test_each_leak_is_written_down_with_its_tests(
    suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.test(
        """
        def test_one():
            shop.status()

        def test_another():
            shop.status()

        def test_innocent():
            shop.opened().close()
        """
    )
    written = tmp_path / "found.json"
    monkeypatch.setenv(downstream_plugin.LEAKS, str(written))

    suite.run(plugins=(downstream_plugin.__name__,))

    found = json.loads(written.read_text("utf-8"))
    assert found["counters"]["leaks"] == 2
    (leak,) = found["leaks"]
    assert (leak["kind"], leak["count"], leak["site"]["lineno"]) == (
        "dropped",
        2,
        LEAKS,
    )
    assert leak["site"]["filename"] == str(suite.path / "shop.py")
    assert leak["tests"] == ["test_it.py::test_one", "test_it.py::test_another"]
