"""Effects of each signal on a command in its own process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tests.support.foreground import in_foreground
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

HEAD = """
import os, signal, sys, time
from cluster.terminal.stop_signals import draining, restore_sigterm, shield_children_from_hangup
from cluster.terminal.stop_signals import stop_on_signals
def wait(s=20):
    end = time.monotonic() + s
    while time.monotonic() < end: time.sleep(0.05)
"""
RUN = """
shield_children_from_hangup()
said = []
try:
    with draining(lambda: (said.append(1), print("draining", flush=True))):
        print("ready", flush=True)
        while not said: time.sleep(0.05)
        wait(2)
    print("saved")
except KeyboardInterrupt:
    print("cut off")
"""
COMMAND = """
stop_on_signals()
try:
    print("ready", flush=True)
    wait()
except KeyboardInterrupt:
    print("cleaning up", flush=True)
    wait(1)
    print("clean")
"""


def under_nohup() -> None:
    in_foreground()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def sent(code: str, *numbers: signal.Signals, ignored: bool = False) -> tuple[int, list[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD + code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=under_nohup if ignored else in_foreground,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.5)
    if ignored:
        process.terminate()
    output, _ = process.communicate(timeout=60)
    return process.returncode, output.splitlines()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_drains_a_run(number: signal.Signals) -> None:
    assert sent(RUN, number) == (0, ["draining", "saved"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_one_stops_it_immediately(number: signal.Signals) -> None:
    assert sent(RUN, signal.SIGHUP, number) == (0, ["draining", "cut off"])


@pytest.mark.parametrize("first", [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_terminal_never_stops_it_immediately(first: signal.Signals) -> None:
    """The shell sends SIGHUP, and then the kernel; systemd sends it after SIGTERM."""
    code, lines = sent(RUN, first, signal.SIGHUP, signal.SIGHUP)
    assert (code, lines[-1]) == (0, "saved")


@pytest.mark.parametrize("code", [RUN, COMMAND])
def test_a_command_under_nohup_ignores_a_closed_terminal(code: str) -> None:
    _, lines = sent(code, signal.SIGHUP, ignored=True)
    # It still runs when the following SIGTERM arrives.
    assert lines[0] in ("draining", "cleaning up")


def test_a_run_that_is_still_loading_is_cleaned_up() -> None:
    code = COMMAND.replace("stop_on_signals()", "stop_on_signals()\nshield_children_from_hangup()")
    assert sent(code, signal.SIGHUP, signal.SIGHUP) == (0, ["cleaning up", "clean"])


def test_processes_that_a_run_starts_outlive_the_terminal() -> None:
    code = """
import subprocess
shield_children_from_hangup()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(2)"])
print("ready", flush=True)
time.sleep(0.3)
child.send_signal(signal.SIGHUP)
print(child.wait())
"""
    assert sent(code) == (0, ["0"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_other_commands_clean_up(number: signal.Signals) -> None:
    twice = [number] * (2 if number == signal.SIGHUP else 1)
    assert sent(COMMAND, *twice) == (0, ["cleaning up", "clean"])


def test_our_sigterm_handler_is_restored_after_ray_replaced_it() -> None:
    code = "stop_on_signals()\nsignal.signal(signal.SIGTERM, lambda *_: os._exit(15))\nrestore_sigterm()\n"
    assert sent(code + COMMAND.replace("stop_on_signals()", ""), signal.SIGTERM)[1] == [
        "cleaning up",
        "clean",
    ]
