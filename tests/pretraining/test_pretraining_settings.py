"""kbert/pretraining/settings.py"""

import json

import pytest

from kbert import ConfigError, MaskingSettings, PretrainingSettings
from kbert.pretraining import Phase
from kbert.pretraining.settings import parse_phase


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps=0; expected a whole number above 0"),
        ({"steps": 2.5}, "steps=2.5; expected a whole number above 0"),
        ({"batch_size": 0}, "batch_size=0; expected a whole"),
        (
            {"accumulate": 3},
            "accumulate=3 with batch_size=8; expected batch_size to be",
        ),
        ({"save_every": 0}, "save_every=0; expected a whole"),
        ({"streams": -1}, "streams=-1; expected a whole"),
        ({"learning_rate": float("nan")}, "learning_rate=nan; expected a number above"),
        ({"learning_rate": -1e-4}, "learning_rate=-0.0001; expected a number above 0"),
        ({"learning_rate": 0.0}, "learning_rate=0.0; expected a number above 0"),
        ({"learning_rate": float("inf")}, "learning_rate=inf; expected a number above"),
        ({"warmup_steps": 11}, "warmup_steps=11; expected 0 to steps, 10"),
        ({"decay": "root"}, "decay='root'; expected 'linear' or 'poly"),
        ({"weight_decay": -1.0}, "weight_decay=-1.0; expected a number from 0 up"),
        ({"clip_norm": float("nan")}, "clip_norm=nan; expected a number from 0 up"),
        ({"optimizer": "sgd"}, "optimizer='sgd'; expected 'adamw' or 'lamb'"),
        ({"compute_dtype": "float16"}, "compute_dtype='float16'; expected 'float32'"),
        ({"on_nonfinite": "go"}, "on_nonfinite='go'; expected 'stop' or 'skip'"),
        ({"strategy": "all"}, "strategy='all'; expected 'none' or"),
        ({"seed": -1}, "seed=-1; expected 0 to 2"),
        ({"seed": 1 << 32}, "seed=4294967296; expected 0 to 2"),
        (
            {"optimizer": "lamb", "on_nonfinite": "skip"},
            "on_nonfinite='skip' with optimizer='lamb'; expected 'adamw'",
        ),
    ],
)
def test_a_value_out_of_its_range_is_refused(changes, message):
    with pytest.raises(ConfigError) as caught:
        PretrainingSettings(**{"steps": 10, "batch_size": 8, **changes})

    assert str(caught.value).startswith(message)


def test_what_is_left_open_follows_from_the_steps_and_the_data():
    settings = PretrainingSettings(steps=2000).resolve([512, 128], hosts=2)

    assert settings.save_every == settings.evaluate_every == 200
    assert settings.log_every == 20
    assert settings.streams == 2
    assert settings.phases == (Phase(128, 0.9), Phase(512, 0.1))
    assert PretrainingSettings(steps=3).resolve([64], hosts=1).save_every == 1


def test_what_is_said_stays():
    given = {"save_every": 7, "log_every": 3, "evaluate_every": 5, "streams": 4}
    phases = (Phase(16, 1.0),)
    settings = PretrainingSettings(steps=100, phases=phases, **given)

    assert settings.resolve([16, 32], hosts=2) == settings


def test_data_of_three_lengths_need_phases():
    with pytest.raises(ConfigError, match="data of 3 lengths; expected phases"):
        PretrainingSettings(steps=10).resolve([8, 16, 32], hosts=1)


@pytest.mark.parametrize(
    ("steps", "shares", "spans"),
    [
        (10, [1.0], [(0, 10)]),
        (10, [0.9, 0.1], [(0, 9), (9, 10)]),
        (10, [0.2, 0.1, 0.1], [(0, 5), (5, 8), (8, 10)]),
        (1, [0.9, 0.1], [(0, 1), (1, 1)]),
    ],
)
def test_phases_share_all_steps_without_a_gap(steps, shares, spans):
    phases = tuple(Phase(8 * number, share) for number, share in enumerate(shares, 1))
    settings = PretrainingSettings(steps=steps, phases=phases)

    assert [span[1:] for span in settings.spans()] == spans
    assert tuple(span[0] for span in settings.spans()) == phases


def test_a_phase_is_read_from_text():
    assert parse_phase("128:0.9") == Phase(128, 0.9)
    assert parse_phase("512") == Phase(512, 1.0)


@pytest.mark.parametrize(
    "text",
    ["", ":", "128:", "128:0", "128:1.5", "128:nan", "0:1", "-8:1", "a:1", "8:1:1"],
)
def test_what_is_no_phase_is_refused(text):
    with pytest.raises(ConfigError, match=f"phase '{text}'; expected a length and its"):
        parse_phase(text)


def test_the_dictionary_is_json():
    settings = PretrainingSettings(steps=3, masking=MaskingSettings(mask_rate=0.2))
    text = json.dumps(settings.to_dict())

    assert json.loads(text)["masking"]["mask_rate"] == 0.2
