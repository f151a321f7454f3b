"""Leases: opened, kept, judged, and grouped into leaks."""
