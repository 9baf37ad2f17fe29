"""kbert/tasks/frozen.py"""

import numpy as np
import pytest

from kbert import BertConfig, build_task_model, new_bert, with_heads
from kbert.tasks.frozen import FrozenModel

CONFIG = BertConfig(
    vocabulary_size=23,
    num_layers=2,
    num_heads=2,
    hidden_dim=8,
    intermediate_dim=12,
    max_sequence_length=10,
)


def inputs(*shape):
    generator = np.random.default_rng(3)
    lengths = generator.integers(3, shape[-1] + 1, shape[:-1])
    return {
        "token_ids": generator.integers(1, 23, shape, "int32"),
        "segment_ids": generator.integers(0, 2, shape, "int32"),
        "padding_mask": np.arange(shape[-1]) < lengths[..., None],
    }


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize(
    ("head", "units", "shapes"),
    [
        ("sequence_classifier", 3, [(4, 10), (2, 5)]),
        ("token_classifier", 3, [(4, 10), (2, 5)]),
        ("span", 2, [(4, 10), (2, 5)]),
        ("multiple_choice", 1, [(4, 3, 10), (2, 2, 5)]),
    ],
)
def test_a_frozen_model_says_what_the_model_says(randomize, dtype, head, units, shapes):
    bert = with_heads(new_bert(CONFIG, dtype=dtype), {head: units})
    for number, layer in enumerate((bert.encoder, *bert.heads.values())):
        randomize(layer, seed=number)
    model = build_task_model(bert, head)
    frozen = FrozenModel(model)

    for shape in shapes:
        x = inputs(*shape)
        if head == "token_classifier":
            x["word_positions"] = np.tile(np.array([1, 2, 0], "int32"), (shape[0], 1))
        (expected,) = model.predict_on_batch(x).values()
        found = frozen.predict_on_batch(x)
        assert [*found] == [head]
        assert found[head].dtype == np.float32
        atol = 1e-5 if dtype == "float32" else 3e-2
        np.testing.assert_allclose(found[head], expected, atol=atol, rtol=1e-5)
        assert expected.std() > 0.03
