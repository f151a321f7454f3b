"""The shop whose leaks are photographed."""
