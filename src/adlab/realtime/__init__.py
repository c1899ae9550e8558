"""Telling running processes that something changed. Nothing is stored here."""
