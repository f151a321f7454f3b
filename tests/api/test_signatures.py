"""What tools are told of the public names: signatures, types, help."""

from __future__ import annotations

import inspect
import pickle
import pydoc
import types
import typing
from typing import Any

import pytest

import httpguard
from httpguard import Settings
from httpguard._model.settings import TABLE
from tests.api.settings_texts import written
from tests.program import run

FUNCTIONS = [
    name for name in httpguard.__all__ if inspect.isfunction(getattr(httpguard, name))
]


def test_install_shows_real_defaults_and_types() -> None:
    parameters = inspect.signature(httpguard.install).parameters
    defaults = Settings()
    assert {name: each.default for name, each in parameters.items()} == {
        name: getattr(defaults, name) for name in TABLE
    }
    assert {name: each.annotation for name, each in parameters.items()} == {
        name: setting.check.takes for name, setting in TABLE.items()
    }
    assert {each.kind for each in parameters.values()} == {
        inspect.Parameter.KEYWORD_ONLY
    }
    shown = pydoc.plain(pydoc.render_doc(httpguard.install))
    # As text before CPython 3.14.
    assert "max_idle: float = 60.0" in shown.replace("'", "")
    assert "object at 0x" not in shown


@pytest.mark.parametrize("path", written(), ids=lambda path: path.name)
def test_what_is_said_of_the_settings_is_what_they_are(path: Any) -> None:
    """If it is not: python -m tests.api.settings_texts."""
    assert path.read_text("utf-8") == written()[path]


def test_a_default_that_is_given_beats_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPGUARD_SAMPLE", "half")
    httpguard.install(sample=1.0, check_interval=0)
    httpguard.uninstall()
    with pytest.raises(httpguard.ConfigError, match="HTTPGUARD_SAMPLE"):
        httpguard.install(check_interval=0)


def test_a_call_that_is_wrong_says_what_is() -> None:
    with pytest.raises(TypeError, match=r"install\(\) got an unexpected .* 'max_idel'"):
        httpguard.install(max_idel=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"install\(\) takes 0 positional"):
        httpguard.install(3)  # type: ignore[call-arg,arg-type]
    with pytest.raises(httpguard.ConfigError, match=r"^max_idle='x' is not accepted"):
        httpguard.install(max_idle="x")  # type: ignore[arg-type]


def test_install_is_a_function_like_any_other() -> None:
    assert httpguard.install.__name__ == "install"
    assert inspect.isfunction(httpguard.install)
    assert pickle.loads(pickle.dumps(httpguard.install)) is httpguard.install


@pytest.mark.parametrize("name", httpguard.__all__)
def test_types_can_be_asked_for(name: str) -> None:
    value = getattr(httpguard, name)
    typing.get_type_hints(value)
    for attribute in vars(value).values() if inspect.isclass(value) else ():
        if isinstance(attribute, types.FunctionType):
            typing.get_type_hints(attribute)


def ours(hint: Any) -> set[type]:
    """The classes of httpguard that a type is made of."""
    found = set().union(*(ours(part) for part in typing.get_args(hint)))
    if inspect.isclass(hint) and hint.__module__.startswith("httpguard"):
        found.add(hint)
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_a_function_takes_and_returns_is_exported(name: str) -> None:
    exported = {getattr(httpguard, each) for each in httpguard.__all__}
    for hint in typing.get_type_hints(getattr(httpguard, name)).values():
        assert ours(hint) <= exported


@pytest.mark.parametrize("name", ["Counters", "Leak", "OpenResponse", "Snapshot"])
def test_the_fields_of_values_are_of_exported_types(name: str) -> None:
    exported = {getattr(httpguard, each) for each in httpguard.__all__}
    for hint in typing.get_type_hints(getattr(httpguard, name)).values():
        assert ours(hint) <= exported


def test_what_is_returned_is_of_the_type_that_is_said() -> None:
    pytest.importorskip("opentelemetry")
    with httpguard.serve() as page:
        assert isinstance(page, httpguard.Page)
    assert isinstance(httpguard.wsgi_app(), httpguard.WSGIApplication)
    assert isinstance(httpguard.asgi_app(), httpguard.ASGIApplication)
    made = httpguard.instrument_opentelemetry()
    made.close()
    assert isinstance(made, httpguard.Instrumentation)
    assert isinstance(httpguard.check(), httpguard.Snapshot)
    assert isinstance(httpguard.snapshot().counters, httpguard.Counters)


def test_the_help_of_run_says_the_same() -> None:
    done = run("-m", "httpguard", "run", "--help", env={"COLUMNS": "200"})
    words = " ".join(done.stdout.replace("`", "").replace("│", " ").split())
    for name in ("strict", "log", "max_idle", "max_open", "app", "ignore"):
        text = " ".join(TABLE[name].text.replace("`", "").split())
        assert text in words, name
    assert f"Default: {Settings().max_idle:g}." in words
