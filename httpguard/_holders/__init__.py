"""The search for what still refers to a response."""
