"""kbert/training/board.py"""

import pytest
import tensorflow as tf
from tensorflow.core.util import event_pb2

from kbert.errors import OutputError
from kbert.training.board import Board

LINES = [
    {"step": 2, "length": 16, "masked_lm_loss": 3.5, "learning_rate": 0.25},
    {"step": 4, "length": 16, "masked_lm_loss": 3.0, "evaluation_masked_lm_loss": 4.0},
]


def scalars(folder):
    """(step, tag, value) of everything in the event files."""
    for path in folder.glob("events.*"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = event_pb2.Event.FromString(record)
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                yield event.step, value.tag, float(tf.make_ndarray(value.tensor))


def test_every_figure_of_a_line_is_a_scalar_at_its_step(tmp_path):
    with Board(tmp_path, on=True) as board:
        for line in LINES:
            board.add(line)

    assert sorted(scalars(tmp_path)) == [
        (2, "learning_rate", 0.25),
        (2, "masked_lm_loss", 3.5),
        (4, "evaluation/masked_lm_loss", 4.0),
        (4, "masked_lm_loss", 3.0),
    ]


def test_a_line_can_be_read_before_the_run_ends(tmp_path):
    with Board(tmp_path, on=True) as board:
        board.add(LINES[0])

        assert len(list(scalars(tmp_path))) == 2


def test_a_host_that_does_not_write_writes_nothing(tmp_path):
    with Board(tmp_path / "board", on=False) as board:
        board.add(LINES[0])

    assert not (tmp_path / "board").exists()


def test_a_full_disk_is_no_full_memory(tmp_path, monkeypatch):
    def full(*args, **options):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    with Board(tmp_path, on=True) as board:
        monkeypatch.setattr(tf.summary, "write", full)
        with pytest.raises(OutputError, match="cannot be written: No space left on"):
            board.add(LINES[0])
