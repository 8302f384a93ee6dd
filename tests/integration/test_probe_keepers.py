"""Keepers stay for further probes: each run is as clean as the first, and who hangs is let go."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from aggregator.collect import probe_link
from aggregator.collect.probe_client import ProbeClient

from .probe_kit import await_that, became, processes, shell, token, with_server
from .test_probe_crashes import collector, is_gone


def keepers(client: ProbeClient) -> set[int]:
    children = Path(f"/proc/{client.server_pid}/task/{client.server_pid}/children")
    return {int(pid) for pid in children.read_text().split()}


def with_settings(monkeypatch: pytest.MonkeyPatch, **settings: float) -> None:
    """Have probe servers started with other constants: module, two underscores, name."""
    boot = "import sys; sys.path.append(sys.argv[1])\n"
    boot += "from aggregator.collect import probe_server, probe_endings, probe_keeper\n"
    for name, value in settings.items():
        module, constant = name.split("__")
        boot += f"probe_{module}._{constant} = {value}\n"
    monkeypatch.setattr(probe_link, "_BOOT", f"{boot}probe_server.main(sys.argv[2:])")


def test_one_keeper_serves_many_runs_that_know_nothing_of_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_settings(monkeypatch, keeper__EMPTIED=20.0)

    async def test(client: ProbeClient) -> None:
        for number in range(20):
            script = f"cat; ls -A; touch left; echo {number}; echo $AGGREGATOR_PROBE_ID >&2"
            result = await shell(client, script, stdin=b"given %d\n" % number)
            given, printed = result.stdout.decode().splitlines()
            assert (given, printed) == (f"given {number}", str(number))
            assert len(keepers(client)) == 1
            seen.add(result.stderr)

    seen: set[str] = set()
    with_server(test)
    assert len(seen) == 20


@pytest.mark.parametrize(
    "spoil",
    [
        "mkdir -p a/b/c; touch a/b/c/d .hidden",
        "chmod 777 .",
        "chmod 500 .; touch -d 2001-01-01 .",
        "mkdir a; touch a/b; chmod 0 a .",
        'rmdir "$HOME"',
        'rmdir "$HOME"; touch "$HOME"',
        'rmdir "$HOME"; ln -s "$KEPT" "$HOME"',
        'cd ..; mv "$HOME" "$HOME"-moved; mkdir "$HOME"; touch "$HOME"/x',
    ],
)
def test_the_next_probe_finds_a_clean_folder_whatever_was_done_to_it(
    tmp_path: Path, spoil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_settings(monkeypatch, keeper__EMPTIED=20.0)
    (tmp_path / "precious").touch()

    async def test(client: ProbeClient) -> None:
        await shell(client, f"KEPT={tmp_path}; {spoil}")
        # Until it is ready for the next, another would be started.
        await asyncio.sleep(0.3)
        found = await shell(client, 'ls -A; stat -c %a .; touch "$HOME/works" && pwd')
        mode, here = found.stdout.decode().splitlines()
        assert mode == "700"
        assert len(keepers(client)) == 1
        assert not list(Path(here).iterdir())

    with_server(test)
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("sleep {0}", "timeout"),
        ("yes", "overflow"),
        ("(setsid sleep {0} >/dev/null 2>&1 &)", "exit"),
        ("sleep {0} & exec /bin/true", "exit"),
        ("kill -9 $$", "signal"),
    ],
)
def test_a_run_that_ends_badly_leaves_its_keeper_as_it_was(script: str, outcome: str) -> None:
    name = token()

    async def test(client: ProbeClient) -> None:
        await shell(client, "true")
        [first] = keepers(client)
        limits = {"timeout": 0.3, "max_output": 1000}
        assert (await shell(client, script.format(name), **limits)).outcome == outcome
        assert not processes(name)
        after = await shell(client, "ls /proc/self/fd | wc -l")
        assert (after.outcome, int(after.stdout)) == ("exit", 4)
        assert keepers(client) == {first}

    with_server(test)


def test_what_cannot_be_started_leaves_its_keeper_as_it_was() -> None:
    async def test(client: ProbeClient) -> None:
        await shell(client, "true")
        [first] = keepers(client)
        before = len(os.listdir(f"/proc/{first}/fd"))
        for _ in range(10):
            result = await client.run(("/no/such", "x"), env={}, timeout=5, max_output=10)
            assert result.outcome == "spawn-failed"
        assert keepers(client) == {first}
        assert len(os.listdir(f"/proc/{first}/fd")) == before

    with_server(test)


def test_large_input_passes_to_a_keeper_that_waits() -> None:
    async def test(client: ProbeClient) -> None:
        await shell(client, "true")
        result = await shell(client, "wc -c", stdin=b"x" * 5_000_000)
        assert int(result.stdout) == 5_000_000

    with_server(test)


def test_a_keeper_that_was_killed_while_it_waited_is_replaced() -> None:
    async def test(client: ProbeClient) -> None:
        await shell(client, "true")
        [first] = keepers(client)
        os.kill(first, signal.SIGKILL)
        await became(lambda: not keepers(client))
        assert (await shell(client, "echo fine")).stdout == b"fine\n"
        assert client.restarts == 0

    with_server(test)


def test_a_keeper_that_hangs_costs_its_own_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with_settings(monkeypatch, server__MARGIN=1.0)
    name = token()

    async def test(client: ProbeClient) -> None:
        hung = asyncio.create_task(shell(client, f"sleep {name}", timeout=1.0))
        await became(lambda: processes(name))
        [keeper] = keepers(client)
        os.kill(keeper, signal.SIGSTOP)
        assert (await shell(client, "echo fine")).stdout == b"fine\n"
        assert (await asyncio.wait_for(hung, 10)).outcome == "timeout"
        await became(lambda: not processes(name) and is_gone(keeper))
        assert client.restarts == 0

    with_server(test)


def scratch_of(client: ProbeClient) -> Path:
    arguments = Path(f"/proc/{client.server_pid}/cmdline").read_bytes().split(b"\0")
    return Path(os.fsdecode(arguments[-2]))


def test_folders_deep_within_each_other_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    with_settings(monkeypatch, keeper__EMPTIED=20.0)
    deep = "for n in $(seq 600); do mkdir d; touch f; cd d || exit 1; done; echo made"

    async def test(client: ProbeClient) -> None:
        for _ in range(2):
            assert (await shell(client, deep)).stdout == b"made\n"
        assert len(keepers(client)) == 1
        [folder] = scratch_of(client).iterdir()
        assert not list(folder.iterdir())

    with_server(test)


def test_much_that_is_left_delays_neither_its_result_nor_other_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_settings(monkeypatch, keeper__EMPTIED=0.0)

    async def test(client: ProbeClient) -> None:
        for _ in range(3):
            assert (await shell(client, "seq 2000 | xargs touch; echo made")).stdout == b"made\n"
            assert (await shell(client, "ls")).stdout == b""
        await became(lambda: not [*scratch_of(client).glob("*/*")])

    with_server(test)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files that do not go")
def test_what_cannot_be_deleted_is_not_the_next_probes(tmp_path: Path) -> None:
    async def test(client: ProbeClient) -> None:
        stuck = await shell(client, "pwd; touch a stays; chattr +i stays && echo held")
        where, *held = stuck.stdout.decode().splitlines()
        if not held:
            pytest.skip("this file system has no immutable files")
        try:
            found = await shell(client, "pwd; ls -A")
            assert found.stdout.decode().splitlines() != [where]
            assert len(found.stdout.decode().splitlines()) == 1
            assert not (Path(where) / "a").exists()
        finally:
            os.system(f"chattr -i {where}/stays")

    with_server(test)


def test_the_folder_of_a_keeper_that_was_killed_is_deleted() -> None:
    async def test(client: ProbeClient) -> None:
        run = asyncio.create_task(shell(client, "mkdir -p a/b; touch a/b/c; sleep 60"))
        await became(lambda: list(scratch_of(client).glob("*/a/b/c")))
        for keeper in keepers(client):
            os.kill(keeper, signal.SIGKILL)
        assert (await run).outcome == "lost"
        await became(lambda: not list(scratch_of(client).iterdir()))
        await became(lambda: not keepers(client))

    with_server(test)


def test_a_keeper_that_hangs_when_it_should_leave_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_settings(monkeypatch, endings__PATIENCE=1.0)

    async def test(client: ProbeClient) -> None:
        run = asyncio.create_task(shell(client, "sleep 60"))
        await became(lambda: keepers(client))
        [keeper] = keepers(client)
        os.kill(keeper, signal.SIGSTOP)
        run.cancel()
        await became(lambda: is_gone(keeper))
        assert (await shell(client, "echo fine")).stdout == b"fine\n"

    with_server(test)


def test_a_keeper_that_dies_as_it_is_chosen_loses_no_run() -> None:
    async def test(client: ProbeClient) -> None:
        for _ in range(20):
            assert (await shell(client, "echo fine")).stdout == b"fine\n"
            # The server wakes to the order and to the end of the keeper at the same time.
            os.kill(client.server_pid, signal.SIGSTOP)
            for keeper in keepers(client):
                os.kill(keeper, signal.SIGKILL)
            run = asyncio.create_task(shell(client, "echo fine"))
            await asyncio.sleep(0.02)
            os.kill(client.server_pid, signal.SIGCONT)
            assert (await run).stdout == b"fine\n"

    with_server(test)


def test_keepers_without_work_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    with_settings(monkeypatch, server__IDLE=0.5)

    async def test(client: ProbeClient) -> None:
        await asyncio.gather(*(shell(client, "sleep 0.2") for _ in range(8)))
        assert len(keepers(client)) == 8
        await became(lambda: not keepers(client))
        assert (await shell(client, "echo fine")).stdout == b"fine\n"

    with_server(test)


def test_what_outlived_all_who_watched_it_is_ended_by_the_next_start() -> None:
    name = token()
    with collector(name) as running:
        everybody = [*running.keepers(), running.server, running.process.pid]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)  # So that none can help.
        for pid in everybody:
            os.kill(pid, signal.SIGKILL)
        await_that(lambda: all(map(is_gone, everybody)))
        with_server(lambda client: shell(client, "true"))
        await_that(lambda: not processes(name), within=5)
