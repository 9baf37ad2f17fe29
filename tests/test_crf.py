"""kbert/crf.py"""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kbert.crf import CRF
from kbert.errors import ConfigError
from kbert.metrics.tag_schemes import (
    allowed_transitions,
    complete_labels,
    irregular_places,
)

SCRIPT = Path(__file__).with_name("crf_in_jax.py")
LENGTHS = (4, 3, 1, 0)  # B = 4 sentences, W = 5 places, C = 3 tags
W, C = 5, 3
SCORES = ("transitions", "start", "end")
RULES = {
    "start": np.array([True, True, False]),
    "end": np.array([True, False, True]),
    "pairs": np.array([[1, 1, 0], [1, 1, 1], [1, 0, 1]], bool),
}


def random_case(seed=0):
    """Scores and logits, float32, and the tags of allowed sequences."""
    generator = np.random.default_rng(seed)
    shapes = {"transitions": (C, C), "start": (C,), "end": (C,)}
    case = {name: generator.normal(size=shapes[name]) for name in SCORES}
    case |= {"logits": generator.normal(size=(len(LENGTHS), W, C))}
    case |= {"upstream": generator.normal(size=len(LENGTHS))}
    case = {name: array.astype("float32") for name, array in case.items()}
    case["mask"] = np.arange(W)[None] < np.array(LENGTHS)[:, None]
    # 0 1 2 2 | 1 1 0 | 0 | nothing; what stands behind the words is no tag of theirs.
    case["tags"] = np.array(
        [[0, 1, 2, 2, 1], [1, 1, 0, 2, 2], [0, 2, 2, 2, 2], [1, 1, 1, 1, 1]], "int32"
    )
    case["allowed"] = np.ones((C + 1, C + 1), "float32")
    case["allowed"][:C, :C] = RULES["pairs"]
    case["allowed"][C, :C], case["allowed"][:C, C] = RULES["start"], RULES["end"]
    return case


def built(case, *, restricted):
    crf = CRF(C, name="crf")
    crf.build((None, None, C))
    for name in SCORES:
        getattr(crf, name).assign(case[name])
    if restricted:
        crf.restrict(**RULES)
    return crf


class BruteForce:
    """All C ** length sequences of one sentence, float64, one after the other."""

    def __init__(self, case, row, *, restricted):
        self.length = LENGTHS[row]
        self.sequences, scores = [], []
        transitions, start, end = (case[name].astype("float64") for name in SCORES)
        logits = case["logits"][row].astype("float64")
        for tags in itertools.product(range(C), repeat=self.length):
            steps = list(itertools.pairwise(tags))
            if restricted and not (
                RULES["start"][tags[0]]
                and RULES["end"][tags[-1]]
                and all(RULES["pairs"][one] for one in steps)
            ):
                continue
            score = start[tags[0]] + end[tags[-1]]
            score += sum(logits[place, tag] for place, tag in enumerate(tags))
            score += sum(transitions[one] for one in steps)
            self.sequences.append(tags)
            scores.append(score)
        self.scores = np.array(scores)
        self.log_of_all = np.log(np.exp(self.scores).sum())
        self.shares = np.exp(self.scores - self.log_of_all)

    def log_likelihood(self, tags):
        place = self.sequences.index(tuple(tags[: self.length]))
        return self.scores[place] - self.log_of_all

    def best(self):
        return self.sequences[int(self.scores.argmax())]

    def slopes(self, tags):
        """What the tags use less what is expected: the gradient, by its definition."""
        own = [(tuple(tags[: self.length]), 1.0)]
        expected = zip(self.sequences, -self.shares, strict=True)
        slopes = {"transitions": np.zeros((C, C)), "logits": np.zeros((W, C))}
        slopes |= {"start": np.zeros(C), "end": np.zeros(C)}
        for sequence, share in [*own, *expected]:
            slopes["start"][sequence[0]] += share
            slopes["end"][sequence[-1]] += share
            for place, tag in enumerate(sequence):
                slopes["logits"][place, tag] += share
            for one in itertools.pairwise(sequence):
                slopes["transitions"][one] += share
        return slopes


def brute_force(case, *, restricted):
    """Value, gradients and best tags of all sentences."""
    value, best = np.zeros(len(LENGTHS)), np.zeros((len(LENGTHS), W), int)
    shapes = {name: case[name].shape for name in (*SCORES, "logits")}
    slopes = {name: np.zeros(shape) for name, shape in shapes.items()}
    for row, length in enumerate(LENGTHS):
        if length == 0:  # no words: certain, and nothing to learn
            continue
        brute, tags = BruteForce(case, row, restricted=restricted), case["tags"][row]
        value[row], best[row, :length] = brute.log_likelihood(tags), brute.best()
        for name, slope in brute.slopes(tags).items():
            part = slopes[name][row] if name == "logits" else slopes[name]
            part += slope * case["upstream"][row]
    return {"value": value, "tags": best, **slopes}


def in_tensorflow(case, *, restricted, way):
    crf = built(case, restricted=restricted)
    sources = [getattr(crf, name).value for name in SCORES]

    def run(logits, tags, mask):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = crf.log_likelihood(logits, tags, mask)
            total = tf.reduce_sum(value * case["upstream"])
        return value, tape.gradient(total, [logits, *sources]), crf.decode(logits, mask)

    specs = [
        tf.TensorSpec((None, None, C)),
        tf.TensorSpec((None, None), "int32"),
        tf.TensorSpec((None, None), "bool"),
    ]
    run = {
        "eager": run,
        "graph": tf.function(run, input_signature=specs),
        "xla": tf.function(run, jit_compile=True),
    }[way]
    given = (case[name] for name in ("logits", "tags", "mask"))
    value, slopes, tags = run(*map(tf.constant, given))
    found = zip(("logits", *SCORES), map(tf.convert_to_tensor, slopes), strict=True)
    return {"value": value, "tags": tags, **dict(found)}


@pytest.mark.parametrize(
    ("way", "restricted"),
    [("eager", False), ("eager", True), ("graph", True), ("xla", True)],
)
def test_all_is_as_if_every_sequence_had_been_tried(way, restricted):
    case = random_case()
    found = in_tensorflow(case, restricted=restricted, way=way)
    for name, expected in brute_force(case, restricted=restricted).items():
        np.testing.assert_allclose(found[name], expected, atol=2e-6, err_msg=name)


@pytest.mark.jax
@pytest.mark.slow
def test_jax_gives_the_same(tmp_path):
    case = random_case(seed=1)
    np.savez(tmp_path / "in.npz", **case)
    subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "in.npz", tmp_path / "out.npz"],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        check=True,
    )
    found = np.load(tmp_path / "out.npz")
    for name, expected in brute_force(case, restricted=True).items():
        for way in ("eager", "compiled"):
            np.testing.assert_allclose(
                found[f"{way}/{name}"], expected, atol=2e-6, err_msg=f"{way}/{name}"
            )


def test_what_stands_behind_the_words_does_not_matter():
    case = random_case()
    crf = built(case, restricted=True)
    garbage = np.where(case["mask"][..., None], case["logits"], np.float32(1e9))
    tags = np.where(case["mask"], case["tags"], 0)

    np.testing.assert_array_equal(
        crf.log_likelihood(garbage, tags, case["mask"]),
        crf.log_likelihood(case["logits"], case["tags"], case["mask"]),
    )
    np.testing.assert_array_equal(
        crf.decode(garbage, case["mask"]), crf.decode(case["logits"], case["mask"])
    )


def test_probabilities_of_all_sequences_add_up_to_1():
    crf = built(random_case(), restricted=False)
    tags = np.array(list(itertools.product(range(C), repeat=4)), "int32")
    logits = np.broadcast_to(random_case(seed=3)["logits"][:1, :4], (len(tags), 4, C))
    each = crf.log_likelihood(logits, tags, np.ones_like(tags, bool))

    assert np.exp(np.asarray(each, "float64")).sum() == pytest.approx(1, abs=1e-5)


def test_without_scores_of_its_own_it_is_a_softmax_of_each_word():
    crf = CRF(C)
    crf.build((None, None, C))
    case = random_case()
    log_shares = np.asarray(keras.ops.log_softmax(case["logits"], axis=-1))
    own = np.take_along_axis(log_shares, case["tags"][..., None], -1)[..., 0]
    expected = np.where(case["mask"], own, 0).sum(axis=1)
    found = crf.log_likelihood(case["logits"], case["tags"], case["mask"])

    np.testing.assert_allclose(found, expected, atol=2e-6)
    best = np.where(case["mask"], case["logits"].argmax(-1), 0)
    np.testing.assert_array_equal(crf.decode(case["logits"], case["mask"]), best)


SCHEMES = ["iob1", "iob2", "iobes"]


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(SCHEMES), st.integers(0, 10**6), st.sampled_from([1e-3, 1, 1e5]))
def test_what_is_decoded_is_always_allowed(scheme, seed, size):
    labels = complete_labels([["B-A", "B-B"]], scheme)
    crf = CRF(len(labels))
    crf.build((None, None, len(labels)))
    crf.restrict(**allowed_transitions(labels, scheme)._asdict())
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=size, size=(8, 8, len(labels))).astype("float32")
    mask = np.arange(8)[None] < generator.integers(1, 9, (8, 1))
    tags = np.asarray(crf.decode(logits, mask))
    for row, numbers in enumerate(tags):
        names = [labels[one] for one in numbers[mask[row]]]

        assert irregular_places([names], scheme) == []
    assert (tags[~mask] == 0).all()
    likelihood = np.asarray(crf.log_likelihood(logits, tags, mask))
    assert np.isfinite(likelihood).all()


def test_rules_for_another_number_of_tags_are_refused():
    crf = CRF(4)
    crf.build((None, None, 4))

    with pytest.raises(
        ConfigError, match=r"rules of shapes \(3,\), \(3,\), \(3, 3\); e"
    ):
        crf.restrict(**RULES)


def test_rules_and_scores_survive_a_keras_file(tmp_path):
    case = random_case()
    crf = built(case, restricted=True)
    inputs = keras.Input((None, C))
    keras.Model(inputs, crf(inputs)).save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras").get_layer("crf")

    np.testing.assert_array_equal(
        copy.decode(case["logits"], case["mask"]),
        crf.decode(case["logits"], case["mask"]),
    )
    assert [one.path for one in copy.trainable_weights] == [
        f"crf/{name}" for name in SCORES
    ]
