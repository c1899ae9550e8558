"""Pure functions on numbers and frames: no input or output, no clock, no settings, no logging."""
