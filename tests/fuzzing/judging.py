"""What must hold of every answer, whatever was asked."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from tests.fuzzing.case import Case
from tests.fuzzing.kept import read_message
from tests.fuzzing.ledger import State
from tests.soap import NS, SOAP11, SOAP12, Answer

#: Statuses that the HTTP server gives by itself to what is no HTTP, or to what it doesn't do.
_HTTP = frozenset({200, 400, 404, 405, 408, 411, 413, 414, 415, 417, 431, 501, 505})
_CODES = {SOAP11: ("Client", "Server"), SOAP12: ("Sender", "Receiver")}
_HEADERS_ALONE = ("MustUnderstand", "VersionMismatch")
#: Typed faults: those of the four specifications, all of them WS-BaseFaults.
_FAULTS = frozenset(
    {
        "BaseFault",
        "AddRefusedFault",
        "ContentCreationFailedFault",
        "UnsupportedMemberInterfaceFault",
    }
    | {"ResourceUnknownFault", "ResourceUnavailableFault", "InvalidResourcePropertyQNameFault"}
    | {"InvalidQueryExpressionFault", "UnknownQueryExpressionDialectFault"}
    | {"QueryEvaluationErrorFault", "TerminationTimeChangeRejectedFault"}
)
_WRITES = frozenset({"AddResponse", "SetTerminationTimeResponse", "DestroyResponse"})
#: What the parser takes without a setting that says otherwise.
_DEPTH, _NAMESPACES, _NAMESPACE = 128, 128, 1024


class Wrong(AssertionError):
    """Something that must hold does not."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a case, in a word that can be counted; `body` is what the Body held."""

    outcome: str
    body: etree._Element | None = None


def judge(case: Case, answer: Answer | None, before: State, after: State) -> Verdict:
    """Hold an answer against the protocol, and the store against the answer; raises Wrong."""
    verdict = _judge_answer(case, answer)
    written = verdict.outcome.partition(" ")[2] in _WRITES and verdict.outcome.startswith("200")
    changed = before.changed(after)
    if written:
        _hold(len(changed) <= 1, f"one request changed {len(changed)} entries")
    else:
        _hold(not changed, f"{verdict.outcome} changed {changed}")
        _hold(
            before == after, f"{verdict.outcome} left a trace: {before.sequences} {after.sequences}"
        )
    return verdict


def _hold(truth: object, words: str) -> None:
    if not truth:
        raise Wrong(words)


def _judge_answer(case: Case, answer: Answer | None) -> Verdict:
    if answer is None:
        _hold(case.kind == "http", "the connection ended without an answer")
        return Verdict("no answer")
    _hold(b"Traceback" not in answer.content, "a traceback in the answer")
    media = answer.headers.get("content-type", "")
    if case.method != "POST" or b":Envelope " not in answer.content[:300]:
        _hold(case.kind == "http", f"{answer.status} without an envelope")
        _hold(answer.status in _HTTP, f"status {answer.status} for strange HTTP")
        return Verdict(f"{answer.status} {media.partition(';')[0]}")
    root = _root(answer)
    soap = etree.QName(root).namespace or ""
    _hold(soap in _CODES, f"an envelope of {soap}")
    if case.is_intact and is_readable(case.content):
        _hold(soap == case.soap, f"SOAP {soap} answers {case.soap}")
    expected = "text/xml" if soap == SOAP11 else "application/soap+xml"
    _hold(media.startswith(expected), f"{media} holds an envelope of {soap}")
    body = root.find(f"{{{soap}}}Body")
    _hold(body is not None and len(body) == 1, "the Body does not hold one element")
    assert body is not None
    if etree.QName(body[0]).localname == "Fault":
        return Verdict(f"{answer.status} {_fault(case, answer, body[0], soap)}", body[0])
    return _response(case, answer, body[0])


def _root(answer: Answer) -> etree._Element:
    try:
        return etree.fromstring(answer.content, etree.XMLParser(huge_tree=True))
    except etree.XMLSyntaxError as error:
        raise Wrong(f"the answer is not well-formed: {error}") from error


def _response(case: Case, answer: Answer, body: etree._Element) -> Verdict:
    name = etree.QName(body)
    _hold(answer.status == 200, f"status {answer.status} with {name.localname}")
    _hold(name.localname.endswith("Response"), f"{name.localname} is no reply")
    if case.is_intact:
        known = NS[case.family].values()
        _hold(name.namespace in known, f"{case.family} is answered with {name.namespace}")
    return Verdict(f"200 {name.localname}", body)


def _fault(case: Case, answer: Answer, fault: etree._Element, soap: str) -> str:
    """Hold a fault against SOAP and WS-BaseFaults; its name."""
    path = "faultcode" if soap == SOAP11 else f"{{{soap}}}Code/{{{soap}}}Value"
    code = (fault.findtext(path) or "").partition(":")[2]
    detail = fault.find("detail" if soap == SOAP11 else f"{{{soap}}}Detail")
    client, server = _CODES[soap]
    text = " ".join("".join(map(str, fault.itertext())).split())
    if code in _HEADERS_ALONE:
        _hold(detail is None, f"a detail for {code}")
        _hold(answer.status == 500, f"status {answer.status} for {code}")
        return code
    _hold(code in (client, server), f"fault code {code!r}")
    expected = 400 if soap == SOAP12 and code == client else 500
    _hold(answer.status == expected, f"status {answer.status} for {code}")
    _hold(detail is not None and len(detail) == 1, "a fault without a typed detail")
    assert detail is not None
    name = etree.QName(detail[0])
    _hold(name.localname in _FAULTS, f"{name.localname} is no fault that is known")
    base = NS["gt4" if detail[0].find(f"{{{NS['gt4']['bf']}}}Timestamp") is not None else "oasis"]
    for part in ("Timestamp", "Description"):
        _hold(detail[0].findtext(f"{{{base['bf']}}}{part}"), f"{name.localname} without {part}")
    if code == server:
        _hold("retry-after" in answer.headers, f"an error of the service's own: {text[:300]}")
    _hold(
        "broke off" not in text or name.localname == "BaseFault",
        f"an evaluation died: {text[:300]}",
    )
    if case.is_intact and name.localname != "BaseFault":
        _hold(name.namespace in NS[case.family].values(), f"{case.family} is told {name.text}")
    return name.localname


def is_readable(content: bytes) -> bool:
    """Whether a message of ours is well-formed and within what is read."""
    try:
        root = read_message(content)
    except etree.XMLSyntaxError:
        return False
    if root.getroottree().docinfo.doctype:
        return False
    depth = scope = 0
    for event, found in etree.iterwalk(root, events=("start", "end", "start-ns", "end-ns")):
        step = 1 if event.startswith("start") else -1
        if event.endswith("ns"):
            scope += step
            if found is not None and len(found[1]) > _NAMESPACE:
                return False
        else:
            depth += step
        if depth > _DEPTH or scope > _NAMESPACES:
            return False
    return True
