"""The demo: a leaky program, the repaired one, and the shop they talk to.

The two programs run as a user's would: copied out of the package, each in a
process of its own, with its log as it comes.
"""
