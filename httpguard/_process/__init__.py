"""The one guard of the process: its start and stop, forks, and the exit."""
