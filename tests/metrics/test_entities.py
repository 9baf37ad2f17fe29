"""kbert/metrics/entities.py"""

import conlleval_rules
import numpy as np
import pytest

from kbert.errors import InputError
from kbert.metrics.entities import Counts, conlleval_report, score_entities
from kbert.metrics.tag_schemes import complete_labels

# By hand: gold PER 0:2 and LOC 3:4; guessed PER 0:2 right, LOC 2:4 too long, and an
# ORG out of an I- that follows nothing, which only the lenient mode takes for one.
GOLD = [["B-PER", "I-PER", "O", "B-LOC"], ["O"]]
GUESSES = [["B-PER", "I-PER", "B-LOC", "I-LOC"], ["I-ORG"]]


def noisy(scheme, seed, *, types=("A", "B-C", "D")):
    """Sentences of random tags, and guesses that are half right."""
    generator = np.random.default_rng(seed)
    labels = complete_labels([[f"B-{one}" for one in types]], scheme)
    lengths = generator.integers(1, 9, 40)
    gold = [[str(one) for one in generator.choice(labels, n)] for n in lengths]
    guesses = [
        [
            one if generator.random() < 0.6 else str(generator.choice(labels))
            for one in own
        ]
        for own in gold
    ]
    return gold, guesses


def test_entities_count_when_type_start_and_end_are_right():
    scores = score_entities(GOLD, GUESSES, "iob2")

    assert scores.overall == Counts(gold=2, guessed=3, correct=1)
    assert dict(scores.types) == {
        "LOC": Counts(1, 1, 0),
        "ORG": Counts(0, 1, 0),
        "PER": Counts(1, 1, 1),
    }
    assert scores.overall.precision == 1 / 3
    assert scores.overall.recall == 1 / 2
    assert scores.overall.f1 == pytest.approx(0.4)
    assert scores.accuracy == 2 / 5


def test_strict_leaves_out_what_begins_wrong():
    scores = score_entities(GOLD, GUESSES, "iob2", mode="strict")

    assert scores.overall == Counts(gold=2, guessed=2, correct=1)
    assert "ORG" not in scores.types


def test_plain_tags_are_scored_word_by_word():
    scores = score_entities([["NN", "VB", "NN"]], [["NN", "NN", "NN"]], "plain")

    assert scores.overall == Counts(gold=3, guessed=3, correct=2)
    assert scores.overall.f1 == pytest.approx(scores.accuracy)


def test_nothing_found_is_0_and_not_an_error():
    scores = score_entities([["O", "O"]], [["O", "O"]], "iob2")

    assert scores.overall.to_dict() == {
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "gold": 0,
        "guessed": 0,
        "correct": 0,
    }
    assert scores.accuracy == 1.0
    assert score_entities([], [], "iob2").accuracy == 0.0


# The lines of conlleval.pl, whose format is "%6.2f" and "%17s".
def test_the_report_looks_as_that_of_conlleval():
    assert conlleval_report(score_entities(GOLD, GUESSES, "iob2")).splitlines() == [
        "processed 5 tokens with 2 phrases; found: 3 phrases; correct: 1.",
        "accuracy:  40.00%; precision:  33.33%; recall:  50.00%; FB1:  40.00",
        "              LOC: precision:   0.00%; recall:   0.00%; FB1:   0.00  1",
        "              ORG: precision:   0.00%; recall:   0.00%; FB1:   0.00  1",
        "              PER: precision: 100.00%; recall: 100.00%; FB1: 100.00  1",
    ]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("scheme", ["iob1", "iob2"])
def test_counts_are_those_of_conllevals_one_pass(scheme, seed):
    gold, guesses = noisy(scheme, seed)
    scores = score_entities(gold, guesses, scheme)
    total = scores.overall

    assert conlleval_rules.counts(gold, guesses) == (
        total.gold,
        total.guessed,
        total.correct,
        scores.correct_tokens,
    )


@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("scheme", ["iob1", "iob2", "iobes"])
def test_figures_are_those_of_seqeval(scheme, seed):
    from seqeval.metrics import sequence_labeling as seqeval

    gold, guesses = noisy(scheme, seed)
    expected = seqeval.precision_recall_fscore_support(
        gold, guesses, average=None, zero_division=0
    )
    scores = score_entities(gold, guesses, scheme)
    found = [
        (one.precision, one.recall, one.f1, one.gold) for one in scores.types.values()
    ]

    assert found == list(zip(*expected, strict=True))
    assert scores.overall.f1 == seqeval.f1_score(gold, guesses, zero_division=0)
    assert scores.accuracy == seqeval.accuracy_score(gold, guesses)


@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("scheme", ["iob1", "iob2", "iobes", "bilou"])
def test_strict_figures_are_those_of_strict_seqeval(scheme, seed):
    import seqeval.scheme as schemes
    from seqeval.metrics import sequence_labeling as seqeval

    gold, guesses = noisy(scheme, seed)
    how = {"mode": "strict", "scheme": getattr(schemes, scheme.upper())}
    total = score_entities(gold, guesses, scheme, mode="strict").overall

    for name in ("precision", "recall", "f1"):
        score = getattr(seqeval, f"{name}_score")
        assert getattr(total, name) == score(gold, guesses, zero_division=0, **how)


def test_guesses_have_to_be_as_many_as_gold():
    with pytest.raises(InputError, match="guesses for 1 sentences; expected 2"):
        score_entities(GOLD, GUESSES[:1], "iob2")
    with pytest.raises(InputError, match="2 guesses in sentence 2; expected 1, one"):
        score_entities(GOLD, [GUESSES[0], ["O", "O"]], "iob2")
