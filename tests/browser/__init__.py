"""The live page in a real browser: Chromium without a screen, driven by selenium.

`axe.min.js` is axe-core 4.14.1 (https://github.com/dequelabs/axe-core), under the
Mozilla Public License 2.0, unchanged.
"""
