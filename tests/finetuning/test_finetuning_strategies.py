"""kbert/finetuning: runs that several devices and hosts share"""

from pathlib import Path

import finetuning_runs as runs
import pytest
from forks import Forks
from hosts import jax_hosts, tensorflow_hosts

CPU = {"CUDA_VISIBLE_DEVICES": "-1"}


class Lab:
    """The arguments of every run, and its log."""

    def __init__(self, folder: Path, forks: Forks, toy: Path) -> None:
        self.folder, self.forks = folder, forks
        fixed = {
            "--model": toy / "model",
            "--train": toy / "train.tsv",
            "--dev": toy / "dev.tsv",
            "--batch-size": 8,
            "--log-every": 1,
            "--learning-rate": 0.01,
            "--dropout": 0.0,
            "--epochs": 1,
        }
        self.fixed = [text for option in fixed.items() for text in option]

    def lines(self, name, *options, hosts=({},)):
        """What a run logs, in a process for each host."""
        output = self.folder / f"{name}.txt"
        arguments = ["finetune", "classify", *self.fixed, "-o", self.folder / name]
        pids = [
            self.forks.start([*arguments, *options], output, **CPU, **host)
            for host in hosts
        ]
        codes = [self.forks.finish(pid) for pid in pids]
        assert set(codes) == {0}, output.read_text()
        return runs.read_lines(self.folder / name)


@pytest.fixture(scope="module")
def lab(toy, tmp_path_factory):
    with Forks() as forks:
        yield Lab(tmp_path_factory.mktemp("strategies"), forks, toy)


@pytest.fixture(scope="module")
def jax(toy, tmp_path_factory):
    with Forks("jax") as forks:
        yield Lab(tmp_path_factory.mktemp("jax"), forks, toy)


def assert_same(lines, reference):
    assert [line["step"] for line in lines] == list(range(1, 21))
    for line, other in zip(lines, reference, strict=True):
        assert line == pytest.approx(other, rel=1e-4, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--accumulate", 2), ("--layer-decay", 0.5)])
def test_two_devices_have_the_losses_of_one(lab, options):
    name = "-".join(map(str, options))
    mirrored = ("--strategy", "mirrored", "--devices", 2)

    both = lab.lines(f"both{name}", *options, *mirrored)

    assert_same(both, lab.lines(f"alone{name}", *options))


@pytest.mark.slow
def test_two_hosts_have_the_losses_of_one(lab):
    both = lab.lines("hosts", "--strategy", "multi-worker", hosts=tensorflow_hosts())

    assert_same(both, lab.lines("host"))


@pytest.fixture(scope="module")
def on_jax(jax):
    return jax.lines("alone")


@pytest.mark.slow
@pytest.mark.jax
def test_two_devices_of_jax_have_the_losses_of_one(jax, on_jax):
    options = ("--strategy", "data-parallel", "--devices", 2)

    assert_same(jax.lines("both", *options), on_jax)


@pytest.mark.slow
@pytest.mark.jax
def test_two_hosts_of_jax_have_the_losses_of_one(jax, on_jax):
    both = jax.lines("hosts", "--strategy", "data-parallel", hosts=jax_hosts())

    assert_same(both, on_jax)
