"""The agency that tests of people's rights are about."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.storage.house import House


@pytest.fixture
def house(any_engine: Engine) -> House:
    """Two clients and two people, on each engine in turn."""
    return House(any_engine)
