"""http.client and urllib.request: one client, since the one is below the other."""
