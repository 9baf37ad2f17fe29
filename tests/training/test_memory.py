"""kbert/training/memory.py"""

import pytest
import tensorflow as tf

from kbert.errors import TrainingError
from kbert.training.memory import naming_full_memory


def test_full_memory_is_one_line_that_says_what_to_do():
    with (
        pytest.raises(TrainingError, match=r"memory .* is full\. Try --accumulate"),
        naming_full_memory(),
    ):
        tf.zeros([1 << 22, 1 << 22]) + 1.0  # 64 TiB


def test_other_errors_get_through():
    with pytest.raises(tf.errors.InvalidArgumentError), naming_full_memory():
        tf.zeros([2, 3]) @ tf.zeros([2, 3])
