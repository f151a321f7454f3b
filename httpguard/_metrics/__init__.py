"""The state of the guard as numbers for monitoring systems."""
