"""TriggerService as its clients call it."""

from __future__ import annotations

from lxml import etree

from tests import soap

from .trigger_kit import MORE, TRIGGER, TriggerScene

KEY = "{http://mds.globus.org/2007/03/TriggerResourceKey}TriggerResourceKey"


def service(scene: TriggerScene) -> str:
    return f"{scene.service.url}/wsrf/services/TriggerService"


def create(scene: TriggerScene, name: str, family: soap.Family = "oasis") -> str:
    """Make a trigger for a member; its id."""
    body = (
        f'<m:CreateTrigger xmlns:m="{MORE}"><m:MonitoredURL>http://member.example.org/{name}'
        "</m:MonitoredURL></m:CreateTrigger>"
    )
    header = f'<a:To xmlns:a="{soap.NS[family]["wsa"]}">x</a:To>'
    answer = soap.call(service(scene), body, header=header)
    assert answer.status == 200, answer.content
    [address] = answer.body.iter(f"{{{soap.NS[family]['wsa']}}}Address")
    [key] = answer.body.iter(KEY)
    assert address.text == f"{service(scene)}/{key.text}"
    return str(key.text)


def read(
    scene: TriggerScene, number: str, name: str, family: soap.Family = "oasis"
) -> list[etree._Element]:
    """The elements of a property."""
    rp = soap.NS[family]["rp"]
    answer = soap.call(
        f"{service(scene)}/{number}",
        f'<r:GetResourceProperty xmlns:r="{rp}" xmlns:t="{TRIGGER}">t:{name}'
        "</r:GetResourceProperty>",
    )
    assert answer.status == 200, answer.content
    return list(answer.body)


def text(scene: TriggerScene, number: str, name: str) -> str:
    """The text of a property, empty where it is not there."""
    return "".join(element.text or "" for element in read(scene, number, name))


def change(
    scene: TriggerScene,
    number: str,
    *,
    family: soap.Family = "oasis",
    step: str = "Update",
    **values: str,
) -> soap.Answer:
    """Set properties."""
    rp = soap.NS[family]["rp"]
    inner = "".join(
        f"<t:{name}>{value.replace('&', '&amp;').replace('<', '&lt;')}</t:{name}>"
        for name, value in values.items()
    )
    return soap.call(
        f"{service(scene)}/{number}",
        f'<r:SetResourceProperties xmlns:r="{rp}" xmlns:t="{TRIGGER}"><r:{step}>{inner}</r:{step}>'
        "</r:SetResourceProperties>",
    )


def delete(scene: TriggerScene, number: str, name: str) -> soap.Answer:
    rp = soap.NS["oasis"]["rp"]
    return soap.call(
        f"{service(scene)}/{number}",
        f'<r:SetResourceProperties xmlns:r="{rp}" xmlns:t="{TRIGGER}">'
        f'<r:Delete ResourceProperty="t:{name}"/></r:SetResourceProperties>',
    )


def destroy(scene: TriggerScene, number: str, family: soap.Family = "oasis") -> soap.Answer:
    rl = soap.NS[family]["rl"]
    return soap.call(f"{service(scene)}/{number}", f'<r:Destroy xmlns:r="{rl}"/>')
