"""kbert/features/settings.py"""

import pytest

from kbert import BertConfig, FeatureSettings
from kbert.errors import ConfigError

CONFIG = BertConfig(
    vocabulary_size=50,
    num_layers=4,
    num_heads=2,
    hidden_dim=6,
    intermediate_dim=8,
    max_sequence_length=20,
)


def test_what_was_left_open_comes_from_the_model():
    resolved = FeatureSettings(layers="-2:").resolve(CONFIG)

    assert resolved.layers == (3, 4)
    assert resolved.max_length == 20
    assert resolved.stride == 9  # half of the room, 20 − [CLS] − [SEP]


@pytest.mark.parametrize(
    ("combine", "shape"),
    [
        ("concat", (12,)),
        ("stack", (2, 6)),
        ("mean", (6,)),
        ("sum", (6,)),
        ("max", (6,)),
    ],
)
def test_a_row_has_the_shape_of_its_layers(combine, shape):
    settings = FeatureSettings(layers="0,-1", combine=combine).resolve(CONFIG)

    assert settings.row_shape(6) == shape


def test_the_shortest_window_has_room_for_one_piece():
    resolved = FeatureSettings(max_length=3).resolve(CONFIG)

    assert (resolved.max_length, resolved.stride) == (3, 1)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"unit": "char"}, "unit='char'; expected one of token, word, sentence"),
        ({"combine": "avg"}, "combine='avg'; expected one of concat, mean, sum, max"),
        ({"word_pool": "cls"}, "word_pool='cls'; expected one of first, last"),
        ({"sentence_pool": "first"}, "sentence_pool='first'; expected one of mean"),
        ({"context": "file"}, "context='file'; expected one of none, document"),
        ({"compute_dtype": "float16"}, "compute_dtype='float16'; .* bfloat16"),
        ({"layers": 5}, "no layer 5; .* 4 layers"),
        ({"max_length": 2}, "max_length=2; expected 3 to 20, the longest"),
        ({"max_length": 21}, "max_length=21; expected 3 to 20"),
        ({"max_length": "12"}, "max_length='12'; expected"),
        ({"max_length": 10, "stride": 0}, "stride=0 .*; expected a stride of 1 to 8"),
        ({"max_length": 10, "stride": 9}, "stride=9 with max_length=10; .* 1 to 8"),
        ({"stride": 2.5}, "stride=2.5"),
        ({"sentence_pool": "pooler", "layers": "-2:"}, "'pooler' with layers='-2:'"),
    ],
)
def test_a_setting_that_does_not_fit_says_which_and_what_would(choices, message):
    with pytest.raises(ConfigError, match=message):
        FeatureSettings(**choices).resolve(CONFIG)


def test_the_pooler_of_words_is_not_asked_for():
    settings = FeatureSettings(unit="word", sentence_pool="pooler", layers=1)

    assert settings.resolve(CONFIG).layers == (1,)


@pytest.mark.parametrize(
    ("unit", "left_out"),
    [
        ("token", {"word_pool", "sentence_pool"}),
        ("word", {"sentence_pool"}),
        ("sentence", {"word_pool"}),
    ],
)
def test_a_manifest_leaves_out_what_does_not_matter(unit, left_out):
    every = set(FeatureSettings.__dataclass_fields__)

    assert every - set(FeatureSettings(unit=unit).resolve(CONFIG).to_dict()) == left_out
