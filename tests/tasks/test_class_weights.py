"""kbert/tasks/class_weights.py"""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from kbert.errors import ConfigError
from kbert.tasks.class_weights import class_weights


def test_balanced_weights_are_those_of_scikit_learn():
    classes = np.random.default_rng(0).choice(4, 99, p=[0.1, 0.2, 0.3, 0.4])
    weights = class_weights(classes, "balanced", labels="abcd")

    expected = compute_class_weight("balanced", classes=np.arange(4), y=classes)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights.dtype == np.float32
    assert weights[classes].mean() == pytest.approx(1)


def test_a_class_without_examples_changes_nothing():
    weights = class_weights(np.array([2, 2, 2, 0]), "balanced", labels="abc")

    np.testing.assert_allclose(weights, [4 / (2 * 1), 1, 4 / (2 * 3)])


def test_classes_that_the_mapping_does_not_name_count_one():
    weights = class_weights(np.array([0]), {"c": 0.5, "a": 3}, labels="abc")

    assert weights.tolist() == [3, 1, 0.5]


def test_without_a_way_all_count_alike():
    assert class_weights(np.array([0]), None, labels="ab").tolist() == [1, 1]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"d": 1}, "a class weight for 'd'; expected a label .*: a, b"),
        ({"a": -1}, "class weight -1 for 'a'; expected a number above 0"),
        ({"a": float("nan")}, "class weight nan for 'a'"),
        ({"a": "2"}, "class weight '2' for 'a'"),
        ("unbalanced", "class_weights='unbalanced'; expected 'balanced', or"),
    ],
)
def test_what_is_no_weight_is_named(how, message):
    with pytest.raises(ConfigError, match=message):
        class_weights(np.array([0]), how, labels=["a", "b"])
