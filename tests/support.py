"""Small things every test needs: waiting for a state, skipping, time limits, the test's own directory."""

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from unittest import SkipTest

ROOT = Path(__file__).resolve().parent.parent

# Where the originals' programs may be found; tests that need them are skipped without.
PEERS = Path(os.environ.get("CLOUDOS_PEERS") or Path.home() / ".cache/cloudos-peers/root/usr/bin")

__all__ = ["PEERS", "ROOT", "SkipTest", "scratch", "time_limit", "until"]


def until(check, what, seconds=20.0, every=0.05):
    """Calls `check` until it returns something true, and returns that.

    A failed assertion or a refused connection counts as "not yet"; the last one is shown when time is up.
    """
    deadline = time.monotonic() + seconds
    last = None
    while True:
        try:
            value = check()
            if value:
                return value
            last = f"last value: {value!r}"
        except (AssertionError, OSError) as e:
            last = f"last error: {type(e).__name__}: {e}"
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {what}; {last}")
        time.sleep(every)


def time_limit(seconds):
    """Gives one test another limit than the runner's default."""

    def mark(test):
        test.time_limit = seconds
        return test

    return mark


@contextlib.contextmanager
def scratch(prefix="cloudos-test-"):
    """A directory of its own, removed afterwards."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
