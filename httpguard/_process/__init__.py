"""The one guard of the process: its start and stop, forks, and the exit."""

from . import forks  # noqa: F401  # Has Python tell us of every fork.
