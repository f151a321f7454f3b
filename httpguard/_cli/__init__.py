"""The commands of `httpguard`, one module each; `app` puts them together."""
