#!/usr/bin/env python3
"""Runs the black-box tests: every function `test_*` of every `tests/test_*.py`, against the real binary.

    tests/run.py                      all tests
    tests/run.py alerting loki.push   only tests with one of these texts in their name
    tests/run.py --list               names only

The binary is $CLOUDOS_MONITOR_BIN (or $CLOUDOS_BINARY), else what cargo built, release before debug. Tests run
one after the other; a test that takes longer than its limit fails. What failed is run once more at the end: if it
passes then, it is named as flaky, which is a defect of its own. `test_durability.kill_9` is the name of the
function `test_kill_9` in `test_durability.py`.
"""

import importlib
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from unittest import SkipTest

import process
import stack

DEFAULT_LIMIT = 60
HERE = Path(__file__).resolve().parent


class TookTooLong(Exception):
    pass


def discover():
    for path in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        for name, value in vars(module).items():
            if name.startswith("test_") and callable(value) and value.__module__ == module.__name__:
                yield f"{path.stem.removeprefix('test_')}.{name.removeprefix('test_')}", value


def run_one(test, limit):
    def late(*_):
        raise TookTooLong(f"took longer than {limit} s")

    def stuck():
        # The test sits somewhere no exception reaches, in a library's C code for instance.
        print(f"FAILED  stuck: a test ignores its limit of {limit} s\n0 passed, 1 failed, 0 skipped", flush=True)
        process.kill_all()
        os._exit(1)

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, limit)
    watchdog = threading.Timer(limit + 30, stuck)
    watchdog.daemon = True
    watchdog.start()
    try:
        test()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        watchdog.cancel()


def main(arguments):
    tests = [(n, t) for n, t in discover() if not wanted(arguments) or any(w in n for w in wanted(arguments))]
    if "--list" in arguments:
        print("\n".join(name for name, _ in tests))
        return 0
    count = len(tests)
    print(f"binary: {process.binary()}", flush=True)
    # An ended run still cleans up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    passed, failed, flaky, skipped = 0, [], [], 0
    try:
        # The list grows while it is walked: by the tests to be run again.
        for turn, (name, test) in enumerate(tests):
            again = turn >= count
            began = time.monotonic()
            error, log_before = None, stack.shared_log_size()
            try:
                run_one(test, getattr(test, "time_limit", DEFAULT_LIMIT))
                mark, passed = "flaky" if again else "ok", passed + 1
                flaky += [name] * again
            except SkipTest as e:
                mark, error, skipped = "skipped", f"        {e}", skipped + 1
            except Exception:
                mark, error = "FAILED", traceback.format_exc()
                if again:
                    failed.append(name)
                else:
                    tests.append((name, test))
            print(f"{mark:7} {name:58} {time.monotonic() - began:6.2f} s", flush=True)
            if error:
                print(error, flush=True)
            complaints = stack.shared_complaints(log_before) if mark == "FAILED" else ""
            if complaints:
                print("meanwhile, in the shared stack's log:\n" + complaints, flush=True)
    finally:
        stack.close_shared()
        process.kill_all()
    for name in flaky:
        print(f"flaky: {name}")
    for name in failed:
        print(f"failed: {name}")
    print(f"{passed} passed, {len(failed)} failed, {skipped} skipped", flush=True)
    return 1 if failed or not passed else 0


def wanted(arguments):
    return [a for a in arguments if not a.startswith("--")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
