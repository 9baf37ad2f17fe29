"""cli/pretrain.py"""

import json
import shutil

import pretraining_runs as runs
import pytest
from click.testing import CliRunner

import kbert.pretraining
from kbert import MaskingSettings, PretrainingSettings
from kbert.cli.main import main
from kbert.pretraining import Phase


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return runs.make_data(tmp_path_factory.mktemp("cli") / "of", objective="none")


@pytest.fixture
def run(tmp_path, monkeypatch, data):
    """Runs `kbert pretrain` on a copy of small data, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(data, "data")
    fields = {**runs.config().to_dict()}
    del fields["vocabulary_size"]
    (tmp_path / "config.json").write_text(json.dumps(fields))

    def run(*arguments, data="data", steps="2"):
        fixed = ["--config", "config.json", "--phase", "16:1", "--batch-size", "4"]
        fixed += ["-o", "run", "--steps", steps]
        return CliRunner().invoke(main, ["pretrain", data, *fixed, *arguments])

    return run


def test_data_become_a_model_and_a_line_says_so(run, tmp_path):
    result = run("--seed", "3")

    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == "run/model: done, 2 steps"
    assert kbert.load(tmp_path / "run" / "model").config.hidden_dim == 8
    assert len(runs.read_lines(tmp_path / "run")) == 2

    again = run("--seed", "3")
    assert again.exit_code == 1
    assert "run: holds a run. Go on with --resume, or replace it" in again.stderr
    other = run("--seed", "4", "--resume")
    assert other.exit_code == 1
    assert "run: made with other settings: seed was 3 and is now 4" in other.stderr
    assert run("--seed", "3", "--resume").exit_code == 0


def test_without_matplotlib_the_end_says_what_draws_the_curves(run, no_matplotlib):
    assert run().stderr.splitlines() == [
        "no curves.png: pip install 'kbert[plots]' draws it.",
        "run/model: done, 2 steps",
    ]


def test_a_damaged_checkpoint_is_told_in_one_line(run, tmp_path):
    run()
    (newest,) = (tmp_path / "run" / "checkpoints").glob("*2/state.safetensors")
    newest.write_bytes(b"")
    result = run("--resume")

    assert result.exit_code == 0, result.stderr
    (line,) = (line for line in result.stderr.splitlines() if "step-00000002" in line)
    assert line.startswith("run/checkpoints/step-00000002/state.safetensors: 0 bytes;")
    assert line.endswith("The checkpoint step-00000001 is used instead.")


@pytest.mark.parametrize("flag", ["resume", "overwrite"])
def test_every_option_reaches_the_settings(run, monkeypatch, flag):
    seen = {}
    monkeypatch.setattr(
        kbert.pretraining, "pretrain", lambda *given, **how: seen.update(how)
    )
    result = run(
        *("--accumulate", "2", "--learning-rate", "2e-3", "--warmup-steps", "1"),
        *("--decay", "polynomial", "--decay-power", "0.7", "--optimizer", "adamw"),
        *("--weight-decay", "0.2", "--bias-correction", "--clip-norm", "0"),
        *("--dropout", "0.3", "--phase", "24:0.5", "--masking", "span"),
        *("--mask-rate", "0.2", "--mask-mixture", "60,30,10", "--mask-token", "[UNK]"),
        *("--max-predictions", "5", "--seed", "9", "--compute-dtype", "bfloat16"),
        *("--save-every", "3", "--log-every", "4", "--evaluate-every", "5"),
        *("--on-nonfinite", "skip", "--strategy", "mirrored", "--devices", "2"),
        *("--streams", "2", "--keep", "7", f"--{flag}"),
    )
    settings = seen.pop("settings")
    del seen["progress"]

    assert result.exit_code == 0, result.stderr
    assert seen == {"config": "config.json", "keep": 7} | {
        "resume": flag == "resume",
        "overwrite": flag == "overwrite",
    }
    assert settings == PretrainingSettings(
        steps=2,
        batch_size=4,
        accumulate=2,
        learning_rate=2e-3,
        warmup_steps=1,
        decay="polynomial",
        decay_power=0.7,
        weight_decay=0.2,
        bias_correction=True,
        clip_norm=0.0,
        dropout=0.3,
        phases=(Phase(16, 1.0), Phase(24, 0.5)),
        masking=MaskingSettings(
            masking="span",
            mask_rate=0.2,
            mask_mixture=(60, 30, 10),
            mask_token="[UNK]",
            max_predictions=5,
        ),
        seed=9,
        compute_dtype="bfloat16",
        save_every=3,
        log_every=4,
        evaluate_every=5,
        on_nonfinite="skip",
        strategy="mirrored",
        devices=2,
        streams=2,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--learning-rate", "nan"], 1, "learning_rate=nan; expected a number above 0"),
        (["--learning-rate", "-1"], 1, "learning_rate=-1.0; expected a number above 0"),
        (["--warmup-steps", "3"], 1, "warmup_steps=3; expected 0 to steps, 2"),
        (["--mask-mixture", "80,10,20"], 1, "mask_mixture=(80.0, 10.0, 20.0); expect"),
        (["--mask-mixture", "80,20"], 2, "'80,20' is not three percentages, as in 80"),
        (["--mask-rate", "1.5"], 1, "mask_rate=1.5; expected"),
        (["--steps", "0"], 2, "0 is not in the range x>=1"),
        (["--batch-size", "-4"], 2, "-4 is not in the range x>=1"),
        (["--accumulate", "3"], 1, "accumulate=3 with batch_size=4; expected batch_s"),
        (["--phase", "half"], 1, "phase 'half'; expected a length and its share of"),
        (["--phase", "20:1"], 1, "data: no rows of 20 tokens; expected one of 16, 24"),
        (["--streams", "3", "--batch-size", "6"], 1, "streams=3 with 2 shards of leng"),
        (
            ["--streams", "2", "--batch-size", "1"],
            1,
            "streams=2 on 1 hosts with 1",
        ),
        (["--dropout", "1"], 1, "dropout=1.0; expected a fraction in [0, 1)"),
        (["--seed", "4294967296"], 1, "seed=4294967296; expected 0 to 2^32 - 1"),
        (
            ["--config", "short.json"],
            1,
            "data: rows of 16 tokens; expected at",
        ),
        (["--config", "odd.json"], 1, "odd.json: unknown field 'layers'"),
        (
            ["--config", "words.json"],
            1,
            "words.json: vocabulary_size=9; expected 32",
        ),
        (["--config", "nowhere.json"], 1, "nowhere.json: cannot be read: No such file"),
        (["--config", "nomodel"], 1, "nomodel"),
        (["-o", "config.json"], 1, "config.json: cannot be written: File exists"),
        (["--resume", "--overwrite"], 2, "--resume goes on with what --overwrite"),
    ],
)
def test_bad_settings_are_one_line_and_leave_nothing(
    run, tmp_path, arguments, code, message
):
    fields = json.loads((tmp_path / "config.json").read_text())
    for name, changes in {
        "short": {"max_sequence_length": 12},
        "odd": {"layers": 3},
        "words": {"vocabulary_size": 9},
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({**fields, **changes}))
    result = run(*arguments)

    assert result.exit_code == code
    assert f"Error: {message}" in result.stderr or message in result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
    assert len(errors) == 1
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_bad_data_are_one_line_that_names_them(run, tmp_path, no_matplotlib):
    (tmp_path / "empty").mkdir()
    for folder, message in (
        ("nowhere", "nowhere: is no folder of pretraining data"),
        ("empty", "empty: holds neither a manifest.json nor a .tfrecord file"),
    ):
        result = run(data=folder)
        assert (result.exit_code, "\n" in result.stderr.strip()) == (1, False)
        assert result.stderr.startswith(f"Error: {message}")

    shard = sorted((tmp_path / "data").glob("train-16-*"))[0]
    flip(shard)
    result = run()
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: data/{shard.name}: record ")
    assert not (tmp_path / "run").exists()


def test_help_shows_examples_and_every_default():
    result = CliRunner().invoke(main, ["pretrain", "--help"])

    help = " ".join(result.stdout.split())

    assert result.exit_code == 0
    assert "kbert pretrain data -o run --config mini" in help
    for text in ("[default: 256", "[default: 0.0001]", "[default: adamw]"):
        assert text in help
