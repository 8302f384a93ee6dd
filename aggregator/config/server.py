"""Settings of the web side: addresses, limits on requests, TLS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aggregator.config.kinds import whole_number
from aggregator.config.measures import duration, size
from aggregator.config.places import file_name, folder, host, state_folder, web_address
from aggregator.config.setting import derived, setting


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """``[server]``: durations in seconds, sizes in bytes; empty names mean "none"."""

    host: str = setting(
        "127.0.0.1", host(), "Address to listen on; 0.0.0.0 or :: for all.", restart=True
    )
    port: int = setting(
        8080, whole_number(0, 65535), "Port to listen on; 0 picks a free one.", restart=True
    )
    public_url: str = setting(
        "",
        web_address(),
        "Address under which clients reach the service; the host in every endpoint reference,"
        " WSDL and link. Empty: made from the bound address, and from this host's name where host"
        " is 0.0.0.0 or ::, which a warning at the start tells.",
    )
    workers: int = setting(2, whole_number(1, 256), "Web worker processes.", restart=True)
    threads: int = setting(
        16,
        whole_number(1, 4096),
        "Requests that each web worker works on at the same time; those that wait for the database"
        " or the query evaluator are not counted.",
        restart=True,
    )
    connections: int = setting(
        1000,
        whole_number(10, 1_000_000),
        "Connections that each web worker keeps open; for one more, one that is idle or slow is"
        " closed, of the address that has the most.",
    )
    request_memory: int = setting(
        64 * 2**20,
        size(2**20, 2**40),
        "Memory of each web worker for requests that have not come whole; past it, the slowest"
        " sender is refused.",
    )
    reply_memory: int = setting(
        64 * 2**20,
        size(2**20, 2**40),
        "Memory of each web worker for replies that clients do not take; past it, the slowest"
        " reader is cut off.",
    )
    data_dir: Path = derived(  # noqa: RUF009 - the call returns a field of dataclasses.
        state_folder,
        folder(),
        "Folder of the embedded database and of run-time files.",
        default_text="$XDG_STATE_HOME/mds-aggregator, else ~/.local/state/mds-aggregator",
        restart=True,
    )
    max_body: int = setting(4 * 2**20, size(1024, 2**30), "Largest request body.")
    max_depth: int = setting(128, whole_number(8, 250), "Deepest nesting of a request's XML.")
    max_nodes: int = setting(
        200_000,
        whole_number(100, 100_000_000),
        "Most XML nodes (elements, attributes, comments, instructions) of a request.",
    )
    header_timeout: float = setting(
        30.0, duration(0.1, 3600), "Time a client has to send the header of a request."
    )
    body_timeout: float = setting(
        30.0, duration(0.1, 3600), "Time a client has to send the body of a request."
    )
    reply_timeout: float = setting(
        30.0,
        duration(0.1, 3600),
        "Time a client has to take each piece of a reply, 256 KiB at most.",
    )
    keepalive: float = setting(
        15.0, duration(0, 3600), "Time an idle connection is kept open; 0 closes it at once."
    )
    graceful_timeout: float = setting(
        8.0,
        duration(0.1, 300),
        "Time that requests in flight are given at the end; with more than 8s the service may"
        " take longer than 10s to stop.",
    )
    tls_cert: str = setting(
        "",
        file_name(),
        "PEM file of the server's certificate and its chain; given, the service speaks https.",
        restart=True,
    )
    tls_key: str = setting(
        "",
        file_name(),
        "PEM file of the certificate's key, unencrypted. Empty: the key is in tls_cert.",
        restart=True,
    )
    client_ca: str = setting(
        "",
        file_name(),
        "PEM file of the authorities whose client certificates are accepted; a verified"
        " client's subject owns what it registers. Empty: none is asked for.",
        restart=True,
    )
    gzip_minimum: int = setting(
        1024,
        size(0, 2**30),
        "Replies of at least this size are compressed where the client accepts it.",
    )
