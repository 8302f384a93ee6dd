"""Settings of the measurement archive: what it serves, where that lies, who is told of it."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.config.kinds import choice, listing, text, truth, whole_number
from aggregator.config.measured_databases import MeasuredDatabaseSettings, database_tables
from aggregator.config.measures import duration, size
from aggregator.config.places import file_name, host, web_address
from aggregator.config.setting import derived, setting

DEFAULT_ENDPOINT = "/perfSONAR_PS/services/pSB"
"""Where clients of the field look for the service."""
DEFAULT_NAME = "perfSONAR-BUOY MA"


def _words(expected: str) -> str:
    return setting("", text(expected, pattern=r"[^\x00-\x1f\x7f]{0,500}"), expected)


@dataclass(frozen=True, slots=True)
class MeasurementSettings:
    """``[measurement]``: durations in seconds, sizes in bytes."""

    metadata_db_type: str = setting(
        "none",
        choice("none", "file", "xmldb"),
        "Where the metadata of measurements lie: in a file, or in an XML database (BaseX). none"
        " switches the measurement archive off.",
        restart=True,
    )
    metadata_db_file: str = setting(
        "",
        file_name(),
        "The metadata store as a file. Empty: store.xml in server.data_dir.",
    )
    metadata_db_host: str = setting("127.0.0.1", host(), "Host of the XML database's server.")
    metadata_db_port: int = setting(
        1984, whole_number(1, 65535), "Port of the XML database's server."
    )
    metadata_db_name: str = setting(
        "measurement",
        text("the name of a database", pattern=r"[A-Za-z][A-Za-z0-9_-]{0,63}"),
        "Name of the XML database.",
    )
    metadata_db_user: str = setting(
        "admin", text("a name", pattern=r"[\x21-\x39\x3b-\x7e]{1,100}"), "User of the XML database."
    )
    metadata_db_password_file: str = setting(
        "", file_name(), "File with that user's password; only its owner may read it."
    )
    metadata_db_timeout: float = setting(
        10.0, duration(0.1, 3600), "Time that the XML database has for one request."
    )
    databases: tuple[MeasuredDatabaseSettings, ...] = derived(
        lambda _: (),
        database_tables(),
        "Databases of measurements that are read in place: tables with a url and a layout (bwctl,"
        " owamp or ami), and password_file where the url holds no password.",
        default_text="[]",
        secret=True,
    )
    owmesh: str = setting(
        "",
        file_name(),
        "Folder with perfSONAR's owmesh.conf, or that file; it names further databases.",
    )
    own_tables: bool = setting(
        True, truth(), "Whether measurements that are kept in the service's own store are served."
    )
    static_store: str = setting(
        "",
        file_name(),
        "An nmwg:store written by hand, of what no database tells: RRD files, series of archives.",
    )
    rrd_folder: str = setting(
        "", file_name(), "Folder in which RRD files lie. Empty: none are served."
    )
    default_resolution: int = setting(
        0,
        whole_number(0, 10**9),
        "Seconds that one number of an RRD file or a series stands for, where a request and the"
        " stored key say none; 0 for as fine as it is kept.",
    )
    maintenance_interval: float = setting(
        1800.0, duration(1), "Time between two rebuilds of the metadata store."
    )
    endpoint: str = setting(
        DEFAULT_ENDPOINT,
        text("a path such as /perfSONAR_PS/services/pSB", pattern=r"(/[A-Za-z0-9._~-]+){1,10}"),
        "Path of the service.",
    )
    disable_echo: bool = setting(False, truth(), "Whether EchoRequest is left unanswered.")
    max_worker_processes: int = setting(
        4, whole_number(1, 1000), "Messages that one web worker answers at the same time."
    )
    max_worker_lifetime: float = setting(
        60.0, duration(0.1, 3600), "Time that the answer to one message may take."
    )
    max_answer: int = setting(
        16 * 2**20, size(4096, 2**31), "Largest answer; server.reply_memory holds for all together."
    )
    storage: bool = setting(
        False,
        truth(),
        "Whether MetadataStorageRequest stores measurements; who may is in measurement.tokens.",
    )
    tokens: str = setting(
        "",
        file_name(),
        "TOML file of who may store, in the form of reports.tokens; only its owner may read it.",
    )
    enable_registration: bool = setting(
        False, truth(), "Whether the archive registers itself with ls_instance and ls_groups."
    )
    ls_instance: tuple[str, ...] = setting(
        (),
        listing(web_address()),
        "Addresses of perfSONAR lookup services.",
    )
    ls_bootstrap_file: str = setting(
        "",
        file_name(),
        "File with addresses of lookup services, one a line, where ls_instance is empty.",
    )
    ls_groups: tuple[str, ...] = setting(
        (), listing(web_address()), "Addresses of service groups, to which the archive is added."
    )
    ls_registration_interval: float = setting(
        14400.0, duration(1), "Time between two registrations; perfSONAR's setting counts minutes."
    )
    ls_key_db: str = setting(
        "",
        file_name(),
        "Keeps the keys of registrations over restarts. Empty: lsKey.json in server.data_dir.",
    )
    service_accesspoint: str = setting(
        "",
        web_address(),
        "Address that is registered. Empty: measurement.endpoint below server.public_url.",
    )
    service_name: str = setting(
        DEFAULT_NAME, text("a name", pattern=r"[^\x00-\x1f\x7f]{1,200}"), "Name that is registered."
    )
    service_type: str = setting(
        "MA", text("a word", pattern=r"[A-Za-z0-9_.-]{1,50}"), "Type that is registered."
    )
    service_description: str = _words("Description that is registered.")
    site_name: str = _words("Name of the site, for the description.")
    site_location: str = _words("Where the site is, for the description.")
    contact_name: str = _words("Who looks after the archive, for the description.")
    contact_email: str = _words("Where that person is reached, for the description.")
