"""The page docs/configuration.md, written from the declared settings.

``python -m aggregator.config.document > docs/configuration.md`` renews it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import groupby

from aggregator.config.settings import SettingRow, Settings

_INTRODUCTION = """\
# Configuration

<!-- Generated: python -m aggregator.config.document > docs/configuration.md -->

Nothing has to be configured: `aggregator serve` starts with the defaults on this page, on an
embedded database, with an index, an archive and a trigger service. (MDS4 read its settings from
JNDI and WSDD files of its container and from GLOBUS_LOCATION; none of these is read here.)

Settings come, in rising priority, from

1. the defaults below,
2. a TOML file: `aggregator serve --config FILE`,
3. the environment: `AGGREGATOR_SECTION_KEY`, such as `AGGREGATOR_SERVER_PORT=9000`,
4. options of the command, such as `--port 9000`.

An unknown key or a wrong value is refused at start, wherever it stands, with file, line and the
closest valid name, and so is a sink, a source or a probe that is not there; all problems are told
together. `aggregator check FILE` tells them without
starting anything, for the environment that it runs in: it prints `ok` and exits with 0, or prints
one line for each problem on standard error and exits with 2. On SIGHUP the file is read again; a
wrong one is logged and changes nothing, and settings marked "restart" that differ are named: they
take effect when the service is started again.

## How values are written

- A **duration** is a number of seconds, `90` or `1.5`, or has units: `"500ms"`, `"90s"`,
  `"1m30s"`, `"12h"`, `"7d"`.
- A **size** is a number of bytes, `4194304`, or has a unit: `"4MiB"`. KiB, MiB and GiB count by
  1024; kB, MB and GB by 1000.
- A **file name** is relative to the folder of the configuration file, or to the current folder
  where a variable or an option gives it. A leading `~` is the home folder.
- An **XML name** is `"{http://example.org/ns}Name"`, or `"Name"` without a namespace.
- In **variables** nothing is quoted, the items of a list are separated by commas, and `yes`, `on`
  and `1` mean true, `no`, `off` and `0` false.

The line of a problem is that in which the statement begins: an item of a list that spans several
lines is reported with the line of its key.

Variables that begin with `AGGREGATOR_` and name no setting are refused, except those of the test
suite (`AGGREGATOR_TEST_...`), that of programs that use [events](events.md)
(`AGGREGATOR_EVENTS_SYSTEM`), those that [probes](probes/README.md) and [actions](actions.md) find
in their environment (`AGGREGATOR_PROBE_ID`, `AGGREGATOR_ACTION_SETTINGS` and their like) and those
that Kubernetes and Docker set for services whose names begin with `aggregator`
(`AGGREGATOR_SERVICE_HOST`, `AGGREGATOR_PORT_8080_TCP` and their like).

## An example
"""

EXAMPLE = """\
[server]
host = "0.0.0.0"
public_url = "https://grid.example.org:8443"
max_body = "2MiB"

[store]
url = "postgresql+psycopg://aggregator@db.example.org/aggregator"

[collect]
timeout = "20s"
allow_networks = ["10.0.0.0/8", "2001:db8::/32"]

[probes]
allowed = ["ping-test", "nagios", "twping-lite/long"]

[probes.nagios]
load = ["/usr/lib/nagios/plugins/check_load", "-w", "5", "-c", "10"]

[probes.checks.twping-lite]
long = ["packets=100", "port=8620"]

[groups.DefaultIndexService]
max_lifetime = "12h"

[groups.SiteRegistry]
require_source = false
max_entries_per_caller = 100

[[groups.SiteRegistry.membership_rules]]
content_elements = ["{http://example.org/site}Service"]
"""

_GROUPS = """\
Each table `[groups.NAME]` declares a service group at `/wsrf/services/NAME`, its entries at
`/wsrf/services/NAMEEntry`. There without being declared are `DefaultIndexService` with the sink
`index`, `ArchiveService` with `archive`, `DefaultTriggerService` with `trigger`, and
`TriggerRegistrationService` with `monitored`; `[groups.DefaultIndexService] enabled = false` takes
one away. A name has letters, digits, `_` and `-`, a letter first, and is not that of another
group's entries. In variables the name is in capitals with `_` for `-`:
`AGGREGATOR_GROUPS_DEFAULTINDEXSERVICE_MAX_ENTRIES`; they reach groups that the file declares, and
declare none.
"""

_TITLES = {
    "server": "the web side",
    "store": "the database",
    "query": "limits of XPath queries",
    "collect": "polling",
    "triggers": "rules and the actions that they run",
    "probes": "executables that collect",
    "notifications": "subscriptions and notifications",
    "events": "the event bus",
    "actions": "actions of triggers",
    "reports": "report collectors",
    "measurement": "the measurement archive",
    "log": "logging",
    "groups.NAME": "service groups",
}


def page() -> str:
    """Return the page as Markdown."""
    parts = [_INTRODUCTION, f"\n```toml\n{EXAMPLE}```\n"]
    for section, rows in groupby(Settings.describe(), key=lambda row: row.section):
        parts.append(f"\n## `[{section}]`: {_TITLES[section]}\n\n")
        if section == "groups.NAME":
            parts.append(_GROUPS + "\n")
        parts.extend(_table(rows))
    return "".join(parts)


def _table(rows: Iterable[SettingRow]) -> Sequence[str]:
    lines = ["| key, variable | kind | default | meaning |\n|---|---|---|---|\n"]
    for row in rows:
        variable = f"`{row.environment}`" if row.environment else "(file only)"
        restart = " *(restart)*" if row.restart else ""
        cells = (f"`{row.key}`<br>{variable}", row.type, _code(row.default), row.help + restart)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return lines


def _code(default: str) -> str:
    is_sentence = ", else " in default or " where " in default
    return default if is_sentence else f"`{default}`"


if __name__ == "__main__":
    sys.stdout.write(page())
