"""Headless Chromium for browser tests and benchmarks."""

from __future__ import annotations

import shutil

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]  # fmt: skip


def chromium() -> str:
    """Path of the browser.

    Raises:
        FileNotFoundError: If there is none; says what to install.
    """
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise FileNotFoundError("no Chromium; on Debian: apt-get install chromium")
