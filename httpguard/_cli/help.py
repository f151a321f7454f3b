"""Commands whose help has no types: flags take no value, the others name theirs."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


class PlainCommand(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return [_plain(param) for param in super().get_params(ctx)]

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """``[OPTIONS] FILE...``, without the braces of a required argument."""
        arguments = [
            param.metavar or param.name.upper()
            for param in self.get_params(ctx)
            if param.param_type_name == "argument"
        ]
        return [self.options_metavar, *arguments]


class PlainGroup(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return [_plain(param) for param in super().get_params(ctx)]


def _plain(param: Any) -> Any:
    """A parameter whose type is not shown where it tells nothing."""
    if getattr(param, "is_flag", False):
        param.metavar = ""
    elif param.param_type_name == "argument":
        # Of typer 0.20 and later: its metavar is the name alone.
        param.display_type_rich = lambda ctx: ""  # noqa: ARG005
    elif param.metavar is None and hasattr(param, "display_type"):
        param.display_type_rich = lambda ctx: _label(param.display_type(ctx))
    return param


def _label(label: str) -> str:
    """A type as a person reads it: ``<list[a|b]>`` is ``a|b``."""
    label = label.strip("<>")
    if label.startswith("list["):
        label = label[len("list[") : -1]
    words = {"int": "NUMBER", "int range": "NUMBER", "float": "NUMBER", "str": "TEXT"}
    return words.get(label, label)
