"""Small shards of known records, small data of text, and short runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pretraining_runs as runs
import pytest
from pretraining_records import Data, dynamic_record, static_record, write_shards


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Gives the folder of data with some choices, made once."""
    folders: dict[str, Path] = {}

    def find(**choices: Any) -> Path:
        key = repr(choices)
        if key not in folders:
            folder = tmp_path_factory.mktemp("made") / "of"
            folders[key] = runs.make_data(folder, **choices)
        return folders[key]

    return find


@pytest.fixture(scope="session")
def unlabelled(made: Callable[..., Path]) -> Path:
    """Data of objective none."""
    return made(objective="none")


@pytest.fixture(scope="session")
def whole_run(unlabelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short run that nothing stopped; tests never change it."""
    import kbert

    run = tmp_path_factory.mktemp("whole") / "run"
    kbert.pretrain(unlabelled, run, config=runs.config(), settings=runs.settings())
    return run


@pytest.fixture(scope="session")
def dynamic_data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Four shards of 19, 7, 11 and 13 records, and two of 5 and 2 held out."""
    folder = tmp_path_factory.mktemp("dynamic")
    records = [dynamic_record(number) for number in range(57)]
    train = write_shards(folder, "train", records[:50], [19, 7, 11, 13])
    evaluation = write_shards(folder, "evaluation", records[50:], [5, 2])
    return Data(folder, splits={"train": train, "evaluation": evaluation})


@pytest.fixture(scope="session")
def unlabelled_data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """One shard of records that say nothing of the next sentence."""
    folder = tmp_path_factory.mktemp("unlabelled")
    records = [dynamic_record(number, labelled=False) for number in range(9)]
    train = write_shards(folder, "train", records, [9])
    return Data(folder, objective="none", splits={"train": train})


@pytest.fixture(scope="session")
def static_data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """One shard of six records of Google's schema, none held out."""
    folder = tmp_path_factory.mktemp("static")
    records = [static_record(number) for number in range(6)]
    train = write_shards(folder, "train", records, [6])
    return Data(folder, static_masks=True, splits={"train": train})
