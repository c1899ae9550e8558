"""Where the doors are, with and without the hub."""

from __future__ import annotations

from adlab.ui.places import Places, read_places


def test_without_a_hub_everything_lies_at_the_top() -> None:
    assert read_places({}) == Places("/", "/boards/", "/logout", "")


def test_behind_the_hub_pages_and_boards_are_its_services() -> None:
    given = {"JUPYTERHUB_SERVICE_PREFIX": "/services/boards/", "JUPYTERHUB_BASE_URL": "/"}
    assert read_places(given) == Places(
        "/services/web/", "/services/boards/", "/hub/logout", "/hub/spawn"
    )


def test_a_hub_below_a_path_moves_every_door() -> None:
    given = {"JUPYTERHUB_SERVICE_PREFIX": "/x/services/web/", "JUPYTERHUB_BASE_URL": "/x"}
    assert read_places(given).boards == "/x/services/boards/"
