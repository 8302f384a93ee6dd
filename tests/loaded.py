"""Services and collectors that begin as copies of a process which has loaded what they need.

To load it takes half of what a start costs, and a run of the tests has hundreds of starts. A copy
plays the same program. Run as a program this is the process that is copied: it plays what comes
over its socket, and tells over the one that came along the copy's number and how it ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_LONGEST = 65536


class Copy:
    """A copy that runs, to its parent what a `subprocess.Popen` is."""

    def __init__(self, channel: socket.socket, args: Sequence[str]) -> None:
        self.args = args
        self.returncode: int | None = None
        self._channel = channel
        self.pid = self._told()

    def __del__(self) -> None:
        self._channel.close()

    def poll(self) -> int | None:
        """The exit status, or minus the signal that ended it; None as long as it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The status, once it has ended."""
        if self.returncode is None:
            self._channel.settimeout(None if timeout is None else max(0.0, timeout))
            try:
                self.returncode = self._told()
            except (TimeoutError, BlockingIOError) as error:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from error
            self._channel.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it has not ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def _told(self) -> int:
        said = self._channel.recv(_LONGEST)
        assert said, "the process that is copied is gone"
        return int(said)


class Loaded:
    """The process that is copied, as who has copies made sees it; begun with the first.

    `program` is one of those of `_PROGRAMS`, `module` what starts one anew.
    """

    def __init__(self, program: str, *, module: str) -> None:
        self._program = program
        self._module = module
        self._link: socket.socket | None = None
        self._around = _around()

    def close(self) -> None:
        """End the process that is copied; the copies go on, and nobody is told how they end."""
        if self._link is not None:
            self._link.close()

    def fits(self) -> bool:
        """Whether a copy would find what a process that is started now would."""
        return self._around == _around()

    def play(
        self, args: Sequence[str], *, out: int, log: int, environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes] | Copy:
        """Have the program run with `args`; it writes to the files `out` and `log`.

        What is in `environ` must be nothing that is looked at before the program begins.
        """
        if not self.fits():
            return self.start(args, out=out, log=log, environ=environ or {})
        if self._link is None:
            self._link = _begin(self._program)
        asked = json.dumps({"args": args, "environ": environ or {}}).encode()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self._link, [asked], [theirs.fileno(), out, log])
        return Copy(ours, args)

    def start(
        self, args: Sequence[str], *, out: int, log: int, environ: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start the program anew."""
        command = [sys.executable, "-m", self._module, *args]
        return subprocess.Popen(command, stdout=out, stderr=log, env={**os.environ, **environ})


def _around() -> tuple[dict[str, str], str]:
    environ = {name: os.environ[name] for name in os.environ if not name.startswith("PYTEST_")}
    return environ, os.getcwd()


def _begin(program: str) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", __name__, program, str(theirs.fileno())]
        # It ends when our side of its socket is closed, which is when this process ends.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
    process.returncode = 0  # Nobody waits for it.
    return ours


class _Original:
    """The process that is copied, as it sees itself."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._selector = selectors.DefaultSelector()
        self._selector.register(link, selectors.EVENT_READ)

    def serve(self) -> dict[str, Any] | None:
        """Make copies for as long as somebody may ask: None here, and in each what is asked."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._link:
                    self._bury(key)
                    continue
                said, files, _, _ = socket.recv_fds(self._link, _LONGEST, 3)
                if not said:
                    return None
                if not self._copy(files):
                    return dict(json.loads(said))

    def _copy(self, files: Sequence[int]) -> int:
        """The copy's number; 0 in the copy itself."""
        channel, out, log = socket.socket(fileno=files[0]), *files[1:]
        pid = os.fork()
        if pid:
            os.close(out)
            os.close(log)
            channel.send(str(pid).encode())
            end = os.pidfd_open(pid)
            self._selector.register(end, selectors.EVENT_READ, (pid, channel))
            return pid
        os.dup2(out, 1)
        os.dup2(log, 2)
        # Objects that close a file of theirs later on would close one of the service.
        for one in (channel, self._link, *self._channels()):
            one.detach()
        self._selector.close()
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        return 0

    def _channels(self) -> list[socket.socket]:
        return [key.data[1] for key in self._selector.get_map().values() if key.data]

    def _bury(self, key: selectors.SelectorKey) -> None:
        pid, channel = key.data
        _, status = os.waitpid(pid, 0)
        self._selector.unregister(key.fileobj)
        os.close(key.fd)
        with contextlib.suppress(OSError):  # Who asked for it may be gone.
            channel.send(str(os.waitstatus_to_exitcode(status)).encode())
        channel.close()


def _service() -> Callable[[list[str]], object]:
    from aggregator.cli import serve  # noqa: F401, PLC0415  (who has copies made need not load it)
    from aggregator.cli.main import main  # noqa: PLC0415
    from aggregator.run.role import load  # noqa: PLC0415

    load(["query", "web", "collector", "prepare"])
    return lambda args: main(args, prog_name="aggregator")


def _collector() -> Callable[[list[str]], object]:
    from tests.collector_process import main  # noqa: PLC0415

    return lambda args: sys.exit(main(args[0]))


_PROGRAMS = {"service": _service, "collector": _collector}


def _main(program: str, link: str) -> None:
    play = _PROGRAMS[program]()
    # Ctrl-C ends this one without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asked = _Original(socket.socket(fileno=int(link))).serve()
    if asked is None:
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(asked["environ"])
    tempfile.tempdir = None
    sys.argv = [program, *asked["args"]]
    play(asked["args"])


if __name__ == "__main__":
    _main(*sys.argv[1:])
