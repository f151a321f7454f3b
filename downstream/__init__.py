"""Other projects' test suites, run without and with httpguard: no pass may be lost."""
