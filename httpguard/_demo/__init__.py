"""The demo: a leaky program, the same repaired, and the shop that it talks to.

It runs as a user's would: copied out of the package, each time in a process of its own,
with its log as it comes.
"""
