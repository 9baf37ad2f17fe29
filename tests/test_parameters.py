"""kbert/parameters.py"""

import dataclasses

import pytest

from kbert.config import HEADS, BertConfig
from kbert.encoder import build_encoder
from kbert.errors import ConfigError
from kbert.heads import build_head
from kbert.parameters import parameter_table


def total(rows):
    return sum(row.parameters for row in rows)


# Devlin et al. 2019 round these to 110M and 340M. To the unit: BertModel of
# transformers (bert-base-uncased, bert-large-uncased), and BertForPreTraining.
@pytest.mark.parametrize(
    ("size", "heads", "published"),
    [
        ("base", {}, 109_482_240),
        ("large", {}, 335_141_888),
        ("base", {"masked_lm": 30522, "next_sentence": 2}, 110_106_428),
        ("large", {"masked_lm": 30522, "next_sentence": 2}, 336_226_108),
    ],
)
def test_totals_are_the_published_ones(size, heads, published):
    config = BertConfig.from_size(size, vocabulary_size=30522)

    assert total(parameter_table(config, heads=heads)) == published


CHANGES = [
    {},
    {"vocabulary_size": 5, "num_layers": 1},
    {"hidden_dim": 30, "num_heads": 3, "intermediate_dim": 7},
    {"max_sequence_length": 600, "num_segments": 1},
]


@pytest.mark.parametrize("pooler", [True, False])
@pytest.mark.parametrize("changes", CHANGES)
def test_the_sum_is_what_keras_counts(tiny_config, changes, pooler):
    config = dataclasses.replace(tiny_config, **changes)
    rows = parameter_table(config, pooler=pooler, length=16)

    assert total(rows) == build_encoder(config, pooler=pooler).count_params()


@pytest.mark.slow
def test_the_sum_is_what_keras_counts_for_base():
    config = BertConfig.from_size("base", vocabulary_size=30522)

    assert total(parameter_table(config)) == build_encoder(config).count_params()


def test_every_row_is_what_keras_counts_in_its_part(tiny_config, tiny_encoder):
    counts = {}
    for weight in tiny_encoder.weights:
        counts[weight.path] = weight.shape.num_elements()

    def keras_count(*beginnings):
        return sum(n for path, n in counts.items() if path.startswith(beginnings))

    expected = {
        "embeddings/token": keras_count("embeddings/token"),
        "embeddings/position": keras_count("embeddings/position"),
        "embeddings/segment": keras_count("embeddings/segment"),
        "embeddings/layer_norm": keras_count("embeddings/layer_norm"),
        "layer/attention": keras_count("layer_1/attention/"),
        "layer/feed_forward": keras_count("layer_1/intermediate", "layer_1/output/"),
        "layer/layer_norms": keras_count(
            "layer_1/attention_layer_norm", "layer_1/output_layer_norm"
        ),
        "pooler": keras_count("pooler"),
    }
    rows = parameter_table(tiny_config, length=16)

    assert {row.part: row.each for row in rows} == expected
    assert {row.part: row.times for row in rows if row.times > 1} == {
        part: 4 for part in expected if part.startswith("layer/")
    }


@pytest.mark.parametrize("name", HEADS)
def test_a_head_adds_what_keras_counts(tiny_config, tiny_encoder, name):
    head = build_head(name, tiny_encoder, tiny_config, units=3)
    shared = {id(weight) for weight in tiny_encoder.weights}
    new = [weight for weight in head.weights if id(weight) not in shared]
    row = parameter_table(tiny_config, heads={name: 3}, length=16)[-1]

    assert (row.part, row.times) == (name, 1)
    assert row.each == sum(weight.shape.num_elements() for weight in new)


# With F = 4 H, as in the paper: 4 H² + 4 H and 8 H² + 5 H.
def test_blocks_follow_the_formulas_of_the_paper():
    config = BertConfig.from_size("base", vocabulary_size=30522)
    each = {row.part: row.each for row in parameter_table(config)}

    assert each["layer/attention"] == 4 * 768**2 + 4 * 768
    assert each["layer/feed_forward"] == 8 * 768**2 + 5 * 768


# One layer, H = 2, F = 3, T = 5, by hand, per token. Attention: four products 2 × 2 (16
# multiplications), 5 dot products of 2 numbers, 5 numbers times 2: 36, so 72 FLOPs.
# Feed-forward: 2 · (6 + 6) = 24. Pooler: 2 · 4 a text, a fifth of it a token.
def test_flops_of_a_small_model_by_hand():
    config = BertConfig(
        vocabulary_size=7,
        num_layers=1,
        num_heads=1,
        hidden_dim=2,
        intermediate_dim=3,
    )
    heads = {"token_classifier": 3, "next_sentence": 2, "masked_lm": 7}
    rows = parameter_table(config, heads=heads, length=5)

    assert {row.part: row.flops_per_token for row in rows if row.flops_each} == {
        "layer/attention": 72,
        "layer/feed_forward": 24,
        "pooler": 8 / 5,
        "token_classifier": 2 * 2 * 3,
        "next_sentence": 2 * 2 * 2 / 5,
        "masked_lm": 2 * (2 * 2 + 2 * 7),
    }


def test_flops_of_base_are_twice_its_products_plus_attention():
    config = BertConfig.from_size("base", vocabulary_size=30522)
    rows = parameter_table(config, length=512, pooler=False)
    flops = sum(row.flops_per_token for row in rows)

    assert flops == 12 * (24 * 768**2 + 4 * 512 * 768)


@pytest.mark.parametrize("length", [0, 17])
def test_a_length_that_the_model_cannot_read_is_refused(tiny_config, length):
    with pytest.raises(ConfigError, match=f"length={length}; expected 1 to 16"):
        parameter_table(tiny_config, length=length)


def test_an_unknown_head_is_refused(tiny_config):
    with pytest.raises(ConfigError, match="no head is called 'mlm'"):
        parameter_table(tiny_config, heads={"mlm": 2}, length=16)
