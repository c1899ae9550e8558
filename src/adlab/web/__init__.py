"""The doors for browsers: the web process (pages, login, health) and the boards process (Panel)."""
