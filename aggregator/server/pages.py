"""Short pages for people with a browser; everything that came from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from urllib.parse import quote

from aggregator import __version__
from aggregator.errors import StoreUnavailable
from aggregator.server.request import Target
from aggregator.server.routes import (
    CONSUMER,
    ENTRY_SUFFIX,
    MANAGER,
    PULL_POINT,
    SERVICES,
    TRIGGERS,
)
from aggregator.server.site import Site

_GROUP_OPERATIONS = (
    "Add",
    "GetResourceProperty",
    "GetMultipleResourceProperties",
    "QueryResourceProperties",
    "GetResourcePropertyDocument",
    "Subscribe",
    "GetCurrentMessage",
    "CreatePullPointSubscription",
    "GetEventProperties",
    "GetServiceCapabilities",
)
_LIFETIME_OPERATIONS = ("SetTerminationTime", "Destroy")
_ENTRY_OPERATIONS = (*_LIFETIME_OPERATIONS, *_GROUP_OPERATIONS[1:])
_SUBSCRIPTION_OPERATIONS = (
    "Renew",
    "Unsubscribe",
    "PauseSubscription",
    "ResumeSubscription",
    *_LIFETIME_OPERATIONS,
    "GetResourceProperty",
    "GetMultipleResourceProperties",
    "GetResourcePropertyDocument",
    "PullMessages",
)
_TRIGGER_OPERATIONS = (
    "CreateTrigger",
    "GetResourceProperty",
    "GetMultipleResourceProperties",
    "GetResourcePropertyDocument",
    "SetResourceProperties",
    "Destroy",
)
#: What the services are for that belong to no group.
_OTHERS: Mapping[str, tuple[str, str, Iterable[str]]] = {
    "consumer": (
        CONSUMER,
        "Takes the notifications of what this service subscribed to, each at an address of its own "
        "below this one",
        ("Notify",),
    ),
    "subscription": (
        MANAGER,
        "Manages the subscriptions to groups and entries of this service, each at an address of "
        "its own below this one, which the reply to Subscribe tells",
        _SUBSCRIPTION_OPERATIONS,
    ),
    "pullpoint": (
        PULL_POINT,
        "Makes pull points, where messages wait for consumers that can't be notified, each at an "
        "address of its own below this one",
        ("CreatePullPoint", "GetMessages", "DestroyPullPoint", "Notify"),
    ),
    "triggers": (
        TRIGGERS,
        "Makes triggers, which watch members of TriggerRegistrationService, each at an address of "
        "its own below this one",
        _TRIGGER_OPERATIONS,
    ),
}
#: Characters of a key that is shown.
_MOST_TOLD = 100
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{padding:.3rem .8rem;text-align:left;"
    "border-bottom:1px solid #ccc}code{background:#f3f3f3}"
)


def _page(title: str, body: str) -> bytes:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>\n"
    ).encode()


def front_page(site: Site) -> bytes:
    """What this is, the groups with their number of entries, and where to go on."""
    rows = "".join(_group_row(site, name) for name in sorted(site.registry.groups))
    here = escape(site.public_url)
    return _page(
        "mds-aggregator",
        f"<p>A registry and monitor for services that speak SOAP and WSRF, version {__version__}."
        "</p><table><tr><th>Service group</th><th>Entries</th><th>WSDL</th></tr>"
        f'{rows}</table><p><a href="{here}/readyz">readiness</a> · '
        f'<a href="{here}/healthz">liveness</a> · <a href="{here}/metrics">metrics</a></p>',
    )


def _group_row(site: Site, name: str) -> str:
    try:
        count = str(site.views.current(name).count(now=site.registry.store.clock.now()))
    except StoreUnavailable:
        count = "unknown"
    url = escape(site.public_url + SERVICES + name)
    return (
        f'<tr><td><a href="{url}">{escape(name)}</a></td><td>{count}</td><td>'
        f'<a href="{url}?wsdl">oasis</a> <a href="{url}?wsdl=gt4">gt4</a></td></tr>'
    )


def service_page(site: Site, target: Target) -> bytes:
    """What a service is for and which operations it has, for who GETs its address."""
    if target.kind in _OTHERS:
        name, what, operations = _OTHERS[target.kind]
        return _other_page(site, name, what, operations, is_in_drafts=name != PULL_POINT)
    is_entry = target.kind == "entry"
    name = target.group + (ENTRY_SUFFIX if is_entry else "")
    url = escape(site.public_url + SERVICES + name)
    place = f"{url}/{escape(quote(target.key))}" if target.key else url
    what = "An AggregatorServiceGroup"
    archived = not is_entry and site.registry.group(target.group).settings.is_archived
    items = _items((*_GROUP_OPERATIONS, "QueryArchive") if archived else _GROUP_OPERATIONS)
    items += f"<p>With the key of an entry in a header also:</p>{_items(_LIFETIME_OPERATIONS)}"
    if is_entry:
        what = "An entry of the group" if target.key else "The entries of the group"
        items = _items(_ENTRY_OPERATIONS)
    if archived:
        items += f'<p>Numbers that were kept, as JSON: <a href="{url}?series">series</a></p>'
    return _page(
        name,
        f"<p>{what}: a SOAP service. POST an envelope to <code>{place}</code>.</p>{items}"
        f"{_links(site, url)}",
    )


def _other_page(
    site: Site, name: str, what: str, operations: Iterable[str], *, is_in_drafts: bool = True
) -> bytes:
    """The same for every key, so that it tells of none whether it is there."""
    url = escape(site.public_url + SERVICES + name)
    links = _links(site, url, is_in_drafts=is_in_drafts)
    return _page(name, f"<p>{what}: a SOAP service.</p>{_items(operations)}{links}")


def _links(site: Site, url: str, *, is_in_drafts: bool = True) -> str:
    drafts = f', <a href="{url}?wsdl=gt4">2004/06 drafts (GT4)</a>' if is_in_drafts else ""
    return (
        f'<p>WSDL: <a href="{url}?wsdl">final OASIS standards</a>{drafts}. '
        f'<a href="{escape(site.public_url)}/">All groups</a></p>'
    )


def no_entry_page(site: Site, target: Target) -> bytes:
    """That there is no entry of this key, and where its group is."""
    here = escape(site.public_url)
    url = here + escape(SERVICES + target.group)
    return _page(
        "No such entry",
        f"<p>The group {escape(target.group)} has no entry "
        f"<code>{escape(target.key[:_MOST_TOLD])}</code>; it expired, or never was.</p>"
        f'<p><a href="{url}">The group</a>, <a href="{here}/">all groups</a></p>',
    )


def _items(operations: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li><code>{name}</code></li>' for name in operations)}</ul>"
