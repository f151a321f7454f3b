"""The public functions and scopes."""
