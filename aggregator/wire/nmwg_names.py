"""Namespaces and event types of the NMWG protocol.

An XML namespace ends with a slash, an event type does not: clients send and compare them so.
"""

from __future__ import annotations

_BASE = "http://ggf.org/ns/nmwg/"

NMWG = f"{_BASE}base/2.0/"
NMTM = f"{_BASE}time/2.0/"
NMWGT = f"{_BASE}topology/2.0/"
NMWGR = f"{_BASE}result/2.0/"
SELECT = f"{_BASE}ops/select/2.0/"
IPERF = f"{_BASE}tools/iperf/2.0/"
BWCTL = f"{_BASE}tools/bwctl/2.0/"
OWAMP = f"{_BASE}tools/owamp/2.0/"
SUMMARY = f"{_BASE}characteristic/delay/summary/20070921/"
BUCKETS = f"{_BASE}characteristic/delay/summary/20110317/"
PERFSONAR = f"{_BASE}tools/org/perfsonar/1.0/"
PSSERVICE = f"{_BASE}tools/org/perfsonar/service/1.0/"

IPERF_EVENT = IPERF.rstrip("/")
BWCTL_EVENT = BWCTL.rstrip("/")
ACHIEVABLE_EVENT = f"{_BASE}characteristics/bandwidth/achievable/2.0"
OWAMP_EVENT = OWAMP.rstrip("/")
SUMMARY_EVENT = SUMMARY.rstrip("/")
BUCKETS_EVENT = BUCKETS.rstrip("/")
SELECT_EVENT = SELECT.rstrip("/")
ECHO_EVENT = "http://schemas.perfsonar.net/tools/admin/echo/2.0"

PREFIXES = {
    "nmwg": NMWG,
    "nmtm": NMTM,
    "nmwgt": NMWGT,
    "nmwgr": NMWGR,
    "select": SELECT,
    "iperf": IPERF,
    "bwctl": BWCTL,
    "owamp": OWAMP,
    "summary": SUMMARY,
    "perfsonar": PERFSONAR,
    "psservice": PSSERVICE,
}
"""The prefixes that replies use."""
