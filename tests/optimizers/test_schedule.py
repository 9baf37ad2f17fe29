"""kbert/optimizers/schedule.py"""

import keras
import numpy as np
import pytest

from kbert import AdamW, ConfigError, LearningRate
from kbert.optimizers import Lamb


def rates(steps, **settings):
    schedule = LearningRate(2e-3, steps=steps, **settings)
    return [float(schedule(step)) for step in range(steps + 1)]


def test_a_line_up_and_a_line_down_by_hand():
    rate = LearningRate(1.0, steps=6, warmup_steps=2)

    assert [float(rate(step)) for step in range(8)] == [
        *(0, 0.5, 1, 0.75, 0.5, 0.25, 0, 0)
    ]


def test_the_other_decays_by_hand():
    def middle_and_end(**settings):
        rate = LearningRate(1.0, steps=8, **settings)
        return [round(float(rate(step)), 6) for step in (0, 4, 6, 8, 99)]

    assert middle_and_end(decay="constant") == [1, 1, 1, 1, 1]
    # cos(π/2) = 0, cos(3π/4) = -√½.
    assert middle_and_end(decay="cosine") == [1, 0.5, 0.146447, 0, 0]
    assert middle_and_end(decay="polynomial", power=2.0) == [1, 0.25, 0.0625, 0, 0]
    assert middle_and_end(decay="linear", power=2.0) == [1, 0.5, 0.25, 0, 0]
    assert middle_and_end(end=0.5) == [1, 0.75, 0.625, 0.5, 0.5]


def test_a_run_that_is_all_warm_up_only_rises():
    rate = LearningRate(1.0, steps=4, warmup_steps=4)

    assert [float(rate(step)) for step in range(5)] == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.oracle
@pytest.mark.parametrize("warmup", [0, 7])
@pytest.mark.parametrize(
    ("name", "settings", "options"),
    [
        ("linear", {}, {}),
        ("cosine", {"decay": "cosine"}, {}),
        (
            "polynomial_decay",
            {"decay": "polynomial", "power": 0.5, "end": 1e-4},
            {"power": 0.5, "lr_end": 1e-4},
        ),
        ("constant", {"decay": "constant"}, {}),
    ],
)
def test_it_is_the_schedule_of_transformers(name, settings, options, warmup):
    import torch
    import transformers

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2e-3)
    make = getattr(transformers, f"get_{name}_schedule_with_warmup")
    steps = {} if name == "constant" else {"num_training_steps": 30}
    schedule = make(optimizer, num_warmup_steps=warmup, **steps, **options)
    expected = []
    for _ in range(31):
        expected.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()

    np.testing.assert_allclose(
        rates(30, warmup_steps=warmup, **settings), expected, rtol=1e-6, atol=1e-10
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"warmup_steps": 11}, "warmup_steps=11; expected 0 to steps, 10"),
        ({"warmup_steps": -1}, "warmup_steps=-1; expected 0 to steps, 10"),
        ({"peak": float("nan")}, "peak=nan, end=0.0, power=1.0; expected 0 <= end"),
        ({"peak": 0.0}, "peak=0.0"),
        ({"peak": -1e-4}, "peak=-0.0001"),
        ({"peak": float("inf")}, "peak=inf"),
        ({"end": 2.0}, "end=2.0"),
        ({"power": 0.0}, "power=0.0"),
        ({"decay": "exponential"}, "decay='exponential'; expected 'linear' or 'poly"),
    ],
)
def test_a_value_out_of_its_range_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        LearningRate(**{"peak": 1.0, "steps": 10, **changes})


def test_its_config_makes_the_same_schedule():
    rate = LearningRate(
        1e-3, steps=9, warmup_steps=2, decay="polynomial", end=1e-5, power=0.5
    )
    serialized = keras.saving.serialize_keras_object(rate)
    copy = keras.saving.deserialize_keras_object(serialized)

    assert isinstance(copy, LearningRate)
    assert [copy(step) for step in range(9)] == [rate(step) for step in range(9)]


@pytest.mark.parametrize("make", [AdamW, Lamb])
def test_optimizers_count_steps_and_not_accumulated_batches(make):
    variable = keras.Variable(np.ones(2, "float32"))
    rate = LearningRate(1.0, steps=4)
    optimizer = make(rate, gradient_accumulation_steps=3)
    seen = []
    for _ in range(12):
        seen.append(float(optimizer.learning_rate) if optimizer.built else 1.0)
        optimizer.apply([np.ones(2, "float32")], [variable])

    assert seen == [1, 1, 1, 0.75, 0.75, 0.75, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert float(optimizer.learning_rate) == 0
