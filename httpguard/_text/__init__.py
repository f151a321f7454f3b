"""Events and values as text that a person reads."""
