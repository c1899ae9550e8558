"""Numbered migrations, forward only, one change each with its reason."""
