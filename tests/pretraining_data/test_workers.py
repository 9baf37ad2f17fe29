"""kbert/pretraining_data/workers.py"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kbert import OutputError, Stopped
from kbert.pretraining_data import workers
from kbert.pretraining_data.work import Job
from kbert.pretraining_data.workers import Workers

LAYOUT = {
    "documents": 60,
    "evaluation_documents": 0,
    "shards": {"train": 30, "evaluation": 0},
}


def stop_before_shards(stage, done, total):
    if stage == "shards":
        raise Stopped("enough")


@pytest.fixture
def unwritten(make, tmp_path):
    """A run whose blocks are made; what is left to do needs no TensorFlow."""
    with pytest.raises(Stopped):
        make(tmp_path / "out", how={"progress": stop_before_shards})
    return tmp_path / "out"


@pytest.fixture
def job(unwritten):
    """The job of that run."""
    from kbert import PretrainingDataSettings

    partial = unwritten.with_name("out.partial")
    (work,), (data,) = partial.glob("work-*"), partial.glob("data-*")
    settings = PretrainingDataSettings(sequence_lengths=(32,), objective="none")
    return Job(settings.to_dict(), str(work), str(data))


def requests(count=30, blocks=1):
    return [("train", number, LAYOUT, blocks) for number in range(count)]


@pytest.mark.parametrize("count", [2, 3])
def test_any_number_of_workers_writes_the_same_bytes(make, unwritten, count):
    alone = make()
    together = make(unwritten, workers=count, how={"resume": True})

    for one, other in zip(alone.path.iterdir(), together.path.iterdir(), strict=True):
        assert one.name == other.name
        assert one.read_bytes() == other.read_bytes()


def test_every_unit_is_done_once(job):
    with Workers(job, 2) as pool:
        assert list(pool.run("write", requests())) == [1] * 30
        assert len(pool._started) == 2

    assert len(os.listdir(job.data)) == 30


def test_units_are_asked_for_as_they_are_needed():
    asked = 0

    def endless():
        nonlocal asked
        while True:
            asked += 1
            yield (asked,)

    with ThreadPoolExecutor(2) as pool:
        done = workers._bounded(
            lambda request: pool.submit(lambda: 1), endless(), most=4
        )
        for _ in range(10):
            next(done)

    assert asked <= 14


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_of_a_unit_is_raised_here(job, count):
    os.rmdir(job.data)

    with (
        Workers(job, count) as pool,
        pytest.raises(OutputError, match=r"tfrecord: cannot be written: No such file"),
    ):
        list(pool.run("write", requests()))


def test_a_defect_in_a_worker_is_told_with_its_last_line(job):
    with (
        Workers(job, 2) as pool,
        pytest.raises(OutputError, match="worker process ended: FileNotFoundError"),
    ):
        list(pool.run("write", requests(blocks=9)))


def test_a_killed_worker_is_one_clear_error(job):
    with Workers(job, 2) as pool:
        results = pool.run("write", requests())
        next(results)
        pool._started[0]._process.kill()

        with pytest.raises(OutputError, match="was killed. .* --resume and fewer"):
            list(results)


def is_running(pid):
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False


def assert_ended(pids):
    until = time.monotonic() + 20
    while any(map(is_running, pids)):
        assert time.monotonic() < until, "workers outlive their parent"
        time.sleep(0.02)


def test_workers_end_with_the_run(job):
    with Workers(job, 2) as pool:
        list(pool.run("write", requests(4)))
        pids = [process._process.pid for process in pool._started]
        assert all(map(is_running, pids))

    assert_ended(pids)


def test_workers_end_when_their_parent_is_killed(job):
    code = (
        "import sys, time\n"
        "from kbert.pretraining_data.work import Job\n"
        "from kbert.pretraining_data.workers import Workers\n"
        f"pool = Workers(Job(**{vars(job)!r}), 2)\n"
        f"list(pool.run('write', {requests(4)!r}))\n"
        "print(*(one._process.pid for one in pool._started), flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    with parent:
        pids = [int(one) for one in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(is_running, pids))
        os.kill(parent.pid, signal.SIGKILL)

    assert_ended(pids)


def test_a_script_without_a_main_guard_does_not_run_again_in_each_worker(job, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from kbert.pretraining_data.work import Job\n"
        "from kbert.pretraining_data.workers import Workers\n"
        "print('once')\n"
        f"with Workers(Job(**{vars(job)!r}), 2) as pool:\n"
        f"    print(sum(pool.run('write', {requests(4)!r})))\n"
    )

    done = subprocess.run([sys.executable, script], capture_output=True, text=True)

    assert done.stdout == "once\n4\n", done.stderr
