"""Run by test_store_crashes.py: stops writers at every step, resumes, compares.

Arguments: the folder to work in; ``steps`` and how many to go on by (1: all of them),
``random`` and a number of kills; or ``full`` and how many bytes a file may grow by.
Prints one JSON object; its "problems" must be empty. One thread, no TensorFlow, so that
forking is safe and quick.
"""

import builtins
import hashlib
import itertools
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np

from kbert.errors import OutputError
from kbert.store import FeatureChunk, FeatureStore, StoreWriter

ITEMS, CHUNK = 40, 4
CALLS = ("fsync", "replace", "mkdir", "rmdir", "unlink")


def chunk(start):
    """Items start … start + CHUNK; a pure function of the item numbers."""
    rows = np.array([item * 7 % 4 for item in range(start, start + CHUNK)])
    parts = [
        np.random.default_rng(item).normal(size=(count, 5)).astype("float32")
        for item, count in zip(range(start, start + CHUNK), rows, strict=True)
    ]
    status = np.array([(start + row) % 4 for row in range(rows.sum())], "u1")
    records = [{"id": f"n{item}"} for item in range(start, start + CHUNK)]
    return FeatureChunk(np.concatenate(parts), rows, status, records)


def write(out, *, resume, overwrite=False, pause=0.0):
    writer = StoreWriter(
        out,
        settings={"layers": [-1]},
        row_shape=(5,),
        shard_bytes=400,
        resume=resume,
        overwrite=overwrite,
    )
    with writer:
        for start in range(writer.items_done, ITEMS, CHUNK):
            writer.append(chunk(start))
            time.sleep(pause)
        writer.finish({"note": 1})


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def torn_files(out, good, old):
    """Whatever has a final name but is not whole."""
    torn = []
    if out.exists() and digests(out) not in (good, old):
        torn.append(str(out))
    store = out.with_name(f"{out.name}.partial") / "store"
    for path in store.glob("*") if store.exists() else ():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        known = digest in good.values() or path.name == "manifest.json"
        if not path.name.startswith(".kbert-tmp-") and not known:
            torn.append(str(path))
    return torn


def child(body):
    """Fork, run, and say how the child ended."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    try:
        body()
    except BaseException as error:
        print(f"child: {error!r}", file=sys.stderr)
        os._exit(1)
    os._exit(0)


def killed_at(step, body):
    """Run ``body``; die before file operation n at step 2n - 1, and after it at 2n."""
    count = 0

    def counted(original):
        def replacement(*args, **kwargs):
            nonlocal count
            count += 1
            try:
                if step == 2 * count - 1:
                    os.kill(os.getpid(), signal.SIGKILL)
                return original(*args, **kwargs)
            finally:
                if step == 2 * count:
                    os.kill(os.getpid(), signal.SIGKILL)

        return replacement

    for call in CALLS:
        setattr(os, call, counted(getattr(os, call)))
    builtins.open = counted(open)
    body()


def check(out, good, old, problems, label):
    """Resume after a kill, and compare."""
    problems += [f"{label}: torn {path}" for path in torn_files(out, good, old)]
    status = child(lambda: write(out, resume=True))
    if status:
        problems.append(f"{label}: resuming ended with {status}")
    elif digests(out) != good:
        problems.append(f"{label}: another store")
    if out.with_name(f"{out.name}.partial").exists():
        problems.append(f"{label}: leftovers")


def every_step(folder, good, problems, stride):
    """Kill at every stride-th step of a new, an overwriting and a resumed run."""
    kills = {}
    for kind in ("new", "overwrite", "resumed"):
        step, status, old = 1 - stride, signal.SIGKILL, None
        kills[kind] = 0
        while status == signal.SIGKILL:
            step += stride
            out = folder / "out"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            if kind == "overwrite":
                out.mkdir()
                (out / "manifest.json").write_text('{"old": true}')
                old = digests(out)
            if kind == "resumed":
                child(lambda out=out: killed_at(60, lambda: write(out, resume=False)))
            status = child(
                lambda out=out, step=step, kind=kind: killed_at(
                    step,
                    lambda: write(
                        out, resume=kind == "resumed", overwrite=kind == "overwrite"
                    ),
                )
            )
            kills[kind] += status == signal.SIGKILL
            if kind == "overwrite" and status == signal.SIGKILL:
                resume_overwrite(out, good, old, problems, f"{kind} {step}")
            else:
                check(out, good, old, problems, f"{kind} {step}")
    return kills


def resume_overwrite(out, good, old, problems, label):
    """An overwriting run that had begun goes on; one that had not is asked again."""
    state = out.with_name(f"{out.name}.partial") / "state.json"
    if state.exists() or digests(out) == good:
        check(out, good, old, problems, label)
        return
    problems += [f"{label}: torn {path}" for path in torn_files(out, good, old)]
    child(lambda: write(out, resume=False, overwrite=True))
    if digests(out) != good:
        problems.append(f"{label}: another store")


def random_moments(folder, good, problems, kills):
    """Kill after a random time, up to five times in a row."""
    done = 0
    choose = random.Random(20240229)
    while done < kills:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        out = folder / "out"
        for _ in range(choose.randint(1, 5)):
            pid = os.fork()
            if not pid:
                write(out, resume=True, pause=0.002)
                os._exit(0)
            time.sleep(choose.uniform(0, 0.06))
            os.kill(pid, signal.SIGKILL)
            done += os.waitpid(pid, 0)[1] == signal.SIGKILL
            problems += [f"torn {path}" for path in torn_files(out, good, None)]
        check(out, good, None, problems, f"after {done} kills")
    return {"random": done}


def full_disk(folder, good, problems, stride):
    """Let no file grow beyond a limit, for limits up to that of the largest file."""
    for failures, limit in enumerate(itertools.count(0, stride)):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        out = folder / "out"
        status = child(lambda out=out, limit=limit: limited(out, limit))
        if status == 0:
            return {"full": failures}
        if os.waitstatus_to_exitcode(status) != 3:
            problems.append(f"limit {limit}: ended with {status}")
        left = [str(path) for path in folder.rglob(".kbert-*")]
        problems += [f"limit {limit}: left {path}" for path in left]
        check(out, good, None, problems, f"limit {limit}")


def limited(out, limit):
    """Exit with 3 if the error is the one that a full disk has to give."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        write(out, resume=False)
    except OutputError as error:
        wanted = r"^\S+/out(\.partial/\S+)?: cannot be written: .* MB are free there"
        os._exit(3 if re.search(wanted, str(error)) else 4)


def main():
    base = Path(sys.argv[1])
    write(base / "good", resume=False)
    FeatureStore.open(base / "good").verify()
    good, problems = digests(base / "good"), []
    run = {"steps": every_step, "random": random_moments, "full": full_disk}[
        sys.argv[2]
    ]
    kills = run(base / "work", good, problems, int(sys.argv[3]))
    print(json.dumps({"kills": kills, "problems": problems}))


main()
