"""Modules that pytest loads inside the suites by `-p`, this folder on its path."""
