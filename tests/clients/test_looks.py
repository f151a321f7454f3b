"""What a program can ask of the functions that are patched: as without httpguard."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import sys
import types
import typing
from importlib import import_module
from typing import Any
from unittest import mock

import pytest

import httpguard

PACKAGES = {
    "urllib3": ["urllib3"],
    "requests": ["requests"],
    "httpx": ["httpx", "httpcore"],
    "httpx2": ["httpx2", "httpcore2"],
    "aiohttp": ["aiohttp"],
    "http.client": ["http", "urllib"],
}


def functions(packages: list[str]) -> dict[tuple[Any, str], Any]:
    """What modules and classes of these packages have, by where it lies."""
    modules = [
        module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in packages
    ]
    owners = {
        kind: None
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and kind.__module__.partition(".")[0] in packages
    }
    return {
        (owner, name): value
        for owner in [*modules, *owners]
        for name, value in list(vars(owner).items())
        if callable(value)
    }


def asked(function: Any, question: Any) -> object:
    """An answer, or what kind of error it is."""
    try:
        return question(function)
    except Exception as error:
        return type(error)


def autospec(function: Any) -> object:
    double = mock.create_autospec(function)
    return inspect.signature(double), asyncio.iscoroutinefunction(double)


NAMES = ["__name__", "__qualname__", "__module__", "__doc__", "__annotations__"]
QUESTIONS: list[Any] = [
    type,
    inspect.signature,
    inspect.getfullargspec,
    inspect.getsource,
    inspect.getdoc,
    inspect.getmodule,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
    asyncio.iscoroutinefunction,
    typing.get_type_hints,
    autospec,
    lambda function: [getattr(function, name) for name in NAMES],
    lambda function: copy.deepcopy(function) is function,
    lambda function: pickle.loads(pickle.dumps(function)) is function,
]
if sys.version_info >= (3, 12):  # Below, asyncio alone can be told.
    QUESTIONS.insert(0, inspect.iscoroutinefunction)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Of asyncio's, in 3.14.
@pytest.mark.parametrize("name", PACKAGES)
def test_what_is_patched_answers_as_before(name: str) -> None:
    try:
        import_module(name)
    except ImportError:
        pytest.skip(f"{name} is not installed")
    packages = PACKAGES[name]
    before = functions(packages)
    httpguard.install()
    try:
        changed = {
            place: value
            for place, value in functions(packages).items()
            if place in before and value is not before[place]
        }
        during = looks(changed)
    finally:
        httpguard.uninstall()
    assert functions(packages) == before
    assert changed
    known = (sys.modules.get("requests.sessions"), "dispatch_hook")
    for place, answers in looks({place: before[place] for place in changed}).items():
        if place == known:  # Its name says that it lies in `requests.hooks`.
            assert answers.pop() is True
            assert during[place].pop() is pickle.PicklingError
        assert during[place] == answers, place


def looks(found: dict[tuple[Any, str], Any]) -> dict[tuple[Any, str], list[object]]:
    return {
        place: [asked(function, question) for question in QUESTIONS]
        for place, function in found.items()
        if isinstance(function, types.FunctionType)
    }
