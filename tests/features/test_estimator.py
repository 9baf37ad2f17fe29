"""kbert/features/estimator.py"""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator

from kbert import FeatureExtractor, FeatureSettings
from kbert.errors import ConfigError, InputError
from kbert.features import estimator as module
from kbert.features.engine import FeatureEngine
from kbert.readers import Item

TEXTS = ["the cat sat", "", "the dog runs .", "ß", "the cat sat on the mat " * 5]


@pytest.fixture
def loads(monkeypatch):
    """The models that were loaded from disk."""
    done, load = [], module.load
    monkeypatch.setattr(module, "load", lambda model: done.append(model) or load(model))
    return done


def from_engine(bert, items, **choices):
    return FeatureEngine(bert, FeatureSettings(**choices))(items)


def test_sentences_are_one_array(tiny_bert, tiny_model):
    found = FeatureExtractor(tiny_model, layers="-2:").fit_transform(TEXTS)

    items = [Item("a", 1, 0, text=text) for text in TEXTS]
    expected = from_engine(tiny_bert, items, layers="-2:").values
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("unit", ["word", "token"])
def test_words_and_tokens_are_an_array_a_text(tiny_bert, unit):
    found = FeatureExtractor(tiny_bert, unit=unit).transform(TEXTS)

    items = [Item("a", 1, 0, text=text) for text in TEXTS]
    expected = from_engine(tiny_bert, items, unit=unit)
    assert len(found) == len(TEXTS)
    for text, vectors in enumerate(found):
        np.testing.assert_allclose(vectors, expected[text], atol=1e-6)


def test_words_that_are_split_already_have_a_row_each(tiny_bert):
    sentences = [["the", "cat"], [], ["on the", "\x01", "ß"]]

    found = FeatureExtractor(tiny_bert, unit="sentence").transform_words(sentences)

    items = [Item("a", 1, 0, words=tuple(words)) for words in sentences]
    expected = from_engine(tiny_bert, items, unit="word")
    assert [one.shape for one in found] == [(2, 12), (0, 12), (3, 12)]
    np.testing.assert_allclose(np.concatenate(found), expected.values, atol=1e-6)
    assert not found[2][1].any()


def test_more_texts_than_a_chunk_stay_in_order(tiny_bert, monkeypatch):
    whole = FeatureExtractor(tiny_bert).transform(TEXTS)
    monkeypatch.setattr(module, "ITEMS_PER_CHUNK", 2)

    chunked = FeatureExtractor(tiny_bert).transform(TEXTS)

    np.testing.assert_allclose(chunked, whole, atol=1e-5)


@pytest.mark.parametrize(("unit", "empty"), [("sentence", (0, 12)), ("word", (0,))])
def test_no_texts_give_no_rows(tiny_bert, unit, empty):
    assert np.shape(FeatureExtractor(tiny_bert, unit=unit).transform([])) == empty


@pytest.mark.parametrize(
    "texts",
    [
        tuple(TEXTS),
        (text for text in TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, object),
        np.array(TEXTS)[:, None],
        pd.Series(TEXTS, index=[9, 8, 7, 6, 5]),
        pd.DataFrame({"text": TEXTS}),
    ],
    ids=["tuple", "generator", "str", "object", "column", "series", "frame"],
)
def test_anything_that_holds_texts_is_taken(tiny_bert, texts):
    expected = FeatureExtractor(tiny_bert).transform(TEXTS)

    np.testing.assert_array_equal(
        FeatureExtractor(tiny_bert).transform(texts), expected
    )


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one text", r"X is one string, 'one text'; .* Put it into a list: \[text\]"),
        (b"bytes", "X is one string, b'bytes'"),
        (["a", None], r"X\[1\] is NoneType None; expected a str. Replace or drop"),
        (["a", "b", float("nan")], r"X\[2\] is float nan; expected a str"),
        (pd.Series(["a", pd.NA], dtype=object), r"X\[1\] is NAType <NA>; expected"),
        ([["a", "b"]], r"X\[0\] is list \['a', 'b'\]; expected a str"),
        ([b"a"], r"X\[0\] is bytes b'a'; expected a str"),
        (np.zeros((2, 1)), r"X\[0\] is float64"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "X has 2 columns; expected one"),
        (3, "X is int 3; expected a list of texts"),
        (None, "X is NoneType None; expected a list of texts"),
        (np.array("text"), "X is ndarray"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_what_is_no_list_of_texts_is_refused(tiny_bert, texts, message, method):
    with pytest.raises(InputError, match=message):
        getattr(FeatureExtractor(tiny_bert), method)(texts)


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        (["the cat"], r"sentences\[0\] is one string, 'the cat'; .* Split it"),
        ([["the"], ["cat", 3]], r"sentences\[1\]\[1\] is int 3; expected a str"),
        ("the cat", r"sentences\[0\] is one string, 't'"),
        ([None], r"sentences\[0\] is NoneType None; expected a list of words"),
    ],
)
def test_what_are_no_words_is_refused(tiny_bert, sentences, message):
    with pytest.raises(InputError, match=message):
        FeatureExtractor(tiny_bert).transform_words(sentences)


def test_a_setting_that_does_not_fit_is_named_by_fit(tiny_bert):
    with pytest.raises(ConfigError, match="no layer 9; .* 3 layers"):
        FeatureExtractor(tiny_bert, layers=9).fit(TEXTS)


def test_a_changed_parameter_takes_effect(tiny_bert):
    extractor = FeatureExtractor(tiny_bert).fit(TEXTS)
    before = extractor.transform(TEXTS)

    extractor.set_params(layers=[1, 2], sentence_pool="max")

    items = [Item("a", 1, 0, text=text) for text in TEXTS]
    expected = from_engine(tiny_bert, items, layers=(1, 2), sentence_pool="max").values
    np.testing.assert_allclose(extractor.transform(TEXTS), expected, atol=1e-6)
    assert before.shape[1] == 12


def test_layers_may_be_a_numpy_array(tiny_bert):
    extractor = FeatureExtractor(tiny_bert, layers=np.array([1, 2]))

    extractor.transform(TEXTS)

    assert extractor.transform(TEXTS).shape == (5, 24)


def test_a_model_is_loaded_once_for_all_parameters(tiny_model, loads):
    extractor = FeatureExtractor(tiny_model)
    assert loads == []
    extractor.fit(TEXTS).transform(TEXTS)
    extractor.set_params(layers=0).transform(TEXTS)

    assert loads == [tiny_model]


def test_a_clone_has_the_parameters_and_shares_the_loaded_model(tiny_model, loads):
    extractor = FeatureExtractor(tiny_model, layers="-2:")
    twin = clone(extractor)

    assert twin.get_params() == extractor.get_params()
    np.testing.assert_array_equal(twin.transform(TEXTS), extractor.transform(TEXTS))
    assert len(loads) == 1


def test_a_clone_around_a_model_in_memory_does_not_copy_it(tiny_bert):
    assert clone(FeatureExtractor(tiny_bert)).model is tiny_bert


def test_a_grid_search_over_pools_runs_on_one_model(tiny_model, loads):
    texts, labels = ["the cat", "the dog"] * 6, [0, 1] * 6
    model = make_pipeline(FeatureExtractor(tiny_model), LogisticRegression())
    pools = {"featureextractor__sentence_pool": ["mean", "max", "cls", "pooler"]}

    search = GridSearchCV(model, pools, cv=2).fit(texts, labels)

    assert search.best_score_ == 1
    assert search.predict(["the cat", "the dog"]).tolist() == [0, 1]
    assert len(loads) == 1


def test_columns_are_named_by_layer_and_place(tiny_bert):
    names = FeatureExtractor(tiny_bert, layers="emb,-1").get_feature_names_out()

    assert names.dtype == object
    assert names[[0, 11, 12, 23]].tolist() == [
        "layer_0_00",
        "layer_0_11",
        "layer_3_00",
        "layer_3_11",
    ]


def test_columns_of_combined_layers_say_how(tiny_bert):
    extractor = FeatureExtractor(tiny_bert, layers="all", combine="mean")

    assert extractor.fit(TEXTS).get_feature_names_out()[1] == "mean_of_layers_01"
    assert extractor.n_features_out_ == 12


def test_a_data_frame_keeps_its_index_and_gets_the_names(tiny_bert):
    extractor = FeatureExtractor(tiny_bert).set_output(transform="pandas")

    frame = extractor.fit_transform(pd.Series(TEXTS, index=list("abcde")))

    assert frame.columns.tolist() == extractor.get_feature_names_out().tolist()
    assert frame.index.tolist() == list("abcde")
    np.testing.assert_array_equal(
        frame.to_numpy(), FeatureExtractor(tiny_bert).transform(TEXTS)
    )


@pytest.mark.parametrize(
    "choices", [{"unit": "word"}, {"combine": "stack", "layers": "all"}]
)
def test_what_is_no_table_is_no_data_frame(tiny_bert, choices):
    extractor = FeatureExtractor(tiny_bert, **choices)

    with pytest.raises(
        ConfigError, match=r"set_output\(transform='pandas'\) with unit="
    ):
        extractor.set_output(transform="pandas")
    extractor.set_output(transform="default").fit_transform(TEXTS)


def test_a_pickle_is_small_and_works_after_reloading(tiny_model):
    extractor = FeatureExtractor(tiny_model, layers="-2:").fit(TEXTS)
    expected = extractor.transform(TEXTS)

    pickled = pickle.dumps(extractor)
    reloaded = pickle.loads(pickled)

    assert len(pickled) < 50_000
    assert reloaded.n_features_out_ == 24
    np.testing.assert_array_equal(reloaded.transform(TEXTS), expected)
    np.testing.assert_array_equal(extractor.transform(TEXTS), expected)


def test_a_model_in_memory_is_not_pickled(tiny_bert):
    with pytest.raises(InputError, match="in memory cannot be pickled.*kbert.save"):
        pickle.dumps(FeatureExtractor(tiny_bert))


def checks():
    """Of an estimator that takes texts, scikit-learn checks the interface only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        for estimator, check in estimator_checks_generator(FeatureExtractor("no")):
            yield pytest.param(estimator, check, id=check.func.__name__)


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learn_has_nothing_against_it(estimator, check):
    check(estimator)
