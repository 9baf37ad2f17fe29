"""Kills runs of kbert at random moments, resumes them, and compares how they end.

``kill_driver.py`` of pretraining and of fine-tuning call ``report``. Every run is a
fork of their process, which has imported TensorFlow but not begun to use it.
"""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from kbert.cli.main import main as kbert

Digests = Callable[[Path], dict[str, str]]


def start(arguments: list[str], run: Path) -> int:
    """Fork a run; its process id."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    with open(run.with_name("output.txt"), "ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    kbert([*arguments, "-o", str(run), "--resume"])
    os._exit(0)


def ended(pid: int) -> object:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)


def finished(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def newest(run: Path) -> int:
    """The newest checkpoint's step, 0 if there is none."""
    found = [path.name for path in run.glob("checkpoints/step-*")]
    return max((int(name.removeprefix("step-")) for name in found), default=0)


def wait_for_progress(pid: int, run: Path) -> None:
    """Until the run has saved something, or has ended."""
    before = newest(run)
    while not ended(pid) and newest(run) == before:
        time.sleep(0.005)


def whole(arguments: list[str], run: Path) -> float:
    """Make a whole run; the seconds from its first save to its end."""
    pid = start(arguments, run)
    wait_for_progress(pid, run)
    began = time.perf_counter()
    assert finished(pid) == 0, run.with_name("output.txt").read_text()
    return time.perf_counter() - began


def report(arguments: list[str], folder: Path, kills: int, digests: Digests) -> str:
    """Kill runs of a command; one JSON object, whose "problems" must be empty.

    Args:
        arguments: of the command, without output.
        folder: to work in.
        kills: how many.
        digests: of all that has to be the same.
    """
    choose = random.Random(7)
    seconds = whole(arguments, folder / "good")
    good = digests(folder / "good")
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
        elif digests(run) != good:
            problems.append("another result")
        else:
            shutil.rmtree(run)
    if finished(start(arguments, run)):
        problems.append("the last run did not end well")
    elif digests(run) != good:
        problems.append("another result")
    problems += [str(one) for one in run.rglob(".kbert-*")]
    text = run.with_name("output.txt").read_text() if problems else ""
    found = [*problems, *text.splitlines()[-9:]]
    return json.dumps({"problems": found, "kills": count, "steps_seen": steps_seen})
