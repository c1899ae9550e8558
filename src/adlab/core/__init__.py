"""Words, metrics, money, periods, roles and errors: no I/O, no clock, no settings."""
