"""kbert/fingerprints.py"""

import pytest

from kbert.errors import ConfigError
from kbert.fingerprints import check_same, flat_settings

BEFORE = {
    "version": "0.1",
    "settings": {"seed": 1, "lengths": [128], "static": None},
    "inputs": [{"name": "a.txt", "bytes": 7}],
}


def check(before, now):
    check_same(before, now, where="out", hint="Start again.")


def test_the_same_settings_pass_whatever_else_was_written_down():
    check({**BEFORE, "counts": 9}, BEFORE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "0.2"}, 'version was "0.1" and is now "0.2"'),
        ({"settings": {**BEFORE["settings"], "seed": 2}}, "seed was 1 and is now 2"),
        (
            {"settings": {**BEFORE["settings"], "lengths": [128, 512]}},
            r"lengths was \[128\] and is now \[128, 512\]",
        ),
        (
            {"settings": {**BEFORE["settings"], "static": {"copies": 3}}},
            "static was null and is now not set; "
            "static.copies was not set and is now 3",
        ),
        (
            {"inputs": [{"name": "a.txt", "bytes": 8}]},
            r"inputs\[0\].bytes was 7 and is now 8",
        ),
        (
            {"inputs": [*BEFORE["inputs"], {"name": "b.txt"}]},
            r'inputs\[1\].name was not set and is now "b.txt"',
        ),
    ],
)
def test_each_difference_is_named_with_both_values(changes, message):
    with pytest.raises(ConfigError, match=f"^out: made with other settings: {message}"):
        check(BEFORE, {**BEFORE, **changes})


def test_all_differences_are_named_at_once():
    now = {**BEFORE, "version": "0.2", "inputs": []}

    with pytest.raises(
        ConfigError, match=r"inputs\[0\].name was.*; version was .*Start"
    ):
        check(BEFORE, now)


def test_a_long_value_is_cut_short():
    now = {**BEFORE, "version": "x" * 999}

    with pytest.raises(ConfigError) as caught:
        check(BEFORE, now)
    assert len(str(caught.value)) < 200


def test_settings_are_flattened_by_their_names():
    nested = {"a": {"b": 1, "c": {}}, "d": [{"e": 2}, {"e": 3}], "f": [4]}

    assert flat_settings(nested) == {
        "a.b": 1,
        "a.c": {},
        "d[0].e": 2,
        "d[1].e": 3,
        "f": [4],
    }
