"""`adlab.connect()`: from the environment to a Workbench."""

from __future__ import annotations

from adlab.workbench.lab import Workbench


def connect() -> Workbench:
    """Open the workbench of whoever you are.

    With `ADLAB_DATABASE__URL` set, that login is used as it is and decides what you see. Without
    it you are the owner of the local, embedded store, which is started if it does not run.

    Raises:
        AccessDeniedError: If the login has expired or is unknown.
        SchemaOutOfDateError: If the store needs another version of adlab.
        DatabaseUnavailableError: If the store cannot be reached.
        SettingsError: If a variable is wrong.
    """
    from adlab.runtime import open_reader

    return Workbench(open_reader())
