"""kbert/finetuning/settings.py"""

import pytest

from kbert import ConfigError, FineTuningSettings
from kbert.finetuning import Search


def test_the_defaults_are_the_paper_s_recipe():
    chosen = FineTuningSettings()

    assert (chosen.epochs, chosen.batch_size, chosen.learning_rate) == (3, 32, 5e-5)
    assert (chosen.warmup_fraction, chosen.decay) == (0.1, "linear")
    assert chosen.bias_correction
    assert chosen.dropout is None  # the config's, 0.1


# 7 batches an epoch, 3 epochs; two batches an update make 4 updates an epoch and 11 in
# all, because the last update of an epoch may begin the next one.
@pytest.mark.parametrize(
    ("accumulate", "steps", "epoch"), [(1, 21, 7), (2, 11, 4), (7, 3, 1)]
)
def test_steps_and_intervals_follow_from_epochs(accumulate, steps, epoch):
    rhythm = FineTuningSettings(accumulate=accumulate, batch_size=14).rhythm(7)

    assert (rhythm.steps, rhythm.evaluate_every) == (steps, epoch)
    assert (rhythm.save_every, rhythm.log_every) == (epoch, 1)


def test_a_long_epoch_is_saved_every_500_steps():
    rhythm = FineTuningSettings().rhythm(2000)

    assert (rhythm.save_every, rhythm.evaluate_every, rhythm.log_every) == (
        500,
        2000,
        60,
    )


def test_the_learning_rate_rises_for_a_tenth_and_falls_to_0():
    schedule = FineTuningSettings(learning_rate=2.0).schedule(20)
    rates = [float(schedule(step)) for step in (0, 1, 2, 11, 20)]

    assert rates == pytest.approx([0, 1, 2, 1, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("epochs", 0, "a whole number above 0"),
        ("epochs", 1.5, "a whole number above 0"),
        ("batch_size", -1, "a whole number above 0"),
        ("learning_rate", 0.0, "a number above 0"),
        ("learning_rate", float("nan"), "a number above 0"),
        ("warmup_fraction", 1.1, "0 to 1"),
        ("decay", "steps", "'linear' or"),
        ("max_length", 0, "a whole number above 0"),
        ("patience", 0, "a whole number above 0"),
        ("layer_decay", 0.0, "above 0, at most 1"),
        ("layer_decay", 1.1, "above 0, at most 1"),
        ("freeze_layers", -1, "a whole number from 0 up"),
        ("reinitialize_layers", True, "a whole number from 0 up"),
        ("keep", "all", "'best' or 'last'"),
        ("compute_dtype", "float16", "'float32' or 'bfloat16'"),
        ("seed", -1, "0 to 2"),
        ("accumulate", 5, "batch_size to be a multiple of accumulate"),
    ],
)
def test_a_value_out_of_its_range_is_named(name, value, expected):
    with pytest.raises(ConfigError, match=f"{name}=.*; expected {expected}"):
        FineTuningSettings(**{name: value})


def test_a_search_tries_each_rate_with_each_size_and_then_seeds():
    tried = Search(learning_rates=(1e-5, 2e-5), batch_sizes=(8, 16), seeds=2)
    settings = FineTuningSettings(seed=7, epochs=2)
    grid = tried.grid(settings)
    seeds = tried.of_seeds(grid[1])

    assert [(one.learning_rate, one.batch_size) for one in grid] == [
        (1e-5, 8),
        (1e-5, 16),
        (2e-5, 8),
        (2e-5, 16),
    ]
    assert {one.epochs for one in grid} == {2}
    assert [one.seed for one in seeds] == [7, 8]
    assert {one.batch_size for one in seeds} == {16}


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"seeds": 0}, "seeds=0; expected a whole number above 0"),
        ({"learning_rates": (1e-5, 1e-5)}, "learning_rates=.*each value once"),
        ({"batch_sizes": (8, 4, 8)}, "batch_sizes=.*each value once"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(choices, message):
    with pytest.raises(ConfigError, match=message):
        Search(**choices)
