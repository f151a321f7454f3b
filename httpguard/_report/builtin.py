"""Functions of an engine that Ibis has no name for."""

from __future__ import annotations

from typing import Any

import ibis


def builtin(name: str, inputs: tuple[Any, ...], output: Any) -> Any:
    """A function that the engine has, as one that makes Ibis expressions.

    Args:
        name: As the engine calls it.
        inputs: The types of its one or two arguments.
        output: The type of its result.
    """

    def one(first: Any) -> Any:
        """Stands for a function of one argument; never called."""

    def two(first: Any, second: Any) -> Any:
        """Stands for a function of two arguments; never called."""

    # Ibis reads the parameters off a function whose body it never runs.
    shape = one if len(inputs) == 1 else two
    return ibis.udf.scalar.builtin(shape, name=name, signature=(inputs, output))
