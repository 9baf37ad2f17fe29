"""cli/describe.py"""

import json
import math
import subprocess
import sys

import pytest
from click.testing import CliRunner

import kbert
from kbert.cli.main import main
from kbert.encoder import build_encoder
from kbert.heads import build_head
from kbert.model import Bert


def run(*arguments):
    return CliRunner().invoke(main, ["describe", *map(str, arguments)])


def test_a_size_is_printed_as_an_aligned_table_with_its_total():
    lines = run("base").stdout.splitlines()
    table = lines[: lines.index("")]

    assert len({len(line) for line in table}) == 1
    assert table[0].split() == ["PART", "EACH", "TIMES", "PARAMETERS", "FLOPS/TOKEN"]
    assert table[-1].split()[:2] == ["total", "109,482,240"]
    # 109,482,240 parameters of 4 and 2 bytes.
    assert lines[-2] == "weights: 437.9 MB in float32, 219.0 MB in bfloat16"
    assert lines[-1] == "texts of 128 tokens"


def test_the_vocabulary_of_a_size_and_heads_can_be_given():
    result = run(
        "tiny", "--vocabulary-size", 100, "--head", "span", "--head", "masked_lm"
    )
    parts = dict(line.split()[:2] for line in result.stdout.splitlines()[1:-4])

    assert parts["embeddings/token"] == "12,800"
    assert parts["span"] == "258"  # 128 × 2 + 2
    assert parts["masked_lm"] == "16,868"  # 128 × 128 + 128 + 2 × 128 + 100


def test_units_of_a_head_can_be_given():
    content = json.loads(run("tiny", "--head", "token_classifier=9", "--json").stdout)

    assert content["parts"][-1]["part"] == "token_classifier"
    assert content["parts"][-1]["parameters"] == 128 * 9 + 9


def test_json_holds_the_same_numbers_and_the_config():
    content = json.loads(run("base", "--json", "--length", 512).stdout)

    assert content["parameters"] == 109_482_240
    assert content["bytes"] == {"float32": 437_928_960, "bfloat16": 218_964_480}
    assert content["parameters"] == sum(part["parameters"] for part in content["parts"])
    assert content["flops_per_token"] == sum(
        part["flops_per_token"] for part in content["parts"]
    )
    assert content["length"] == 512
    assert content["config"]["hidden_dim"] == 768


def test_a_config_file_is_described_without_weights(tmp_path, tiny_config):
    tiny_config.save(tmp_path / "c.json")
    content = json.loads(run(tmp_path / "c.json", "--json").stdout)

    assert content["config"] == tiny_config.to_dict()
    assert content["length"] == 16  # its longest input is below 128


@pytest.mark.parametrize("pooler", [True, False])
def test_a_model_directory_is_described_with_its_heads(
    tmp_path, tiny_config, randomize, pooler
):
    encoder = randomize(build_encoder(tiny_config, pooler=pooler))
    head = build_head("token_classifier", encoder, tiny_config, units=5)
    bert = Bert(tiny_config, encoder, heads={"token_classifier": head})
    kbert.save(bert, tmp_path / "model")
    content = json.loads(run(tmp_path / "model", "--json").stdout)

    assert content["parts"][-1]["part"] == "token_classifier"
    assert content["parameters"] == encoder.count_params() + 12 * 5 + 5


def test_the_config_of_a_model_directory_is_described_as_the_directory(
    tmp_path, tiny_config, randomize
):
    encoder = randomize(build_encoder(tiny_config, pooler=False))
    head = build_head("token_classifier", encoder, tiny_config, units=5)
    bert = Bert(tiny_config, encoder, heads={"token_classifier": head})
    kbert.save(bert, tmp_path / "model")
    result = run(tmp_path / "model" / "config.json", "--json")
    content = json.loads(result.stdout)

    assert content["config"] == tiny_config.to_dict()
    assert content["parameters"] == encoder.count_params() + 12 * 5 + 5


def test_a_config_called_config_json_is_described_without_weights(
    tmp_path, tiny_config
):
    tiny_config.save(tmp_path / "config.json")
    content = json.loads(run(tmp_path / "config.json", "--json").stdout)

    assert content["config"] == tiny_config.to_dict()


def test_a_folder_whose_name_ends_as_a_file_is_a_folder(
    tmp_path, tiny_config, randomize
):
    encoder = randomize(build_encoder(tiny_config))
    kbert.save(Bert(tiny_config, encoder), tmp_path / "my.json")
    content = json.loads(run(tmp_path / "my.json", "--json").stdout)

    assert content["parameters"] == encoder.count_params()


@pytest.mark.parametrize(
    "content", ['{"format": 1, "encoder": {}}', '{"model_type": "bert"}']
)
def test_a_copy_of_the_config_of_a_model_says_what_to_give(tmp_path, content):
    path = tmp_path / "copy.json"
    path.write_text(content)
    result = run(path)

    assert result.exit_code == 1
    assert result.stderr == (
        f'Error: {path}: holds no "vocabulary_size"; expected what BertConfig.save '
        "writes. If it is the config of a model, give the folder of the model.\n"
    )


def test_a_head_cannot_be_added_to_the_config_of_a_model(tmp_path):
    (tmp_path / "config.json").write_text('{"format": 1}')
    result = run(tmp_path / "config.json", "--head", "span")

    assert result.exit_code == 2
    assert "--head goes with a named size or a config file; a model " in result.stderr


@pytest.mark.real_data
def test_the_config_of_a_hugging_face_folder_is_described_as_the_folder(shared):
    folder = shared / "models" / "minilm-l6-v2"

    result = run(folder / "config.json")

    assert result.stdout == run(folder).stdout != ""


@pytest.mark.real_data
def test_a_hugging_face_folder_is_described(shared):
    folder = shared / "models" / "minilm-l6-v2"
    with open(folder / "model.safetensors", "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    shapes = [
        entry["shape"]
        for name, entry in header.items()
        if name != "__metadata__" and not name.endswith("position_ids")
    ]
    content = json.loads(run(folder, "--json").stdout)

    assert content["parameters"] == sum(math.prod(shape) for shape in shapes)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["no/such/model"], 1, "no such folder"),
        (["no.json"], 1, "no.json: cannot be read"),
        (["base", "--length", 513], 1, "length=513; expected 1 to 512"),
        (["base", "--length", 0], 2, "0 is not in the range"),
        (["base", "--head", "mlm"], 2, "'mlm' is not NAME or NAME=UNITS of masked_lm"),
        (["base", "--head", "span=x"], 2, "'span=x' is not NAME or NAME=UNITS"),
        (["base", "--head", "span=0"], 1, "units=0; expected a whole number above 0"),
        (["base", "--vocabulary-size", 0], 2, "0 is not in the range"),
        (["no/model", "--vocabulary-size", 9], 2, "goes with the name of a size"),
        (["no/model", "--head", "span"], 2, "--head goes with"),
    ],
)
def test_what_makes_no_sense_is_one_clear_error(arguments, code, message):
    result = run(*arguments)

    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""


def test_a_size_is_described_without_tensorflow():
    code = (
        "import sys\n"
        "from kbert.cli.main import main\n"
        "main(['describe', 'base'], standalone_mode=False)\n"
        "print({'tensorflow', 'keras', 'numpy'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stderr == "set()\n"
