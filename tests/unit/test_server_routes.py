"""Which resource a path names, and what is told of one that names none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from aggregator.errors import ResourceUnknown
from aggregator.server.routes import parse_target, service_target


def site(*names: str) -> Any:
    return cast(Any, SimpleNamespace(registry=SimpleNamespace(groups=dict.fromkeys(names))))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/wsrf/services/One", ("group", "One", "")),
        ("/wsrf/services/One/", ("group", "One", "")),
        ("/wsrf/services/OneEntry", ("entry", "One", "")),
        ("/wsrf/services/OneEntry/k", ("entry", "One", "k")),
        ("/wsrf/services/One/k", None),
        ("/wsrf/services/OneEntry/k/more", None),
        ("/wsrf/services/Entry", None),
        ("/One", None),
    ],
)
def test_a_path_names_a_resource(path: str, found: tuple[str, str, str] | None) -> None:
    target = parse_target(path, {"One": None})
    assert (target and (target.kind, target.group, target.key)) == found


def test_who_asks_for_no_group_is_told_which_there_are() -> None:
    with pytest.raises(ResourceUnknown) as told:
        service_target(site("Two", "One"), "/wsrf/services/Three")
    assert str(told.value).endswith("are /wsrf/services/One, /wsrf/services/Two")


def test_of_very_many_groups_some_are_told() -> None:
    with pytest.raises(ResourceUnknown) as told:
        service_target(site(*(f"G{number:03}" for number in range(300))), "/" + "x" * 5000)
    text = str(told.value)
    assert text.endswith("/wsrf/services/G049 and 250 more")
    assert len(text) < 2000
