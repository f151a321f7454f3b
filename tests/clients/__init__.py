"""The clients: requests and urllib3."""
