"""Stacks: how they are captured, whose code a file is, which frames run."""
