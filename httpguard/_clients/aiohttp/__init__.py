"""aiohttp: responses of sessions, connectors as pools."""
