"""Batch provider output (namespace batchproviders/2004/09) as GLUE ComputingElements.

MDS4's GLUESchedulerElementTransform did this for the scheduler providers of GRAM: one Scheduler
with Queues becomes one GLUECE with a ComputingElement for each.
"""

from __future__ import annotations

from copy import deepcopy

from lxml import etree

from aggregator.errors import CollectError
from aggregator.wire.namespaces import GLUE, clark
from aggregator.wire.parse import Element

BATCH = "http://mds.globus.org/batchproviders/2004/09"

#: Queue's children and the Policy attributes that say the same; times are in minutes in both.
_POLICY = {
    "maxtime": "MaxWallClockTime",
    "maxCPUtime": "MaxCPUTime",
    "maxJobsInQueue": "MaxTotalJobs",
    "maxRunningJobs": "MaxRunningJobs",
}


def computing_elements(scheduler: Element) -> Element:
    """The GLUECE with a ComputingElement for every Queue.

    Values that are no numbers (``unlimited``) and limits of 0, which mean none, are left out.
    Raises CollectError for any other document.
    """
    if scheduler.tag != clark(BATCH, "Scheduler"):
        raise CollectError(
            f"expected a Scheduler element of {BATCH}, not {str(scheduler.tag)[:200]}",
            code="not-scheduler",
        )
    queues = scheduler.findall(clark(BATCH, "Queue"))
    if not queues:
        raise CollectError("the scheduler provider named no Queue", code="not-scheduler")
    document = _element("GLUECE")
    document.extend(_computing_element(queue, scheduler) for queue in queues)
    if len(queues) == 1:
        # Jobs do not say in which queue they are.
        document[0].extend(deepcopy(job) for job in scheduler.findall(clark(GLUE, "Job")))
    return document


def _computing_element(queue: Element, scheduler: Element) -> Element:
    name = queue.get("name") or queue.get(clark(BATCH, "name")) or ""
    element = _element("ComputingElement", Name=name, UniqueID=name)
    element.append(_info(queue, scheduler))
    total, running = _number(queue, "totalJobs"), _number(queue, "runningJobs")
    waiting = str(max(0, int(total) - int(running))) if total and running else ""
    jobs = {"TotalJobs": total, "RunningJobs": running, "WaitingJobs": waiting}
    free = _number(queue, "freenodes")
    element.append(_element("State", Status=_text(queue, "status"), **jobs, FreeCPUs=free))
    limits = {ours: _number(queue, theirs).lstrip("0") for theirs, ours in _POLICY.items()}
    element.append(_element("Policy", **limits))
    return element


def _info(queue: Element, scheduler: Element) -> Element:
    """What the provider says of the scheduler as a whole, and the queue's size."""
    info = _element("Info", TotalCPUs=_number(queue, "totalnodes"))
    given = scheduler.find(clark(GLUE, "Info"))
    if given is not None:
        for name, value in given.items():
            info.set(name, value)
    return info


def _element(name: str, **attributes: str) -> Element:
    """A GLUE element with those attributes that have a value."""
    values = {clark(GLUE, key): value for key, value in attributes.items() if value}
    return etree.Element(clark(GLUE, name), values, nsmap={"ce": GLUE})


def _text(queue: Element, name: str) -> str:
    return (queue.findtext(clark(BATCH, name)) or "").strip()


def _number(queue: Element, name: str) -> str:
    text = _text(queue, name)
    return text if text.isascii() and text.isdigit() else ""
