"""kbert/pretraining_data/settings.py"""

import json

import pytest

from kbert import ConfigError, PretrainingDataSettings, StaticMasks


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"objective": "mlm"}, "objective='mlm'; expected one of nsp, sop, none"),
        ({"sequence_lengths": ()}, r"sequence_lengths=\(\)"),
        ({"sequence_lengths": (7,)}, "sequence_length=7; expected .* from 8"),
        ({"sequence_lengths": (8.0,)}, "sequence_length=8.0"),
        ({"sequence_lengths": (128, 128)}, r"\(128, 128\); expected each once"),
        ({"seed": -1}, "seed=-1"),
        ({"short_sequence_rate": 1.1}, "short_sequence_rate=1.1; .* from 0 to 1"),
        ({"evaluation_fraction": 0.6}, "evaluation_fraction=0.6; .* from 0 to 0.5"),
        ({"evaluation_fraction": float("nan")}, "evaluation_fraction=nan"),
        ({"shards": 0}, "shards=0; expected a whole number from 1"),
    ],
)
def test_a_setting_that_cannot_be_is_named(fields, message):
    with pytest.raises(ConfigError, match=message):
        PretrainingDataSettings(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dupe_factor": 0}, "dupe_factor=0"),
        ({"masking": "span"}, "masking='span'; expected one of token, whole-word"),
        ({"max_predictions": 0}, "max_predictions=0"),
        ({"max_predictions": (20, True)}, "max_predictions=True"),
    ],
)
def test_a_mask_that_cannot_be_is_named(fields, message):
    with pytest.raises(ConfigError, match=message):
        StaticMasks(**fields)


def test_predictions_need_one_number_or_one_for_each_length():
    with pytest.raises(ConfigError, match="has 3 numbers; .* each of the 2 lengths"):
        PretrainingDataSettings(
            sequence_lengths=(16, 32), static=StaticMasks(max_predictions=(1, 2, 3))
        )


@pytest.mark.parametrize("given", [3, (3,)])
def test_one_number_of_predictions_is_for_all_lengths(given):
    settings = PretrainingDataSettings(
        sequence_lengths=(16, 32), static=StaticMasks(max_predictions=given)
    )

    assert settings.predictions == {16: 3, 32: 3}


def test_predictions_are_15_percent_rounded_up_unless_told():
    settings = PretrainingDataSettings(
        sequence_lengths=(128, 512), static=StaticMasks()
    )

    assert settings.predictions == {128: 20, 512: 77}


def test_short_rows_are_for_pairs_unless_told():
    rates = [
        PretrainingDataSettings(objective=one).short_rate for one in ("nsp", "none")
    ]
    told = PretrainingDataSettings(objective="none", short_sequence_rate=0.2).short_rate

    assert (*rates, told) == (0.1, 0.0, 0.2)


@pytest.mark.parametrize("static", [None, StaticMasks(masking="whole-word")])
def test_settings_survive_json(static):
    settings = PretrainingDataSettings(
        objective="sop", sequence_lengths=(128, 512), shards=4, static=static
    )
    fields = json.loads(json.dumps(settings.to_dict()))

    again = PretrainingDataSettings.from_dict(fields)

    assert again.to_dict() == settings.to_dict()
