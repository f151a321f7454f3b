"""Leaks that are known and accepted, kept in a file under version control."""
