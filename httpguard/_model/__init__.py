"""Values: settings, leaks, snapshots, events, errors, scopes, redaction."""
