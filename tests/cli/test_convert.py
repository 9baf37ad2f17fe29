"""cli/convert.py"""

import pytest
from click.testing import CliRunner

import kbert
from kbert.cli.main import main


@pytest.fixture
def model(tmp_path, tiny_config):
    """A kbert directory with a masked-LM head."""
    from kbert.encoder import build_encoder
    from kbert.heads import build_head
    from kbert.model import Bert

    encoder = build_encoder(tiny_config)
    head = build_head("masked_lm", encoder, tiny_config)
    kbert.save(
        Bert(tiny_config, encoder, heads={"masked_lm": head}), tmp_path / "model"
    )
    return tmp_path / "model"


def test_the_path_goes_to_stdout_and_the_talk_to_stderr(model, tmp_path):
    out = tmp_path / "out"
    result = CliRunner().invoke(main, ["convert", f"{model}", f"{out}", "--to", "tf1"])

    assert result.exit_code == 0
    assert result.stdout == f"{out}\n"
    assert "60 tensors read: embeddings/token, " in result.stderr
    assert "0 tensors left out" in result.stderr
    assert (out / "bert_model.ckpt.index").exists()


def test_heads_left_out_are_named(model, tmp_path):
    arguments = ["convert", f"{model}", f"{tmp_path / 'out'}", "--to", "huggingface"]
    result = CliRunner().invoke(main, [*arguments, "--without-head", "masked_lm"])

    assert "5 tensors left out: masked_lm/bias, masked_lm/layer_norm" in result.stderr
    assert dict(kbert.load(tmp_path / "out").heads) == {}


def test_an_error_is_one_line_and_exit_code_1(model, tmp_path):
    arguments = ["convert", f"{model}", f"{tmp_path / 'out'}", "--to", "kerashub"]
    result = CliRunner().invoke(main, arguments)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: model for kerashub: 2 differences: ")
    assert result.stderr.count("\n") == 1


def test_the_formats_are_those_of_the_library():
    from kbert.checkpoints import FORMATS
    from kbert.cli import convert

    assert convert.FORMATS == FORMATS
