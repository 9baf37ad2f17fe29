"""kbert/masking/settings.py"""

import pytest

from kbert.errors import ConfigError
from kbert.masking import MaskingSettings


@pytest.mark.parametrize(
    ("rate", "length", "slots"),
    [
        (0.15, 128, 20),  # 19.2
        (0.15, 512, 77),  # 76.8
        (0.25, 128, 32),
        (0.07, 100, 7),  # 7.000000000000001 in floating point
        (0.001, 16, 1),
        (1.0, 16, 16),
    ],
)
def test_places_for_predictions_follow_the_rate(rate, length, slots):
    assert MaskingSettings(mask_rate=rate).slots(length) == slots


def test_places_for_predictions_are_those_asked_for_if_the_row_has_them():
    settings = MaskingSettings(max_predictions=20)

    assert (settings.slots(128), settings.slots(16)) == (20, 16)


def test_a_mixture_may_be_a_list_and_have_fractions():
    settings = MaskingSettings(mask_mixture=[33.3, 33.3, 33.4])

    assert settings.mask_mixture == (33.3, 33.3, 33.4)
    assert hash(settings) == hash(MaskingSettings(mask_mixture=(33.3, 33.3, 33.4)))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (
            {"masking": "word"},
            "masking='word'; expected one of token, whole-word, span",
        ),
        ({"mask_token": "[SEP]"}, r"mask_token='\[SEP\]'; expected one of \[MASK\], "),
        ({"mask_rate": 0}, "mask_rate=0; expected a fraction above 0 and at most 1"),
        ({"mask_rate": 15}, "mask_rate=15; expected a fraction"),
        ({"mask_rate": float("nan")}, "mask_rate=nan; expected a fraction"),
        ({"mask_rate": True}, "mask_rate=True; expected a fraction"),
        (
            {"mask_mixture": (80, 10, 11)},
            r"mask_mixture=\(80, 10, 11\); expected three",
        ),
        ({"mask_mixture": (80, 20)}, r"mask_mixture=\(80, 20\); expected three"),
        ({"mask_mixture": (110, -10, 0)}, r"mask_mixture=\(110, -10, 0\); expected"),
        ({"mask_mixture": "80,10,10"}, "mask_mixture='80,10,10'; expected three"),
        ({"max_predictions": 0}, "max_predictions=0; expected a whole number above 0"),
        ({"max_predictions": 2.0}, "max_predictions=2.0; expected a whole number"),
    ],
)
def test_a_choice_that_makes_no_sense_is_named(choices, message):
    with pytest.raises(ConfigError, match=message):
        MaskingSettings(**choices)
