"""Run by test_pretraining_data_resuming.py: stops runs at any step, resumes, compares.

Arguments: the folder to work in; ``steps`` and how many to go on by (1: all of them),
``random`` and a number of kills; ``full`` and how many bytes a file may grow by; or
``memory`` and how many times as long the longer one of two corpora is.
Prints one JSON object; its "problems" must be empty. A lookup stands in for the
tokenizer: without TensorFlow, forking is safe and quick.
"""

import builtins
import dataclasses
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
import types
from pathlib import Path

import numpy as np

from kbert.errors import OutputError
from kbert.pretraining_data import (
    PretrainingData,
    PretrainingDataSettings,
    blocks,
    create_pretraining_data,
    layout,
)
from kbert.vocabulary import SPECIAL_TOKENS, Vocabulary

CALLS = ("fsync", "replace", "mkdir", "rmdir", "unlink")
VOCABULARY = Vocabulary.from_tokens([*SPECIAL_TOKENS, *(f"w{n}" for n in range(50))])
SETTINGS = PretrainingDataSettings(
    sequence_lengths=(16, 32), already_split=True, shards=3, evaluation_fraction=0.1
)


class LookUp:
    """Does what tokenization.py needs of a ``Tokenizer``."""

    vocabulary = VOCABULARY

    def __init__(self, vocabulary, lowercase, *, strip_accents):
        pass

    def tokenize(self, sentences):
        ids = [[VOCABULARY.ids[word] for word in one.split()] for one in sentences]
        values = np.array([one for sentence in ids for one in sentence], np.int32)
        splits = np.cumsum([0, *map(len, ids)])
        return types.SimpleNamespace(
            values=types.SimpleNamespace(numpy=lambda: values),
            row_splits=types.SimpleNamespace(numpy=lambda: splits),
        )


def stand_in(name, **content):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(content)


stand_in("kbert.tokenizer", Tokenizer=LookUp)
stand_in("kbert.tokenizer.inputs", to_tensor=list)
blocks.BLOCK_CHARACTERS = 700


def write_corpus(path):
    draw = random.Random(1)
    documents = [
        "\n".join(
            " ".join(f"w{draw.randrange(50)}" for _ in range(draw.randint(1, 9)))
            for _ in range(draw.randint(1, 9))
        )
        for _ in range(20)
    ]
    path.write_text("\n\n".join(documents))
    return path


class Job:
    """One job, at any place."""

    def __init__(self, folder):
        self.corpus = write_corpus(folder / "corpus.txt")
        self.settings = SETTINGS

    def write(self, out, *, resume, overwrite=False, pause=0.0):
        create_pretraining_data(
            [self.corpus],
            out,
            vocabulary=VOCABULARY,
            settings=self.settings,
            workers=1,
            resume=resume,
            overwrite=overwrite,
            progress=lambda stage, done, total: time.sleep(pause),
        )


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
    for path in out.with_name(f"{out.name}.partial").glob("data-*/*"):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if not path.name.startswith(".kbert-tmp-") and digest != good[path.name]:
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


class Trial:
    """Kills, resumes and compares.

    Args:
        job: what is run.
        base: folder to work in.
        good: the digests of the output of an uninterrupted run.
    """

    def __init__(self, job, base, good):
        self.job, self.folder, self.good = job, base / "work", good
        self.out = self.folder / "out"
        self.problems = []

    def anew(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()

    def check(self, label, old=None):
        """Resume after a kill, and compare."""
        torn = torn_files(self.out, self.good, old)
        self.problems += [f"{label}: torn {path}" for path in torn]
        status = child(lambda: self.job.write(self.out, resume=True))
        if status:
            self.problems.append(f"{label}: resuming ended with {status}")
        elif digests(self.out) != self.good:
            self.problems.append(f"{label}: other bytes")
        if self.out.with_name("out.partial").exists():
            self.problems.append(f"{label}: leftovers")

    def every_step(self, stride):
        """Kill at every stride-th step of a new, an overwriting and a resumed run."""
        kills = {}
        for kind in ("new", "overwrite", "resumed"):
            kills[kind] = 0
            for step in itertools.count(1, stride):
                if not self.step(kind, step):
                    break
                kills[kind] += 1
        return kills

    def step(self, kind, step):
        """Kill once; whether it came to that."""
        self.anew()
        old = None
        if kind == "overwrite":
            self.out.mkdir()
            (self.out / "manifest.json").write_text('{"old": true}')
            old = digests(self.out)
        if kind == "resumed":
            child(lambda: killed_at(90, lambda: self.job.write(self.out, resume=False)))
        how = {"resume": kind == "resumed", "overwrite": kind == "overwrite"}
        status = child(lambda: killed_at(step, lambda: self.job.write(self.out, **how)))
        label = f"{kind} {step}"
        if kind == "overwrite" and status:
            self.go_on_overwriting(label, old)
        else:
            self.check(label, old)
        return status == signal.SIGKILL

    def go_on_overwriting(self, label, old):
        """A run that had begun goes on; one that had not is asked again."""
        state = self.out.with_name("out.partial") / "state.json"
        if state.exists() or digests(self.out) == self.good:
            self.check(label, old)
            return
        torn = torn_files(self.out, self.good, old)
        self.problems += [f"{label}: torn {path}" for path in torn]
        child(lambda: self.job.write(self.out, resume=False, overwrite=True))
        if digests(self.out) != self.good:
            self.problems.append(f"{label}: other bytes")

    def random_moments(self, kills):
        """Kill after a random time, up to five times in a row."""
        done = 0
        choose = random.Random(20240229)
        while done < kills:
            self.anew()
            for _ in range(choose.randint(1, 5)):
                pid = os.fork()
                if not pid:
                    self.job.write(self.out, resume=True, pause=0.002)
                    os._exit(0)
                time.sleep(choose.uniform(0, 0.15))
                os.kill(pid, signal.SIGKILL)
                done += os.waitpid(pid, 0)[1] == signal.SIGKILL
                torn = torn_files(self.out, self.good, None)
                self.problems += [f"torn {path}" for path in torn]
            self.check(f"after {done} kills")
        return {"random": done}

    def full_disk(self, stride):
        """Let no file grow beyond a limit, for limits up to that of the largest."""
        for failures, limit in enumerate(itertools.count(0, stride)):
            self.anew()
            status = child(lambda limit=limit: self.limited(limit))
            if status == 0:
                return {"full": failures}
            if os.waitstatus_to_exitcode(status) != 3:
                self.problems.append(f"limit {limit}: ended with {status}")
            left = self.folder.rglob(".kbert-*")
            self.problems += [f"limit {limit}: left {path}" for path in left]
            self.check(f"limit {limit}")

    def memory(self, times):
        """The peak in MB for two corpora, each run in a process of its own."""
        text = self.job.corpus.read_text()
        peaks = {}
        for copies in (1, times):
            self.anew()
            self.job.corpus.write_text(f"{text}\n\n" * 1000 * copies)
            reader, writer = os.pipe()
            child(lambda writer=writer: self.measured(writer))
            peaks[copies] = int(os.read(reader, 99)) >> 10
        return peaks

    def measured(self, pipe):
        blocks.BLOCK_CHARACTERS, layout._SHARD_TOKENS = 100_000, 20_000
        self.job.settings = dataclasses.replace(SETTINGS, shards=None)
        self.job.write(self.out, resume=False)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        os.write(pipe, str(peak).encode())

    def limited(self, limit):
        """Exit with 3 if the error is the one that a full disk has to give."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            self.job.write(self.out, resume=False)
        except OutputError as error:
            wanted = r"^\S+/out(\.partial\S*)?: cannot be written: .* MB are free there"
            os._exit(3 if re.search(wanted, str(error)) else 4)


def main():
    base = Path(sys.argv[1])
    job = Job(base)
    job.write(base / "good", resume=False)
    PretrainingData.open(base / "good")
    trial = Trial(job, base, digests(base / "good"))
    run = {
        "steps": trial.every_step,
        "random": trial.random_moments,
        "full": trial.full_disk,
        "memory": trial.memory,
    }
    kills = run[sys.argv[2]](int(sys.argv[3]))
    print(json.dumps({"kills": kills, "problems": trial.problems}))


main()
