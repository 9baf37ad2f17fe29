"""cli/using_options.py: models of other shapes, and files of other ones"""

import json
from pathlib import Path

import finetuning_runs as runs
import pytest
from click.testing import CliRunner

import kbert
import kbert.finetuning
from kbert.cli.main import main
from kbert.finetuning import job


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on a table with columns of its own."""
    folder = tmp_path_factory.mktemp("using")
    runs.make_model(folder / "model")
    runs.write_table(folder / "toy.tsv", 11, seed=3)
    rows = (folder / "toy.tsv").read_text().splitlines()[1:]
    rows = [f"{number}\t{row}" for number, row in enumerate(rows)]
    (folder / "train.tsv").write_text("\n".join(rows) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "can_draw", lambda: False)
        kbert.finetune(
            kbert.Classification(
                text_column="1", label_column="2", id_column="0", header=False
            ),
            folder / "model",
            train=folder / "train.tsv",
            dev=None,
            output=folder / "run",
            settings=runs.settings(epochs=1),
        )
    return folder


@pytest.fixture
def kbert_in(trained, tmp_path, monkeypatch):
    """Runs `kbert` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("run", "train.tsv"):
        Path(name).symlink_to(trained / name)
    return lambda *arguments, text=None: CliRunner().invoke(main, arguments, input=text)


def labels(path):
    return [json.loads(line)["label"] for line in Path(path).read_text().splitlines()]


def test_texts_a_line_need_none_of_the_columns_of_training(kbert_in):
    texts = [row.split("\t")[1] for row in Path("train.tsv").read_text().splitlines()]
    Path("lines.txt").write_text("\n".join(texts) + "\n")
    table = kbert_in("predict", "run", "train.tsv", "-o", "table.jsonl")
    lines = kbert_in("predict", "run", "lines.txt", "-o", "lines.jsonl")
    typed = kbert_in(
        *("predict", "run", "-", "-o", "typed.jsonl"),
        text=Path("lines.txt").read_text(),
    )

    for result in (table, lines, typed):
        assert result.exit_code == 0, result.stderr
    assert len(labels("table.jsonl")) == 11
    assert labels("lines.jsonl") == labels("typed.jsonl") == labels("table.jsonl")


def test_what_has_no_meaning_for_the_file_at_hand_is_one_line(kbert_in):
    Path("lines.txt").write_text("a b\n")
    for options in (["--id-column", "0"], ["--no-header"]):
        result = kbert_in("predict", "run", "lines.txt", "-o", "out.tsv", *options)

        assert result.exit_code == 1
        assert "has no meaning for lines input" in result.stderr
    assert not Path("out.tsv").exists()


def test_standard_output_is_refused(kbert_in):
    for arguments in (
        ["predict", "run", "train.tsv"],
        ["evaluate", "run", "train.tsv"],
    ):
        result = kbert_in(*arguments, "-o", "-")

        assert result.exit_code == 1
        assert result.stderr.startswith("Error: -: standard output is not written to")
    assert not Path("-").exists()


def test_options_of_models_made_elsewhere_are_handed_on(kbert_in, monkeypatch):
    seen = []

    def fake(*given, **how):
        seen.append(how["reading"])
        raise kbert.Stopped("that was all")

    for name in ("evaluate", "predict"):
        monkeypatch.setattr(kbert.finetuning, name, fake)
    for options in (
        ["--version-2", "--no-strip-word-digits", "--scheme", "bilou"],
        ["--version-1", "--strip-word-digits"],
        ["--multi-label", "--label-separator", ";"],
        [],
    ):
        kbert_in("evaluate", "run", "f", *options)
        kbert_in("predict", "run", "f", "-o", "out", *options)

    assert seen[::2] == seen[1::2]
    assert seen[::2] == [
        {"version_2": True, "strip_word_digits": False, "scheme": "bilou"},
        {"version_2": False, "strip_word_digits": True},
        {"multi_label": True, "label_separator": ";"},
        {},
    ]
