"""Run by test_pretraining_resuming.py: kills `kbert pretrain`, resumes it, compares.

Arguments: a folder to work in, the number of kills, and the command's own arguments
without output. Prints one JSON object; its "problems" must be empty. Every run is a
fork of this process, which has imported TensorFlow but not begun to use it.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pretraining_runs as runs

from kbert.cli.main import main as kbert
from kbert.cli.quiet import import_tensorflow


def start(arguments, run):
    """Fork a run; its process id."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    with open(run.with_name("output.txt"), "ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    kbert(["pretrain", *arguments, "-o", str(run), "--resume"])
    os._exit(0)


def ended(pid):
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)


def finished(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def newest(run):
    """The newest checkpoint's step, 0 if there is none."""
    found = [path.name for path in (run / "checkpoints").glob("step-*")]
    return max((int(name.removeprefix("step-")) for name in found), default=0)


def wait_for_progress(pid, run):
    """Until the run has saved something, or has ended."""
    before = newest(run)
    while not ended(pid) and newest(run) == before:
        time.sleep(0.005)


def whole(run):
    """A whole run: its digests, and the seconds from its first save to its end."""
    arguments = sys.argv[3:]
    pid = start(arguments, run)
    wait_for_progress(pid, run)
    began = time.perf_counter()
    assert finished(pid) == 0, run.with_name("output.txt").read_text()
    return runs.digests(run), time.perf_counter() - began


def main():
    import_tensorflow()
    import kbert.pretraining  # noqa: F401  everything that a run imports

    folder, kills, *arguments = sys.argv[1:]
    folder, kills, choose = Path(folder), int(kills), random.Random(7)
    good, seconds = whole(folder / "good")
    run, problems, steps_seen, count = folder / "run", [], [], 0
    while count < kills and not problems:
        pid = start(arguments, run)
        # One in five is killed while it starts, the others while they train and save.
        if choose.random() < 0.8:
            wait_for_progress(pid, run)
        time.sleep(choose.uniform(0, seconds / 4))
        os.kill(pid, signal.SIGKILL)
        code = finished(pid)
        if code == -signal.SIGKILL:
            count += 1
            steps_seen.append(newest(run))
        elif code:
            problems.append(f"a run ended with {code}")
        elif runs.digests(run) != good:
            problems.append("another result")
        else:
            shutil.rmtree(run)
    if finished(start(arguments, run)):
        problems.append("the last run did not end well")
    elif runs.digests(run) != good:
        problems.append("another result")
    problems += [str(one) for one in run.rglob(".kbert-*")]
    text = run.with_name("output.txt").read_text() if problems else ""
    print(
        json.dumps(
            {
                "problems": [*problems, *text.splitlines()[-9:]],
                "kills": count,
                "steps_seen": steps_seen,
            }
        )
    )


main()
