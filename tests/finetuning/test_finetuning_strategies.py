"""kbert/finetuning: runs that several devices share"""

from pathlib import Path

import finetuning_runs as runs
import pytest
from forks import Forks

CPU = {"CUDA_VISIBLE_DEVICES": "-1"}


@pytest.fixture(scope="module")
def lab(toy, tmp_path_factory):
    """Gives the log of a run with some options, each run of a process of its own."""
    folder = tmp_path_factory.mktemp("strategies")
    fixed = ["finetune", "classify", "--model", toy / "model", "--dev", toy / "dev.tsv"]
    fixed += ["--train", toy / "train.tsv", "--batch-size", 8, "--log-every", 1]
    fixed += ["--learning-rate", 0.01, "--dropout", 0.0, "--epochs", 1]

    with Forks() as forks:

        def lines(name: str, *options: object) -> list[dict[str, float]]:
            output = folder / f"{name}.txt"
            arguments = [*fixed, "-o", folder / name, *options]
            pid = forks.start(arguments, output, **CPU)
            assert forks.finish(pid) == 0, Path(output).read_text()
            return runs.read_lines(folder / name)

        yield lines


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--accumulate", 2), ("--layer-decay", 0.5)])
def test_two_devices_have_the_losses_of_one(lab, options):
    name = "-".join(map(str, options))
    mirrored = ("--strategy", "mirrored", "--devices", 2)
    alone = lab(f"alone{name}", *options)
    both = lab(f"both{name}", *options, *mirrored)

    assert [line["step"] for line in both] == list(range(1, 21))
    for line, reference in zip(both, alone, strict=True):
        assert line == pytest.approx(reference, rel=1e-4, abs=1e-4)
