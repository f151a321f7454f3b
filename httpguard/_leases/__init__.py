"""Leases: opened, kept, judged, and grouped into leaks.

`now` is seconds of the guard's clock, here and in `_pools` and `_pressure`.
"""
