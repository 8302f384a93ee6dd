"""Numbers of an archive as JSON, at its group's address: ``?series=NAME``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial

from aggregator.archive.series import Plot, plot, plotted
from aggregator.archive.showing import as_json
from aggregator.config.kinds import Refused
from aggregator.config.measures import duration
from aggregator.errors import RequestError
from aggregator.server.site import Site
from aggregator.store.archive_series_reading import series_names
from aggregator.wire.times import parse_datetime

_PARTS = ("series", "member", "entry", "from", "to", "bucket", "after")


def series_page(site: Site, group: str, given: Mapping[str, Sequence[str]]) -> bytes:
    """The series that is asked for, or the names of all; raises RequestError, StoreUnavailable."""
    found = site.registry.group(group)
    store = site.registry.store
    if not found.settings.is_archived:
        raise RequestError(f"{group} keeps no archive")
    asked = {name: values[-1] for name, values in given.items()}
    unknown = sorted(set(asked) - set(_PARTS))
    if unknown:
        raise RequestError(f"{unknown[0][:60]!r} can't be asked for; there are {', '.join(_PARTS)}")
    for name, value in asked.items():
        if "\0" in value:
            raise RequestError(f"{name}: a NUL is in no name; leave out the %00")
    if not asked["series"]:
        names = store.query(partial(series_names, group_id=found.id))
        return _written({"group": group, "series": names})
    wanted = _plot(asked, now=store.clock.now())
    return _written(as_json(group, wanted, *plotted(store, found.id, wanted)))


def _plot(asked: Mapping[str, str], *, now: int) -> Plot:
    after = asked.get("after", "0")
    if not (after.isdecimal() and after.isascii() and len(after) < 19):
        raise RequestError(f"after: {after[:60]!r} is none of ours; send what `next` said")
    try:
        width = duration(1, 366 * 86400).read(asked.get("bucket", "1h"))
        since, until = (
            parse_datetime(asked[name]) if name in asked else None for name in ("from", "to")
        )
    except (Refused, ValueError) as error:
        raise RequestError(str(error)) from error
    return plot(
        asked["series"],
        now=now,
        since=since,
        until=until,
        width=width,
        member=asked.get("member", ""),
        entry=asked.get("entry", ""),
        after=int(after),
    )


def _written(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"
