"""The guard: when to sweep, what to say, what to raise."""
