"""kbert/config.py"""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert import io
from kbert.config import SIZES, BertConfig, read_json_object
from kbert.errors import ConfigError

GOOD = {
    "vocabulary_size": 37,
    "num_layers": 4,
    "num_heads": 2,
    "hidden_dim": 12,
    "intermediate_dim": 20,
    "dropout": 0.25,
    "max_sequence_length": 16,
    "num_segments": 3,
    "activation": "gelu_tanh",
    "layer_norm_epsilon": 1e-6,
}
COUNTS = [name for name, value in GOOD.items() if type(value) is int]
NOT_COUNTS = [0, -1, 1.0, 2.5, "2", True, None, [2], float("nan")]


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", NOT_COUNTS)
def test_a_size_that_is_no_whole_number_above_0_is_named_with_its_value(name, value):
    with pytest.raises(ConfigError) as caught:
        BertConfig(**{**GOOD, name: value})

    message = f"{name}={value!r}; expected a whole number above 0"
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [-0.1, 1, 1.0, 2, "0.1", True, None, float("nan")])
def test_a_dropout_outside_0_to_1_is_refused(value):
    with pytest.raises(ConfigError) as caught:
        BertConfig(**{**GOOD, "dropout": value})

    assert str(caught.value) == f"dropout={value!r}; expected a fraction in [0, 1)"


@pytest.mark.parametrize(
    "value", [0, -1e-12, "1e-12", True, None, float("nan"), float("inf")]
)
def test_an_epsilon_that_is_no_number_above_0_is_refused(value):
    with pytest.raises(ConfigError, match=r"layer_norm_epsilon=.*expected a number"):
        BertConfig(**{**GOOD, "layer_norm_epsilon": value})


@pytest.mark.parametrize("value", ["relu", "GELU", "", None, 1, ["gelu"]])
def test_an_unknown_activation_is_refused_with_the_known_ones(value):
    with pytest.raises(ConfigError, match="expected 'gelu' or 'gelu_tanh'"):
        BertConfig(**{**GOOD, "activation": value})


def test_heads_that_do_not_divide_the_width_are_refused_with_both_numbers():
    with pytest.raises(ConfigError, match="hidden_dim=12 with num_heads=5"):
        BertConfig(**{**GOOD, "num_heads": 5})


def test_a_config_never_changes():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BertConfig(**GOOD).dropout = 0.5


@pytest.mark.parametrize("typo", ["vocab_size", "hidden_dims", "num_layer"])
def test_an_unknown_field_is_refused_with_the_nearest_name(typo, tmp_path):
    nearest = {
        "vocab_size": "vocabulary_size",
        "hidden_dims": "hidden_dim",
        "num_layer": "num_layers",
    }[typo]
    io.write_json(tmp_path / "config.json", {**GOOD, typo: 3})
    with pytest.raises(ConfigError) as caught:
        BertConfig.load(tmp_path / "config.json")

    place = tmp_path / "config.json"
    message = f"{place}: unknown field {typo!r}. Did you mean {nearest!r}?"
    assert str(caught.value) == message


def test_an_unknown_field_like_no_other_gets_no_advice():
    with pytest.raises(ConfigError, match=r"^unknown field 'zzz'$"):
        BertConfig.from_dict({**GOOD, "zzz": 1})


def test_missing_fields_are_listed_together():
    with pytest.raises(ConfigError, match="missing fields: num_layers, hidden_dim"):
        BertConfig.from_dict(
            {k: v for k, v in GOOD.items() if k not in ("hidden_dim", "num_layers")}
        )


def test_a_bad_value_in_a_file_names_the_file(tmp_path):
    io.write_json(tmp_path / "c.json", {**GOOD, "num_heads": 5})
    with pytest.raises(ConfigError, match="c.json: hidden_dim=12 with num_heads=5"):
        BertConfig.load(tmp_path / "c.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: not valid JSON"),
        (b'{\n"a": ', "line 2: not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[1]", "holds a JSON list; expected an object"),
        (b"null", "holds a JSON NoneType; expected an object"),
    ],
)
def test_a_file_that_is_no_json_object_is_one_clear_error(tmp_path, content, message):
    (tmp_path / "c.json").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_json_object(tmp_path / "c.json")

    assert str(caught.value).startswith(str(tmp_path / "c.json"))
    assert str(caught.value).endswith(message)


def test_a_missing_file_is_one_clear_error(tmp_path):
    with pytest.raises(ConfigError, match="no.json: cannot be read: No such file"):
        BertConfig.load(tmp_path / "no.json")


@st.composite
def configs(draw):
    size = st.integers(1, 10**6)
    num_heads, depth = draw(size), draw(size)
    small = st.floats(1e-300, 1e300)
    return BertConfig(
        vocabulary_size=draw(size),
        num_layers=draw(size),
        num_heads=num_heads,
        hidden_dim=num_heads * depth,
        intermediate_dim=draw(size),
        dropout=draw(st.floats(0, 1, exclude_max=True)),
        max_sequence_length=draw(size),
        num_segments=draw(size),
        activation=draw(st.sampled_from(["gelu", "gelu_tanh"])),
        layer_norm_epsilon=draw(small),
    )


@given(configs())
def test_a_config_survives_json(config):
    copy = BertConfig.from_dict(json.loads(json.dumps(config.to_dict())))

    assert copy == config


def test_a_config_survives_its_file(tmp_path):
    BertConfig(**GOOD).save(tmp_path / "config.json")

    assert BertConfig.load(tmp_path / "config.json") == BertConfig(**GOOD)
    assert json.loads((tmp_path / "config.json").read_text()) == GOOD


# Devlin et al. 2019, section 3 (base, large); Turc et al. 2019, table 1 and the list at
# github.com/google-research/bert: "L-2/H-128" and so on, heads = H / 64, F = 4 H.
@pytest.mark.parametrize(
    ("name", "num_layers", "hidden_dim"),
    [
        ("tiny", 2, 128),
        ("mini", 4, 256),
        ("small", 4, 512),
        ("medium", 8, 512),
        ("base", 12, 768),
        ("large", 24, 1024),
    ],
)
def test_named_sizes_are_the_published_ones(name, num_layers, hidden_dim):
    config = BertConfig.from_size(name, vocabulary_size=30522)

    assert config.num_layers == num_layers
    assert config.hidden_dim == hidden_dim
    assert config.num_heads == hidden_dim // 64
    assert config.intermediate_dim == 4 * hidden_dim
    assert config.dropout == 0.1
    assert config.max_sequence_length == 512
    assert config.num_segments == 2
    assert config.activation == "gelu"
    assert config.layer_norm_epsilon == 1e-12


def test_there_are_six_named_sizes():
    assert list(SIZES) == ["tiny", "mini", "small", "medium", "base", "large"]


def test_a_named_size_takes_changes():
    config = BertConfig.from_size("tiny", vocabulary_size=9, max_sequence_length=2048)

    assert (config.vocabulary_size, config.max_sequence_length) == (9, 2048)


def test_an_unknown_size_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"'huge'; expected one of tiny, mini.*large"):
        BertConfig.from_size("huge", vocabulary_size=9)


def test_an_unknown_change_to_a_named_size_is_refused_like_an_unknown_field():
    with pytest.raises(ConfigError, match="Did you mean 'dropout'"):
        BertConfig.from_size("tiny", vocabulary_size=9, dropuot=0.2)
