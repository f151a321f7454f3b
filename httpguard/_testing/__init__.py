"""The guard of a test session: whose each response is, and what a test is told.

Imported by `pytest_plugin` when asked, one thing a module.
"""
