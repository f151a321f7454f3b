"""Faults in every function of httpguard, found by looking and not by a list."""
