"""How runs of probes end, on real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aggregator.collect.probe_client import ProbeClient

from .probe_kit import ENV, became, kept_open, one, processes, shell, token, with_server

MB = 2**20


def test_a_probe_gets_its_input_and_gives_its_output() -> None:
    result = one("cat; echo done >&2", stdin=b"<EPR/>\n<Config/>\n")
    assert (result.outcome, result.status) == ("exit", 0)
    assert result.stdout == b"<EPR/>\n<Config/>\n"
    assert result.stderr == "done\n"
    assert 0 < result.seconds < 10


def test_no_output_is_an_end_like_any_other() -> None:
    result = one("true")
    assert (result.outcome, result.status, result.stdout) == ("exit", 0, b"")


def test_an_exit_code_is_told() -> None:
    result = one("echo trouble >&2; exit 3")
    assert (result.outcome, result.status, result.stderr) == ("exit", 3, "trouble\n")


def test_a_signal_is_told() -> None:
    result = one("kill -SEGV $$")
    assert (result.outcome, result.status) == ("signal", signal.SIGSEGV)


def test_a_hanging_probe_ends_at_its_timeout_with_all_beneath_it() -> None:
    name = token()
    result = one(f"echo begun; sleep {name} | sleep {name}", timeout=0.3)
    assert result.outcome == "timeout"
    assert 0.3 <= result.seconds < 5
    assert processes(name) == []


def test_sigterm_comes_first_so_that_a_probe_can_clean_up(tmp_path: Path) -> None:
    trap = f"trap 'touch {tmp_path}/cleaned; exit' TERM; while :; do sleep 0.05; done"
    result = one(trap, timeout=0.3)
    assert result.outcome == "timeout"
    assert result.seconds < 1.2
    assert (tmp_path / "cleaned").exists()


def test_a_probe_that_ignores_sigterm_is_killed_a_second_later() -> None:
    name = token()
    result = one(f"trap '' TERM; sleep {name}; sleep {name}", timeout=0.2)
    assert result.outcome == "timeout"
    assert 1.2 <= result.seconds < 6
    assert processes(name) == []


def test_a_stopped_probe_is_killed() -> None:
    result = one("kill -STOP $$", timeout=0.2)
    assert result.outcome == "timeout"


def test_a_flood_of_output_ends_the_probe() -> None:
    result = one("yes flood", max_output=1000)
    assert result.outcome == "overflow"
    assert result.stdout == (b"flood\n" * 200)[:1000]
    assert processes("flood") == []


def test_output_up_to_the_limit_is_taken() -> None:
    result = one("head -c 1000 /dev/zero", max_output=1000)
    assert (result.outcome, len(result.stdout)) == ("exit", 1000)


def test_of_a_flood_of_errors_the_beginning_is_kept() -> None:
    result = one("head -c 5000000 /dev/zero | tr '\\0' e >&2; echo fine")
    assert (result.outcome, result.stdout, result.stderr) == ("exit", b"fine\n", "e" * 512)


def test_a_probe_that_closes_its_pipes_is_waited_for() -> None:
    result = one("exec 0<&- 1>&- 2>&-; sleep 0.5; exit 4")
    assert (result.outcome, result.status) == ("exit", 4)
    assert result.seconds >= 0.5


def test_large_input_that_is_not_read_does_no_harm() -> None:
    result = one("echo early", stdin=bytes(8 * MB))
    assert (result.outcome, result.stdout) == ("exit", b"early\n")
    assert one("exec 0<&-; sleep 0.2; echo late", stdin=bytes(MB)).stdout == b"late\n"


def test_input_and_output_both_larger_than_a_pipe_pass() -> None:
    result = one("head -c 3000000 /dev/zero; wc -c", stdin=bytes(3 * MB), max_output=4 * MB)
    assert result.stdout[:3_000_000].strip(b"\0") == b""
    assert result.stdout[3_000_000:].strip() == str(3 * MB).encode()


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        (None, 0, "No such file"),
        ("#!/bin/sh\n", 0o644, "Permission denied"),
        ("#!/no/interpreter\n", 0o755, "No such file"),
        ("neither script nor program", 0o755, "Exec format error"),
    ],
)
def test_what_cannot_be_started_says_why(
    tmp_path: Path, text: str | None, mode: int, told: str
) -> None:
    path = tmp_path / "probe"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)

    async def test(client: ProbeClient) -> None:
        for argument in ("plain", "nul\0"):
            command = (str(path), argument)
            result = await client.run(command, env=ENV, timeout=5, max_output=10)
            assert result.outcome == "spawn-failed"
            assert ("null" if "\0" in argument else told) in result.stderr

    with_server(test)


def test_a_probe_finds_a_clean_place() -> None:
    result = one('echo "$HOME $TMPDIR $PWD"; echo x > left; mkdir -p a/b; touch a/b/c; env')
    first, *environment = result.stdout.decode().splitlines()
    home, temporary, here = first.split()
    assert home == temporary == here
    assert not Path(home).exists()
    names = {line.partition("=")[0] for line in environment}
    assert names - {"_", "SHLVL", "OLDPWD"} == (
        {"PATH", "LANG", "HOME", "TMPDIR", "PWD", "AGGREGATOR_PROBE_ID"}
    )


def test_a_probe_has_default_signals_and_three_descriptors() -> None:
    result = one("ls /proc/self/fd | wc -l; grep -E 'Sig(Ign|Blk)' /proc/self/status; ulimit -c")
    descriptors, *signals, core = result.stdout.decode().split("\n")[:-1]
    assert int(descriptors) == 4  # One of them is that of the listing.
    # 32 and 33 are the C library's own, which sets them anew in each program that it starts.
    own = 0b11 << 31
    assert [int(line.split()[1], 16) & ~own for line in signals] == [0, 0]
    assert core == "0"


def test_memory_beyond_the_limit_is_not_given() -> None:
    script = f"exec {sys.executable} -c 'x = bytearray(200 << 20); print(len(x))'"
    assert one(script, memory_limit=100 * MB).status == 1
    assert one(script, memory_limit=400 * MB).stdout.strip() == b"209715200"


def test_memory_that_the_tree_uses_together_ends_it() -> None:
    name = token()
    hog = f"{sys.executable} -c 'import time; x = bytearray(60 << 20); time.sleep(60)' {name}"
    result = one(f"{hog} & {hog} & {hog} & wait", memory_limit=100 * MB)
    assert result.outcome == "memory"
    assert processes(name) == []


def test_slow_probes_delay_no_other() -> None:
    async def test(client: ProbeClient) -> None:
        slow = [
            "sleep 60",
            "yes >&2",
            "trap '' TERM; yes >&2",
            "exec 2>&-; sleep 60",
            "kill -STOP $$",
        ]
        hanging = [
            asyncio.create_task(shell(client, script, timeout=60, stdin=bytes(MB)))
            for script in slow
        ]
        await asyncio.sleep(0.5)
        began = time.monotonic()
        for _ in range(10):
            assert (await shell(client, "echo quick")).stdout == b"quick\n"
        assert time.monotonic() - began < 10
        assert not any(task.done() for task in hanging)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)

    with_server(test)


def test_a_flood_of_errors_costs_no_processor() -> None:
    async def test(client: ProbeClient) -> None:
        def seconds() -> float:
            fields = Path(f"/proc/{client.server_pid}/stat").read_text().rpartition(")")[2].split()
            return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

        assert (await shell(client, "yes >&2", timeout=2)).outcome == "timeout"
        # Once it was waited for, the keeper's time, and that of the flood, is the server's.
        await became(lambda: seconds() > 0)
        assert seconds() < 1

    with_server(test)


def test_two_hundred_at_once() -> None:
    async def test(client: ProbeClient) -> None:
        began = time.monotonic()
        runs = [shell(client, f"sleep 1; echo {number}") for number in range(200)]
        results = await asyncio.gather(*runs)
        assert time.monotonic() - began < 30
        assert [int(result.stdout) for result in results] == list(range(200))

    with_server(test, max_concurrent=200)


def test_no_more_run_at_once_than_allowed() -> None:
    async def test(client: ProbeClient) -> None:
        began = time.monotonic()
        await asyncio.gather(*(shell(client, "sleep 0.3") for _ in range(6)))
        assert time.monotonic() - began >= 0.9

    with_server(test, max_concurrent=2)


def test_a_run_that_is_cancelled_is_killed_at_once() -> None:
    name = token()

    async def test(client: ProbeClient) -> None:
        run = asyncio.create_task(shell(client, f"trap '' TERM; sleep {name}; sleep {name}"))
        await became(lambda: processes(name))
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert client.running == 0
        await became(lambda: not processes(name), within=5)

    with_server(test)


def test_five_hundred_timeouts_leave_nothing_open() -> None:
    name = token()

    async def test(client: ProbeClient) -> None:
        async def batch(size: int) -> None:
            runs = [shell(client, f"sleep {name}", timeout=0.05) for _ in range(size)]
            assert {result.outcome for result in await asyncio.gather(*runs)} == {"timeout"}

        await batch(50)
        await asyncio.sleep(0.2)
        pids = (client.server_pid, os.getpid())
        before = [len(list(kept_open(pid))) for pid in pids]
        for _ in range(10):
            await batch(50)
        await became(lambda: sum(len(list(kept_open(p))) for p in pids) <= sum(before), within=30)
        assert processes(name) == []
        children = Path(f"/proc/{client.server_pid}/task/{client.server_pid}/children")
        keepers = [int(pid) for pid in children.read_text().split()]
        assert 0 < len(keepers) <= 50  # They wait for the next run, with nothing open but a link.
        assert {len(list(kept_open(pid))) for pid in keepers} == {4}

    with_server(test)


def test_the_server_is_small() -> None:
    root = Path(__file__).parents[2]
    script = "import sys; sys.path.append(sys.argv[1]); import aggregator.collect.probe_server"
    script += "; print(*sys.modules)"
    command = (sys.executable, "-I", "-S", "-c", script, str(root))
    modules = set(subprocess.check_output(command, text=True).split())
    heavy = {"asyncio", "typing", "dataclasses", "subprocess", "threading", "logging", "lxml"}
    assert not modules & heavy
    assert len(modules) < 100

    async def test(client: ProbeClient) -> None:
        await shell(client, "true")
        status = Path(f"/proc/{client.server_pid}/status").read_text()
        resident = int(status.partition("VmRSS:")[2].split()[0])
        assert resident < 20_000

    with_server(test)


def test_the_scratch_folder_is_private_and_goes_with_the_client() -> None:
    async def test(client: ProbeClient) -> None:
        mode = (await shell(client, "stat -c %a . ..; cd ..; pwd")).stdout.decode().split()
        assert mode[:2] == ["700", "700"]
        seen.append(Path(mode[2]))

    seen: list[Path] = []
    with_server(test)
    assert not seen[0].exists()
    assert stat.S_ISDIR(seen[0].parent.stat().st_mode)
