"""kbert/training/strategies.py, in runs of kbert.pretrain"""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pretraining_runs as runs
import pytest
import tensorflow as tf
from forks import Forks
from hosts import jax_hosts, tensorflow_hosts

from kbert import ConfigError, Stopped
from kbert.training.settings import check_division
from kbert.training.strategies import OneDevice, open_devices, stop_together

CLUSTER = {"worker": ["a:1", "b:1"]}


# === Settings and environment ===


@pytest.mark.parametrize(
    ("text", "received"),
    [
        (None, "TF_CONFIG is not set"),
        ("", "TF_CONFIG is not set"),
        ("worker", "TF_CONFIG=worker"),
        ("[]", r"TF_CONFIG=\[\]"),
        (json.dumps({"cluster": CLUSTER}), "TF_CONFIG="),
        (json.dumps({"cluster": CLUSTER, "task": {"type": "worker"}}), "TF_CONFIG="),
        (
            json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 2}}),
            '"index": 2',
        ),
        (
            json.dumps({"cluster": CLUSTER, "task": {"type": "ps", "index": 0}}),
            '"type": "ps"',
        ),
    ],
)
def test_several_hosts_need_a_tf_config(monkeypatch, text, received):
    if text is None:
        monkeypatch.delenv("TF_CONFIG", raising=False)
    else:
        monkeypatch.setenv("TF_CONFIG", text)

    with pytest.raises(ConfigError, match=received) as error:
        open_devices("multi-worker")
    assert '"worker": ["host0:2222", "host1:2222"]' in str(error.value)
    assert "\n" not in str(error.value)


def test_a_strategy_of_another_backend_is_an_error():
    expected = "'data-parallel' on the tensorflow backend.*KERAS_BACKEND=jax"

    with pytest.raises(ConfigError, match=expected):
        open_devices("data-parallel")


@pytest.mark.parametrize("strategy", ["none", "multi-worker", "tpu"])
def test_only_some_strategies_take_a_number_of_devices(strategy):
    with pytest.raises(ConfigError, match=f"devices=2 with strategy '{strategy}'"):
        open_devices(strategy, devices=2)


def test_mirrored_without_a_gpu_asks_for_devices(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])

    with pytest.raises(ConfigError, match="without a GPU.*--devices 2"):
        open_devices("mirrored")


def test_a_tpu_that_is_not_there_is_an_error():
    with pytest.raises(ConfigError, match="no TPU"):
        open_devices("tpu")


def test_devices_have_equal_parts_of_a_batch():
    chosen = runs.settings(batch_size=12, accumulate=2)
    check_division(chosen, 3)

    with pytest.raises(ConfigError, match="on 4 devices; expected.*multiple of 8"):
        check_division(chosen, 4)


class TwoHosts(OneDevice):
    """This host, and one that was asked to stop or not."""

    hosts = 2

    def __init__(self, other: bool) -> None:
        self.other = other

    def gather(self, number: int) -> list[int]:
        return [number, int(self.other)]


def stop():
    raise Stopped("stopped by SIGTERM")


def test_all_hosts_stop_where_one_is_asked_to():
    stop_together(lambda: None, TwoHosts(other=False))()

    with pytest.raises(Stopped, match="stopped by SIGTERM"):
        stop_together(stop, TwoHosts(other=False))()
    with pytest.raises(Stopped, match="another host was asked to stop"):
        stop_together(lambda: None, TwoHosts(other=True))()


# === Whole runs ===

STEPS = 50
CPU = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}


class Lab:
    """Data, the arguments of every run, and how to start one."""

    def __init__(self, folder: Path, forks: Forks, *, data: Path) -> None:
        self.folder, self.forks, self.data = folder, forks, data
        self.config = folder / "config.json"
        self.config.write_text(json.dumps(runs.SIZES))

    def start(self, name: str, *options: object, data: Path | None = None, **env: str):
        fixed = {
            "--config": self.config,
            "--steps": STEPS,
            "--batch-size": 8,
            "--learning-rate": 0.003,
            "--warmup-steps": 5,
            "--phase": f"{runs.LENGTH}:1",
            "--streams": 2,
            "--log-every": 1,
            "--save-every": 10,
            "--evaluate-every": 25,
            "--dropout": 0,
            "--seed": 5,
        }
        given = [text for option in fixed.items() for text in option]
        arguments = ["pretrain", data or self.data, "-o", self.folder / name, *given]
        host = env.get("KERAS_DISTRIBUTION_PROCESS_ID", env.get("TF_CONFIG", "")[-3:-2])
        output = self.folder / f"{name}.{host}.txt"
        return self.forks.start([*arguments, *options], output, **CPU, **env)

    def start_hosts(self, name: str, *options: object, data: list[Path] | None = None):
        return [
            self.start(
                name,
                *("--strategy", "multi-worker", *options),
                data=data[host] if data else None,
                **environment,
            )
            for host, environment in enumerate(tensorflow_hosts())
        ]

    def finish(self, name: str, *pids: int) -> Path:
        """The folder of a run that has ended well."""
        codes = [self.forks.finish(pid) for pid in pids]

        assert set(codes) == {0}, self.printed(name)
        return self.folder / name

    def printed(self, name: str) -> list[str]:
        """What each of its processes said."""
        return [path.read_text() for path in sorted(self.folder.glob(f"{name}.*.txt"))]

    def wait_for_checkpoint(self, name: str) -> None:
        while not list((self.folder / name / "checkpoints").glob("step-*")):
            time.sleep(0.1)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strategies")
    with Forks() as forks:
        yield Lab(folder, forks, data=runs.make_data(folder / "data", shards=4))


@pytest.fixture(scope="module")
def alone(lab):
    """A run on one device."""
    return lab.finish("alone", lab.start("alone"))


@pytest.fixture(scope="module")
def hosts_with_dropout(lab):
    """A run on two hosts that nobody stops."""
    pids = lab.start_hosts("whole", "--dropout", 0.3)
    return lab.finish("whole", *pids)


def assert_same_losses(run, other, *, tolerance=1e-4):
    lines, others = runs.read_lines(run), runs.read_lines(other)
    for line in (*lines, *others):
        for name in [name for name in line if name.endswith("perplexity")]:
            del line[name]  # e to a loss, which is there too

    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    for line, reference in zip(lines, others, strict=True):
        assert line == pytest.approx(reference, rel=tolerance, abs=tolerance)


def cut_back(run, copy):
    """A copy of a run as a kill after 45 of 50 steps leaves it."""
    shutil.copytree(run, copy)
    shutil.rmtree(copy / "model")
    shutil.rmtree(copy / "checkpoints" / f"step-{STEPS:08d}")
    (copy / "log.jsonl").write_text(
        "".join((run / "log.jsonl").read_text().splitlines(keepends=True)[:45])
    )


@pytest.mark.slow
def test_two_devices_have_the_losses_of_one(lab, alone):
    mirrored = lab.start("mirrored", "--strategy", "mirrored", "--devices", 2)

    assert_same_losses(lab.finish("mirrored", mirrored), alone)


@pytest.mark.slow
def test_accumulated_batches_on_two_devices_have_the_losses_of_the_large_one(
    lab, alone
):
    options = ("--strategy", "mirrored", "--devices", 2, "--accumulate", 2)
    summed = lab.finish("summed", lab.start("summed", *options))

    assert_same_losses(summed, alone)


@pytest.mark.slow
def test_two_hosts_have_the_losses_of_one_and_read_only_their_own_shards(lab, alone):
    folders = []
    for host in (0, 1):
        folders.append(lab.folder / f"data-of-host-{host}")
        shutil.copytree(lab.data, folders[-1])
        shards = sorted(folders[-1].glob(f"train-{runs.LENGTH}-*"))
        for shard in shards[1 - host :: 2]:
            shard.unlink()
    pids = lab.start_hosts("hosts", data=folders)

    assert_same_losses(lab.finish("hosts", *pids), alone)
    assert len(list(folders[0].glob(f"train-{runs.LENGTH}-*"))) == 2


@pytest.mark.slow
def test_a_run_with_dropout_on_two_devices_resumes_exactly(lab):
    options = ("--strategy", "mirrored", "--devices", 2, "--dropout", 0.3)
    whole = lab.finish("dropped", lab.start("dropped", *options))
    cut_back(whole, lab.folder / "cut")
    resumed = lab.finish("cut", lab.start("cut", *options, "--resume"))

    assert runs.digests(resumed) == runs.digests(whole)


@pytest.mark.slow
def test_a_killed_host_ends_the_other_and_all_resume_exactly(lab, hosts_with_dropout):
    options = ("--dropout", 0.3)
    pids = lab.start_hosts("killed", *options)
    lab.wait_for_checkpoint("killed")
    os.kill(pids[1], signal.SIGKILL)

    assert lab.forks.finish(pids[1]) == -signal.SIGKILL
    assert lab.forks.finish(pids[0]) == 1
    last = lab.printed("killed")[0].splitlines()[-1]
    assert last.startswith("Error: another host is gone (")
    assert "Start all hosts again with --resume" in last

    resumed = lab.finish("killed", *lab.start_hosts("killed", *options, "--resume"))
    assert runs.digests(resumed) == runs.digests(hosts_with_dropout)


@pytest.mark.slow
def test_a_stopped_host_stops_the_other_and_all_resume_exactly(lab, hosts_with_dropout):
    options = ("--dropout", 0.3)
    pids = lab.start_hosts("stopped", *options)
    lab.wait_for_checkpoint("stopped")
    os.kill(pids[1], signal.SIGTERM)

    assert [lab.forks.finish(pid) for pid in pids] == [1, 1]
    assert "\nError: another host was asked to stop" in lab.printed("stopped")[0]
    assert "Error: stopped by SIGTERM" in lab.printed("stopped")[1]

    resumed = lab.finish("stopped", *lab.start_hosts("stopped", *options, "--resume"))
    assert runs.digests(resumed) == runs.digests(hosts_with_dropout)


# === JAX ===


@pytest.fixture(scope="module")
def jax(lab):
    with Forks("jax") as forks:
        yield Lab(lab.folder, forks, data=lab.data)


@pytest.fixture(scope="module")
def weights(alone):
    """A model to go on from: backends draw different random weights."""
    return ("--config", alone / "model")


@pytest.fixture(scope="module")
def on_jax(jax, weights):
    """A run on one device."""
    return jax.finish("jax", jax.start("jax", *weights))


@pytest.mark.slow
@pytest.mark.jax
def test_jax_has_the_losses_of_tensorflow(lab, weights, on_jax):
    reference = lab.finish("tensorflow", lab.start("tensorflow", *weights))

    assert_same_losses(on_jax, reference)


@pytest.mark.slow
@pytest.mark.jax
def test_two_devices_of_jax_have_the_losses_of_one(jax, weights, on_jax):
    options = ("--strategy", "data-parallel", "--devices", 2, "--accumulate", 2)
    parallel = jax.start("parallel", *weights, *options)

    assert_same_losses(jax.finish("parallel", parallel), on_jax)


@pytest.mark.slow
@pytest.mark.jax
def test_a_run_with_dropout_on_two_devices_of_jax_resumes_exactly(jax, weights):
    options = (*weights, "--strategy", "data-parallel", "--devices", 2)
    options += ("--dropout", 0.3)
    whole = jax.finish("jax-dropped", jax.start("jax-dropped", *options))
    cut_back(whole, jax.folder / "jax-cut")
    resumed = jax.finish("jax-cut", jax.start("jax-cut", *options, "--resume"))

    assert runs.digests(resumed) == runs.digests(whole)


@pytest.mark.slow
@pytest.mark.jax
def test_two_hosts_of_jax_have_the_losses_of_one(jax, weights, on_jax):
    options = (*weights, "--strategy", "data-parallel")
    pids = [jax.start("jax-hosts", *options, **host) for host in jax_hosts()]

    assert_same_losses(jax.finish("jax-hosts", *pids), on_jax)


@pytest.mark.slow
@pytest.mark.jax
def test_a_strategy_of_tensorflow_is_an_error_on_jax(jax):
    pid = jax.start("mirrored-jax", "--strategy", "mirrored")

    assert jax.forks.finish(pid) == 1
    assert "on the jax backend of Keras; expected" in jax.printed("mirrored-jax")[0]
