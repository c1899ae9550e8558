"""Use cases, one to a function: fetch, compute, store, tell. No door and no wiring lives here."""
