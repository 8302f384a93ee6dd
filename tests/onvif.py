"""A device of ONVIF, simulated by the WSDLs that come with the client onvif-zeep.

What it is sent must be valid by them, and zeep writes its answers by them.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import isodate
from lxml import etree

from tests.notified import http_server
from tests.onvif_schemas import CONCRETE_SET, NT, SOAP12, TDS, TNS1, TT, answer_of, events_schema


class Refused(Exception):
    """Raised for a request that is answered with a fault: its subcode, and the reason."""

    def __init__(self, subcode: str, reason: str) -> None:
        super().__init__(reason)
        self.subcode = subcode
        self.reason = reason


@dataclass
class Device:
    """A device: what it was asked, who subscribed, what it has to tell.

    `skew` is how many seconds its clock is ahead, `login` what its requests must bear, `lifetime`
    the longest that it grants, `fails` the subcode of a fault that PullMessages is answered with.
    """

    url: str = ""
    skew: float = 0.0
    login: tuple[str, str] | None = None
    lifetime: float = 60.0
    renews: bool = True
    slots: int = 4
    fails: str = ""
    calls: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)
    subscriptions: dict[str, float] = field(default_factory=dict)
    _waiting: dict[str, list[etree._Element]] = field(default_factory=dict)
    _nonces: set[str] = field(default_factory=set)
    _some: threading.Condition = field(default_factory=threading.Condition)

    @property
    def device_service(self) -> str:
        """The address that its users know."""
        return f"{self.url}/onvif/device_service"

    @property
    def events(self) -> str:
        """The address of its events."""
        return f"{self.url}/onvif/events"

    def now(self) -> datetime:
        """Its own time."""
        return datetime.now(UTC) + timedelta(seconds=self.skew)

    def tell(
        self,
        topic: str,
        source: str,
        value: str,
        *,
        operation: str = "Changed",
        prefix: str = "tns1",
    ) -> None:
        """Tell all who subscribed of a property."""
        about = f' PropertyOperation="{operation}"' if operation else ""
        text = (
            f'<n:NotificationMessage xmlns:n="{NT}" xmlns:{prefix}="{TNS1}" xmlns:tt="{TT}">'
            f'<n:Topic Dialect="{CONCRETE_SET}">{prefix}:{topic}</n:Topic>'
            '<n:ProducerReference><a:Address xmlns:a="http://www.w3.org/2005/08/addressing">'
            "urn:camera</a:Address></n:ProducerReference>"
            f'<n:Message><tt:Message UtcTime="{self.now():%Y-%m-%dT%H:%M:%SZ}"{about}>'
            f'<tt:Source><tt:SimpleItem Name="Token" Value="{source}"/></tt:Source>'
            f'<tt:Data><tt:SimpleItem Name="State" Value="{value}"/></tt:Data></tt:Message>'
            "</n:Message></n:NotificationMessage>"
        )
        with self._some:
            for key in self.subscriptions:
                self._waiting[key].append(etree.fromstring(text))
            self._some.notify_all()

    def restart(self) -> None:
        """Forget everything, as devices do."""
        with self._some:
            self.subscriptions.clear()
            self._waiting.clear()
            self._some.notify_all()

    # Requests.

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Answer a request."""
        root = etree.fromstring(body)
        if etree.QName(root).namespace != SOAP12:
            return 500, b"this is not SOAP 1.2"
        request = root.find(f"{{{SOAP12}}}Body")[0]
        name = etree.QName(request).localname
        self.calls.append(name)
        if etree.QName(request).namespace != TDS and not events_schema().validate(request):
            self.invalid.append(f"{name}: {events_schema().error_log}")
        try:
            if name != "GetSystemDateAndTime":
                self._check(root)
            if path.startswith("/onvif/device_service") != (etree.QName(request).namespace == TDS):
                raise Refused("ActionNotSupported", f"{name} is not here")
            done = getattr(self, f"_do_{name}", None)
            if done is None or (name == "Renew" and not self.renews):
                raise Refused("ActionNotSupported", f"no {name}")
            if self.fails and name == "PullMessages":
                raise Refused(self.fails, "not now")
            return 200, etree.tostring(done(request, path.rpartition("/")[2]))
        except Refused as refused:
            return self._fault(refused.subcode, refused.reason)
        except KeyError:
            detail = '<r:ResourceUnknownFault xmlns:r="http://docs.oasis-open.org/wsrf/r-2"/>'
            return self._fault("InvalidArgVal", "no such subscription", detail)

    def _fault(self, subcode: str, reason: str, detail: str = "") -> tuple[int, bytes]:
        return 400, (
            f'<s:Envelope xmlns:s="{SOAP12}"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value>'
            '<s:Subcode xmlns:ter="http://www.onvif.org/ver10/error">'
            f"<s:Value>ter:{subcode}</s:Value></s:Subcode></s:Code>"
            f'<s:Reason><s:Text xml:lang="en">{reason}</s:Text></s:Reason>'
            f"<s:Detail>{detail}</s:Detail></s:Fault></s:Body></s:Envelope>"
        ).encode()

    def _check(self, root: etree._Element) -> None:
        """By the user name token profile, with five seconds of grace."""
        if self.login is None:
            return
        token = root.find("{*}Header/{*}Security/{*}UsernameToken")
        if token is None:
            raise Refused("NotAuthorized", "Sender not Authorized")
        user, password, nonce, created = (
            token.findtext(f"{{*}}{name}") or ""
            for name in ("Username", "Password", "Nonce", "Created")
        )
        age = self.now() - isodate.parse_datetime(created)
        digest = hashlib.sha1(base64.b64decode(nonce) + f"{created}{self.login[1]}".encode())
        wanted = base64.b64encode(digest.digest()).decode()
        is_new = abs(age) < timedelta(seconds=5) and nonce not in self._nonces
        self._nonces.add(nonce)
        if (user, password) != (self.login[0], wanted) or not is_new:
            raise Refused("NotAuthorized", "Sender not Authorized")

    def _do_GetSystemDateAndTime(self, request: Any, key: str) -> etree._Element:
        now = self.now()
        told = {
            "Date": {"Year": now.year, "Month": now.month, "Day": now.day},
            "Time": {"Hour": now.hour, "Minute": now.minute, "Second": now.second},
        }
        values = {"DateTimeType": "Manual", "DaylightSavings": False, "UTCDateTime": told}
        return answer_of("GetSystemDateAndTime", SystemDateAndTime=values)

    def _do_GetCapabilities(self, request: Any, key: str) -> etree._Element:
        events = {
            "XAddr": self.events,
            "WSSubscriptionPolicySupport": False,
            "WSPullPointSupport": True,
            "WSPausableSubscriptionManagerInterfaceSupport": False,
        }
        return answer_of("GetCapabilities", Capabilities={"Events": events})

    def _do_CreatePullPointSubscription(self, request: Any, key: str) -> etree._Element:
        asked = isodate.parse_duration(request.findtext("{*}InitialTerminationTime") or "PT60S")
        self.filters += [str(one.text) for one in request.iterfind("{*}Filter/*")]
        with self._some:
            for old in [one for one, end in self.subscriptions.items() if end < time.monotonic()]:
                del self.subscriptions[old]
            if len(self.subscriptions) >= self.slots:
                raise KeyError
            key = str(len(self.calls))
            self._waiting[key] = []
            granted = self._granted(key, asked)
        address = {"_value_1": f"{self.url}/onvif/subscription/{key}"}
        return answer_of(
            "CreatePullPointSubscription",
            SubscriptionReference={"Address": address},
            CurrentTime=self.now(),
            TerminationTime=self.now() + granted,
        )

    def _do_PullMessages(self, request: Any, key: str) -> etree._Element:
        timeout = isodate.parse_duration(request.findtext("{*}Timeout")).total_seconds()
        limit = int(request.findtext("{*}MessageLimit"))
        with self._some:
            self._alive(key)
            self._some.wait_for(lambda: self._waiting.get(key, [0]), timeout)
            self._alive(key)
            # Where there is no Renew this is all that keeps it, else no more than must be.
            longer = timeout if self.renews else self.lifetime
            granted = self._granted(key, timedelta(seconds=longer), shorter=False)
            given = [self._waiting[key].pop(0) for _ in range(limit) if self._waiting[key]]
        envelope = answer_of(
            "PullMessages",
            CurrentTime=self.now(),
            TerminationTime=self.now() + granted,
            NotificationMessage=[],
        )
        response = envelope.find(f"{{{SOAP12}}}Body")[0]
        for old in response.findall(f"{{{NT}}}NotificationMessage"):
            response.remove(old)
        response.extend(given)
        events_schema().assertValid(response)
        return envelope

    def _do_Renew(self, request: Any, key: str) -> etree._Element:
        with self._some:
            self._alive(key)
            asked = isodate.parse_duration(request.findtext("{*}TerminationTime"))
            granted = self._granted(key, asked)
        return answer_of("Renew", CurrentTime=self.now(), TerminationTime=self.now() + granted)

    def _do_Unsubscribe(self, request: Any, key: str) -> etree._Element:
        with self._some:
            self._alive(key)
            del self.subscriptions[key]
        return answer_of("Unsubscribe")

    def _alive(self, key: str) -> None:
        if self.subscriptions[key] < time.monotonic():
            raise KeyError(key)

    def _granted(self, key: str, asked: timedelta, *, shorter: bool = True) -> timedelta:
        """Let a subscription last, no longer than may be; for how long it does."""
        end = time.monotonic() + min(asked.total_seconds(), self.lifetime)
        if not shorter:
            end = max(end, self.subscriptions[key])
        self.subscriptions[key] = end
        return timedelta(seconds=end - time.monotonic())


@contextlib.contextmanager
def device(**settings: Any) -> Iterator[Device]:
    """A device that runs as long as the block."""
    made = Device(**settings)
    with http_server(made.answer, content_type="application/soap+xml") as url:
        made.url = url
        yield made
        assert made.invalid == []
