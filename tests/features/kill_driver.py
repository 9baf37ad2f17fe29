"""Run by test_resuming.py: kills `kbert extract-features`, resumes it, compares.

Arguments: a folder to work in, the number of kills, and the command's own arguments
without output. Prints one JSON object; its "problems" must be empty. Every run is a
fork of this process, which has imported TensorFlow but not begun to use it.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np

from kbert.cli.main import main as kbert
from kbert.cli.quiet import import_tensorflow


def start(arguments, out, *, resume):
    """Fork a run that writes ``out``; its process id."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    kbert(["extract-features", *arguments, "-o", str(out)] + ["--resume"] * resume)
    os._exit(0)


def finished(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def digests(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def shards_on_disk(out):
    """The arrays that have their final name, each loaded whole."""
    folders = [out, out.with_name(f"{out.name}.partial") / "store"]
    paths = [path for folder in folders for path in folder.glob("features-*.npy")]
    return [np.load(path) for path in paths]


def wait_until_writing(pid, out):
    """Until the run holds the lock of its working folder, or has ended."""
    lock = out.with_name(f"{out.name}.partial") / ".kbert-lock"
    while not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        try:
            if lock.read_text() == f"{pid}\n":
                return
        except FileNotFoundError:
            pass
        time.sleep(0.001)


def uninterrupted(arguments, out):
    """The seconds that a whole run spends writing."""
    pid = start(arguments, out, resume=False)
    wait_until_writing(pid, out)
    began = time.perf_counter()
    assert finished(pid) == 0
    return time.perf_counter() - began


def random_kills(arguments, folder, kills):
    seconds, good = uninterrupted(arguments, folder / "good"), digests(folder / "good")
    problems, shards_seen, out = [], [], folder / "out"
    choose = random.Random(7)
    while len(shards_seen) < kills and not problems:
        pid = start(arguments, out, resume=True)
        if choose.random() < 0.9:  # the others are killed while they load the model
            wait_until_writing(pid, out)
        time.sleep(choose.uniform(0, 0.8) * seconds)
        os.kill(pid, signal.SIGKILL)
        if finished(pid) == -signal.SIGKILL:
            shards_seen.append(len(shards_on_disk(out)))
        if out.is_dir() or len(shards_seen) % 4 == 0:
            if code := finished(start(arguments, out, resume=True)):
                problems.append(f"resuming ended with {code}")
            elif digests(out) != good:
                problems.append("another store")
            shutil.rmtree(out, ignore_errors=True)
    left = {path.name for path in folder.iterdir()} - {"good", "out"}
    problems += [f"leftover: {name}" for name in left if name != "out.partial"]
    return {
        "shards": len(list((folder / "good").glob("features-*.npy"))),
        "shards_seen": shards_seen,
        "problems": problems,
    }


def main():
    import_tensorflow()
    import kbert.features.estimator  # noqa: F401  everything that a run imports

    folder, kills, *arguments = sys.argv[1:]
    print(json.dumps(random_kills(arguments, Path(folder), int(kills))))


main()
