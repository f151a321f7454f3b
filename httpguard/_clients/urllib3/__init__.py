"""urllib3 1.26 and 2.x."""
