"""The live page in a real browser: Chromium without a screen, driven by selenium."""
