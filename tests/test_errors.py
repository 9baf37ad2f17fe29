"""kbert/errors.py"""

import pickle

import pytest

from kbert import errors
from kbert.errors import InputError, KbertError, OutputError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]
KINDS = [kind for kind in KINDS if issubclass(kind, KbertError)]


def test_message_names_place_value_expectation_and_way_out_in_this_order():
    error = InputError(
        "3 columns", where="a.tsv", line=7, expected="2", hint="Quote the tab."
    )

    assert str(error) == "a.tsv, line 7: 3 columns; expected 2. Quote the tab."


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "odd"),
        ({"where": "a.txt"}, "a.txt: odd"),
        ({"line": 2}, "line 2: odd"),
        ({"expected": "even"}, "odd; expected even"),
        ({"hint": "Add 1."}, "odd. Add 1."),
    ],
)
def test_message_leaves_out_what_is_not_known(parts, message):
    assert str(KbertError("odd", **parts)) == message


def test_message_stays_on_one_line_whatever_the_value_holds():
    error = KbertError("bad name 'a\nb'", where="x\ny", hint="Rename\nit.")

    assert "\n" not in str(error)


def test_a_full_stop_is_not_doubled_before_the_hint():
    assert str(KbertError("It broke.", hint="Mend it.")) == "It broke. Mend it."


def test_where_takes_a_path_and_keeps_it_as_text(tmp_path):
    error = KbertError("odd", where=tmp_path / "a.txt")

    assert error.where == str(tmp_path / "a.txt")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_caught_as_a_kbert_error(kind):
    with pytest.raises(KbertError, match="a.txt, line 3: odd"):
        raise kind("odd", where="a.txt", line=3)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.InputError, ValueError),
        (errors.ConfigError, ValueError),
        (errors.OutputError, OSError),
        (errors.DependencyError, ImportError),
    ],
)
def test_kinds_are_caught_as_the_builtin_error_that_python_would_raise(kind, builtin):
    assert issubclass(kind, builtin)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_crosses_a_process_boundary_whole(kind):
    error = kind("odd", where="a.txt", line=3, expected="even", hint="Add 1.")
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is kind
    assert str(copy) == str(error)
    assert (copy.where, copy.line) == ("a.txt", 3)


def test_output_error_shows_the_message_and_no_error_number():
    assert str(OutputError("cannot be written", where="o")) == "o: cannot be written"
