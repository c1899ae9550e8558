"""One person's data and analyses, for notebooks and dashboards.

`connect()` is in `adlab`; here live the Workbench it returns, its clients and its frames. Nothing
here holds a Meta token or the owner's password.
"""

from adlab.workbench.client import Client
from adlab.workbench.frames import InsightsFrame
from adlab.workbench.lab import Workbench

__all__ = ["Client", "InsightsFrame", "Workbench"]
