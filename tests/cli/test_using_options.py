"""cli/using_options.py: models of other shapes, and files of other ones"""

import dataclasses
import json
from pathlib import Path

import finetuning_runs as runs
import pytest
from click.testing import CliRunner

import kbert
import kbert.finetuning
from kbert.cli.main import main
from kbert.finetuning import job
from kbert.tasks.classification import Classification
from kbert.tasks.glue import GLUE_LABELS
from kbert.tasks.tagging import Tagging


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


@pytest.fixture
def untrained(trained):
    """Saves a model with a head of random weights, as if trained for a task."""

    def save(folder, task):
        heads = {task.head: task.units}
        bert = kbert.load(trained / "model")
        bert = kbert.with_heads(bert, heads, labels=task.labels)
        training = {"task": {"kind": task.kind, **task.to_dict()}}
        kbert.save(dataclasses.replace(bert, training=training), folder)

    return save


def test_columns_of_words_are_numbered_as_in_training(kbert_in, untrained):
    untrained("tagger", Tagging(labels=("O", "B-X"), scheme="iob2", tag_column=3))
    for name, row in (("as.conll", "{} n m {}"), ("other.conll", "{1} {0}")):
        words = [*"abcxyz"]
        rows = [row.format(one, "B-X" if one in "xyz" else "O") for one in words]
        Path(name).write_text("\n".join(rows) + "\n")
    columns = ("--text-column", "1", "--label-column", "0")
    expected = kbert_in("evaluate", "tagger", "as.conll")
    for name, options in (("as.conll", ()), ("other.conll", columns)):
        scored = kbert_in("evaluate", "tagger", name, *options)
        used = kbert_in("predict", "tagger", name, "-o", f"{name}.jsonl", *options)

        assert (scored.exit_code, used.exit_code) == (0, 0), scored.stderr + used.stderr
        assert scored.stdout == expected.stdout
    (same, other) = (Path(f"{one}.conll.jsonl").read_text() for one in ("as", "other"))
    assert json.loads(same) == json.loads(other)
    assert json.loads(same)["gold"] == ["O"] * 3 + ["B-X"] * 3


def test_objects_are_read_by_a_model_of_official_files(kbert_in, untrained):
    untrained("rte", Classification(glue="RTE", labels=GLUE_LABELS["RTE"]))
    row = {"a": "b c", "b": "d", "label": "entailment"}
    Path("new.jsonl").write_text(f"{json.dumps(row)}\n")
    keys = ("--text-column", "a", "--text-pair-column", "b")
    refused = kbert_in("evaluate", "rte", "new.jsonl")
    scored = kbert_in("evaluate", "rte", "new.jsonl", *keys)

    assert refused.exit_code == 1
    assert "expected the keys of both texts: --text-column and" in refused.stderr
    assert scored.exit_code == 0, scored.stderr
    assert scored.stdout in ("accuracy\t0.0000\n", "accuracy\t1.0000\n")


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
