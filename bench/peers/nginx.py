"""nginx with static files: the limit of serving bytes on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.processes import program, running
from tests.service import free_port

PACKAGE = "nginx-light"
_CONFIG = """
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    open_file_cache max=100;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {folder}/files;
        default_type text/xml;
    }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, files: Mapping[str, bytes]) -> Iterator[str]:
    """nginx, with two workers, serving `files` by name; its URL."""
    port = free_port()
    (folder / "files").mkdir(parents=True)
    for name, content in files.items():
        (folder / "files" / name).write_bytes(content)
    (folder / "nginx.conf").write_text(_CONFIG.format(folder=folder, port=port))
    # Started by root, its workers are another user, who must come to the files.
    for above in (folder, *folder.parents):
        if above.stat().st_uid == folder.stat().st_uid and above.name.startswith("bench-"):
            above.chmod(0o755)
    command = [program("nginx", package=PACKAGE), "-c", str(folder / "nginx.conf")]
    with running(command, folder=folder, port=port):
        yield f"http://127.0.0.1:{port}"
