"""Where the service says it is: the settings decide, or what was bound, and never a request."""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree

from tests import soap
from tests.integration.test_http import ADD, ENTRIES, PATH, TIME, XML, ask, connect
from tests.service import RunningService, running_service
from tests.soap import Answer

LIES = {
    "Host": "evil.example:99",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-For": "192.0.2.99",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "99",
    "Forwarded": "for=192.0.2.99;host=evil.example;proto=https",
    "X-Original-URL": "/evil",
    "X-Script-Name": "/evil",
}
PAGES = ("/", PATH, f"{PATH}?wsdl", f"{PATH}?wsdl=gt4", f"{PATH}Entry?wsdl", "/readyz")


def all_answers(service: RunningService) -> list[Answer]:
    """Replies and pages in which addresses stand, to requests that lie about ours."""
    with connect(service) as connection:
        posts = [ask(connection, "POST", PATH, body, {**XML, **LIES}) for body in (ADD, ENTRIES)]
        key = re.findall(rb"EntryKey>([^<]+)<", posts[0].content)[0].decode()
        group = TIME.replace(b"rl:CurrentTime", b"sg:ServiceGroupEPR")
        posts.append(ask(connection, "POST", f"{PATH}Entry/{key}", group, {**XML, **LIES}))
        gets = [ask(connection, "GET", path, headers=LIES) for path in PAGES]
    assert {answer.status for answer in posts + gets} == {200}
    return posts + gets


def addresses(answer: Answer) -> set[str]:
    """All addresses of endpoint references in an answer that are not those of members."""
    found = etree.fromstring(answer.content).iter("{http://www.w3.org/2005/08/addressing}Address")
    return {address.text for address in found if "127.0.0.1:1/" not in address.text}


def test_no_header_says_where_we_are(service: RunningService) -> None:
    answers = all_answers(service)
    for answer in answers:
        assert b"evil" not in answer.content
        assert b"https://127" not in answer.content
        assert b"evil" not in repr(answer.headers).encode()
    added, entries, own = (addresses(answer) for answer in answers[:3])
    assert all(address.startswith(f"{service.group}Entry/") for address in added | entries)
    assert len(added) == len(entries) == 1
    assert own == {service.group}


def test_the_public_url_is_in_every_address_and_wsdl(tmp_path: Path) -> None:
    public = "https://grid.example.org/mds"
    with running_service(tmp_path, options=["--public-url", f"{public}/"]) as service:
        answers = all_answers(service)
    local = service.url.partition("//")[2].encode()
    for answer in answers:
        assert local not in answer.content
        assert b"evil" not in answer.content
    added, entries, own = (addresses(answer) for answer in answers[:3])
    assert all(address.startswith(f"{public}{PATH}Entry/") for address in added | entries)
    assert own == {f"{public}{PATH}"}
    front, page, *wsdls = (answer.content.decode() for answer in answers[3:-1])
    for text in (front, page):
        assert f'href="{public}{PATH}?wsdl"' in text
        links = re.findall('href="([^"]*)"', text)
        assert all(link.startswith(f"{public}/") for link in links)
    for wsdl, suffix in zip(wsdls, ("", "", "Entry"), strict=True):
        root = etree.fromstring(wsdl.encode())
        places = {element.get("location") for element in root.iter("{*}address")}
        assert places == {f"{public}{PATH}{suffix}"}
        schemas = [element.get("schemaLocation") for element in root.iter("{*}import")]
        assert schemas
        assert all(place.startswith(f"{public}/schemas/") for place in schemas if place)


def test_a_forwarded_address_makes_nobody_another_caller(tmp_path: Path) -> None:
    """Or limits for each caller would hold nobody."""
    with running_service(tmp_path, config="[groups.Fair]\nmax_entries_per_caller = 1\n") as service:
        group = f"{service.url}/wsrf/services/Fair"
        assert soap.post(group, ADD, headers=XML).status == 200
        for number in range(3):
            lies = {"X-Forwarded-For": f"192.0.2.{number}", "X-Real-IP": f"192.0.2.{number}"}
            answer = soap.post(group, ADD, headers={**XML, **lies})
            assert answer.fault[0] == "AddRefusedFault"
