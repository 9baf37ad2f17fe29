"""A toy set that can be learned, a small model, and runs that tests never change."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import finetuning_runs as runs
import pytest


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of ``model``, ``train.tsv``, ``short.tsv`` (11 rows), ``dev.tsv``."""
    folder = tmp_path_factory.mktemp("toy")
    runs.make_model(folder / "model")
    runs.write_table(folder / "train.tsv", 160, seed=1)
    runs.write_table(folder / "short.tsv", 11, seed=3)
    runs.write_table(folder / "dev.tsv", 30, seed=2)
    return folder


@pytest.fixture(scope="session", autouse=True)
def no_curves() -> Any:
    """To draw takes longer than to train so little."""
    from kbert.finetuning import job

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "can_draw", lambda: False)
        yield


@pytest.fixture(scope="session")
def go(toy: Path) -> Callable[..., Any]:
    """Fine-tunes the small model on the short file; changes by name."""
    import kbert
    from kbert.tasks import task_class

    def run(output: Path, **changes: Any) -> Any:
        settings = {
            name: changes.pop(name)
            for name in [*changes]
            if name in kbert.FineTuningSettings.__dataclass_fields__
        }
        how = {
            "train": toy / "short.tsv",
            "dev": toy / "dev.tsv",
            "settings": runs.settings(**settings),
            **changes,
        }
        task = how.pop("task", None) or task_class("classify")()
        return kbert.finetune(
            task, how.pop("model", toy / "model"), output=output, **how
        )

    return run


@pytest.fixture(scope="session")
def learned(toy: Path, go: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run that learns the toy set."""
    return go(
        tmp_path_factory.mktemp("learned") / "run",
        train=toy / "train.tsv",
        epochs=3,
        learning_rate=0.02,
        batch_size=16,
        dropout=0.0,
        save_every=None,
        log_every=10,
    )


@pytest.fixture(scope="session")
def whole_run(go: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short run that nothing stopped."""
    return go(tmp_path_factory.mktemp("whole") / "run").path
