"""Pools that starve or are too small, slots given back, descriptors."""
