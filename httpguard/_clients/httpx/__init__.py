"""httpx and httpx2, sync and async: one client, since both are built alike."""
