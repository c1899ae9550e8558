"""Looks for secrets in every tracked file; exit 1 names file and line, never the secret.

Run by CI, pre-commit and the tests. `detect-secrets` knows the common kinds where it is installed;
the patterns here are the ones this trade leaks: Meta app secrets and access tokens.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PATTERNS = {
    # Reason: an app secret is 32 hex digits; beside a word that says so it is never a checksum.
    "Meta app secret": re.compile(
        r"(?i)(app[_-]?secret|client[_-]?secret|secret[_-]?key)\W{1,6}[\"']?[0-9a-f]{32}\b"
    ),
    "Meta access token": re.compile(r"\bEAA[A-Za-z0-9]{30,}"),
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "cloud key": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "chat or code host token": re.compile(r"\b(xox[abp]-|gh[pousr]_)[A-Za-z0-9-]{20,}"),
    "password in an address": re.compile(
        r"\b(?:postgres(?:ql)?|rediss?|https?)://[^\s:/@\"'{}<>$…]+:"
        r"(?!password@|pw@|secret@|hidden@|wrong@|…)[^\s@\"'{}<>$…]{8,}@"
    ),
}
SKIPPED = {".png", ".jpg", ".woff2", ".ico", ".xlsx"}
# Reason: detect-secrets' entropy guesses flag hashes and ids; these of its detectors do not.
DETECTORS = (
    "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "GitHubTokenDetector",
    "JwtTokenDetector", "PrivateKeyDetector", "SlackDetector", "StripeDetector",
    "TwilioKeyDetector",
)  # fmt: skip


def tracked() -> list[Path]:
    """Files git tracks, or every file where there is no git."""
    try:
        out = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, check=True, text=True,
        ).stdout  # fmt: skip
        return [ROOT / name for name in out.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        return [p for p in ROOT.rglob("*") if p.is_file()]


def scan_text(text: str) -> list[tuple[int, str]]:
    """Line numbers and kinds of what looks like a secret."""
    return [
        (number, kind)
        for number, line in enumerate(text.splitlines(), 1)
        for kind, pattern in PATTERNS.items()
        if pattern.search(line) and "allowlist secret" not in line
    ]


def scan() -> list[str]:
    """Every finding as `file:line: kind`."""
    found = []
    for path in tracked():
        if path.suffix in SKIPPED or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}:{n}: {kind}" for n, kind in scan_text(text)]
    return found + _library_findings()


def _library_findings() -> list[str]:
    try:
        from detect_secrets import SecretsCollection
        from detect_secrets.settings import transient_settings
    except ImportError:
        return []
    secrets = SecretsCollection()
    with transient_settings({"plugins_used": [{"name": name} for name in DETECTORS]}):
        for path in tracked():
            if path.is_file() and path.suffix not in SKIPPED:
                secrets.scan_file(str(path))
    lines = []
    for name, found in secrets:
        # Reason: examples and tests write addresses with plainly invented passwords.
        line = Path(name).read_text(encoding="utf-8").splitlines()[found.line_number - 1]
        if found.type == "Basic Auth Credentials" and not PATTERNS["password in an address"].search(
            line
        ):
            continue
        if "allowlist secret" in line:
            continue
        lines.append(f"{Path(name).relative_to(ROOT)}:{found.line_number}: {found.type}")
    return lines


def main() -> int:
    """Print findings; 1 when there are any."""
    found = scan()
    for line in found:
        print(line)
    print(f"secret scan: {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
