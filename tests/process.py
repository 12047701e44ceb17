"""Starting the real binary, and never leaving one behind."""

import atexit
import ctypes
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

from support import ROOT

# The product stops within two seconds; the rest is for a machine that is busy with other things.
STOP_SECONDS = 6.0

_alive = set()


def binary():
    """The program under test: named by the environment, or as cargo leaves it."""
    for name in ("CLOUDOS_MONITOR_BIN", "CLOUDOS_BINARY"):
        given = os.environ.get(name)
        if given:
            path = Path(given)
            assert path.is_file(), f"{name}={given}: there is no such file"
            return path.resolve()
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    for profile in ("release", "debug"):
        path = target / profile / "cloudos-monitor"
        if path.is_file():
            return path.resolve()
    raise AssertionError(f"no cloudos-monitor below {target}: build it, or set CLOUDOS_MONITOR_BIN")


class ProcessEnded(Exception):
    """Not an assertion, so that nobody goes on waiting for a process that is gone."""


class Process:
    """A child process with its log in a file."""

    def __init__(self, command, log, cwd=None, env=None):
        self.command = [str(part) for part in command]
        self.log = Path(log)
        self.cwd = str(cwd) if cwd else None
        self.env = {**os.environ, **(env or {})}
        self.child = None

    def start(self):
        self.launch()
        return self

    def launch(self):
        """Starts the program and waits for nothing."""
        assert self.child is None, "already running"
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.cwd,
                env=self.env,
                preexec_fn=_die_with_parent,
            )
        _alive.add(self)

    def wait(self, seconds):
        """Waits for an end that comes by itself; returns the exit status."""
        try:
            code = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds:g} s:\n{self.log_tail()}") from None
        self._forget()
        return code

    @property
    def pid(self):
        return self.child.pid

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def assert_running(self):
        if not self.is_running():
            raise ProcessEnded(f"it ended with status {self._code()}; its log:\n{self.log_tail()}")

    def signal(self, number):
        self.child.send_signal(number)

    def kill9(self):
        """The end that nobody can prepare for."""
        if self.child is not None:
            self.child.kill()
            self.child.wait()
            self._forget()

    def stop(self):
        """SIGTERM; the process must end by itself, in time and with status 0."""
        if self.child is None:
            return
        self.assert_running()
        self.child.terminate()
        began = time.monotonic()
        try:
            code = self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"still running {STOP_SECONDS:g} s after SIGTERM:\n{self.log_tail()}") from None
        self._forget()
        assert code == 0, f"SIGTERM ended with status {code}:\n{self.log_tail()}"
        return time.monotonic() - began

    def close(self):
        """Ends the process, however; for cleaning up."""
        if self.is_running():
            self.child.terminate()
            try:
                self.child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        self.kill9()

    def log_tail(self, lines=40):
        try:
            text = self.log.read_text("utf-8", "replace")
        except OSError as e:
            return f"(no log: {e})"
        return "\n".join("    | " + line for line in text.splitlines()[-lines:])

    def _code(self):
        return None if self.child is None else self.child.poll()

    def _forget(self):
        self.child = None
        _alive.discard(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def free_offset(ports):
    """A number to add to all `ports` so that none of them is taken.

    Results stay below the range from which the kernel gives out ports, so that no outgoing connection of
    another test takes one between this look and the bind.
    """
    highest = 32_000 - max(ports)
    for _ in range(500):
        offset = random.randrange(1000, highest)
        if all(_is_free(port + offset) for port in ports):
            return offset
    raise AssertionError("no free range of ports")


def free_port():
    return 17_000 + free_offset([17_000])


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _die_with_parent():
    # Even a killed test run leaves nothing behind.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def kill_all():
    for process in list(_alive):
        process.kill9()


atexit.register(kill_all)
