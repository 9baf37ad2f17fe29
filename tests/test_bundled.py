"""kbert/bundled: the model that comes with the package."""

import pytest
from click.testing import CliRunner

import kbert
from kbert.bundled import BUNDLED, bundled_folder
from kbert.cli.main import main


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_name_loads_anywhere(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bert = kbert.load(name)

    assert set(bert.heads) == {"masked_lm", "next_sentence"}
    assert not bert.tokenizer.lowercase


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_model_is_small_enough_for_the_wheel(name):
    weights = bundled_folder(name) / "model.safetensors"

    assert weights.stat().st_size <= 16e6
    assert (bundled_folder(name) / "README.md").is_file()


# What any reader of English would put there.
@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("The dog stood in front [MASK] the house.", "of"),
        ("He did [MASK] know what to say.", "not"),
        ("Thank [MASK] very much.", "you"),
    ],
)
def test_the_default_model_knows_some_english(text, token):
    (filled,) = kbert.fill_mask([text], top=1)

    assert filled.masks[0][0].token == token


def test_extract_features_needs_no_model(tmp_path):
    (tmp_path / "lines.txt").write_text("One line.\nAnother one.\n")
    arguments = [str(tmp_path / "lines.txt"), "-o", str(tmp_path / "vectors")]
    result = CliRunner().invoke(main, ["extract-features", *arguments])

    assert result.exit_code == 0, result.output
    assert kbert.FeatureStore.open(tmp_path / "vectors").to_numpy().shape == (2, 256)
