"""kbert/finetuning/scoring.py"""

import dataclasses
import json

import finetuning_runs as runs
import numpy as np
import pytest

import kbert
from kbert import CheckpointError, ConfigError, InputError, OutputError
from kbert.finetuning import scoring
from kbert.tasks import task_class

LETTERS = "abcdefghijklmnopqrstuvwxy"


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_and_its_model_folder_have_the_figures_of_the_dev_file(toy, learned):
    for source in (learned.path, learned.path / "model", str(learned.path)):
        scored = kbert.evaluate(source, toy / "dev.tsv")

        assert scored.figures == learned.metrics["dev"]
        assert scored.examples == 30


def test_reports_and_guesses_are_written_beside_the_figures(toy, learned, tmp_path):
    out = tmp_path / "scored"
    scored = kbert.evaluate(learned.path, toy / "dev.tsv", output=out)
    content = json.loads((out / "metrics.json").read_text())

    assert content.items() >= scored.figures.items()
    assert content["examples"] == 30
    of_run = learned.path / "dev" / "predictions.tsv"
    runs.assert_same_guesses(out / "predictions.tsv", of_run)
    with pytest.raises(OutputError, match="already exists"):
        kbert.evaluate(learned.path, toy / "dev.tsv", output=out)
    kbert.evaluate(learned.path, toy / "dev.tsv", output=out, overwrite=True)


# Texts of 1 to 30 letters; the model takes 22 of them.
@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    random = np.random.default_rng(8)
    texts = [
        " ".join(random.choice([*LETTERS, "z"], random.integers(1, 31)))
        for _ in range(101)
    ]
    path = tmp_path_factory.mktemp("mixed") / "mixed.txt"
    path.write_text("\n".join(texts) + "\n")
    return path, texts


@pytest.mark.filterwarnings("ignore:.*:kbert.KbertWarning")
def test_every_example_gets_its_own_answer_in_the_order_of_the_file(
    learned, mixed, tmp_path
):
    path, texts = mixed
    tokens = []
    count = kbert.predict(
        learned.path,
        path,
        tmp_path / "all.jsonl",
        batch_size=8,
        progress=lambda *what: tokens.append(what),
    )
    found = records(tmp_path / "all.jsonl")
    fitted = scoring.open_fitted(learned.path)
    head, encoder = fitted.bert.heads["sequence_classifier"], fitted.bert.encoder

    assert count == len(found) == len(texts) == 101
    assert [one["line"] for one in found] == list(range(1, 102))
    assert sum(rows for rows, _ in tokens) == 101
    for text, record in zip(texts[:20], found, strict=False):
        # One by one, through the encoder itself, cut to what the model takes.
        inputs = fitted.bert.tokenizer([text], max_length=24)
        logits = head(encoder(inputs)["pooled_output"])[0].numpy()
        odds = np.exp(logits) / np.exp(logits).sum()
        guess = ("no", "yes")[int(np.argmax(logits))]

        assert record["label"] == guess
        assert record["probability"]["yes"] == pytest.approx(odds[1], abs=1e-4)


def test_options_of_reading_replace_the_stored_ones(toy, learned, tmp_path):
    lines = (toy / "dev.tsv").read_text().splitlines()[1:]
    other = tmp_path / "other.csv"
    other.write_text(
        "\n".join(f"{line.split(chr(9))[1]},{line.split(chr(9))[0]}" for line in lines)
    )
    reading = {"header": False, "text_column": "1", "label_column": "0"}
    scored = kbert.evaluate(learned.path, other, reading=reading)

    assert scored.figures == learned.metrics["dev"]
    with pytest.raises(ConfigError, match="doc_stride=3 has no meaning.*'classify'"):
        kbert.evaluate(learned.path, other, reading={"doc_stride": 3})
    with pytest.raises(ConfigError, match="labels=.* has no meaning"):
        kbert.evaluate(learned.path, other, reading={"labels": ("a",)})


def test_a_model_that_says_nothing_of_a_task_can_be_told_it(toy, learned, tmp_path):
    bert = dataclasses.replace(kbert.load(learned.path / "model"), training={})
    kbert.save(bert, tmp_path / "bare")
    with pytest.raises(CheckpointError, match="bare: the model says of no task"):
        kbert.evaluate(tmp_path / "bare", toy / "dev.tsv")

    scored = kbert.evaluate(tmp_path / "bare", toy / "dev.tsv", task="classify")
    assert scored.figures == learned.metrics["dev"]


@pytest.fixture
def bare(learned, tmp_path):
    """The trained model as others make them: no task, no names of its classes."""
    bert = kbert.load(learned.path / "model")
    kbert.save(dataclasses.replace(bert, training={}, labels=()), tmp_path / "bare")
    return tmp_path / "bare"


def test_classes_without_names_are_numbers(toy, learned, bare, tmp_path):
    table = (toy / "dev.tsv").read_text()
    (tmp_path / "numbers.tsv").write_text(
        table.replace("\tyes", "\t1").replace("\tno", "\t0")
    )
    scored = kbert.evaluate(bare, tmp_path / "numbers.tsv", task="classify")

    assert scored.figures == learned.metrics["dev"]
    with pytest.raises(InputError, match=r"line \d+: unknown label '.*; exp.*: 0, 1"):
        kbert.evaluate(bare, toy / "dev.tsv", task="classify")


def test_classes_without_names_are_those_of_glue_if_it_has_as_many(
    toy, learned, bare, tmp_path
):
    names = {"no": "entailment", "yes": "not_entailment"}  # in the order of RTE
    rows = [row.split("\t") for row in (toy / "dev.tsv").read_text().splitlines()[1:]]
    lines = [f"{text}\t{names[label]}\n" for text, label in rows]
    (tmp_path / "dev.tsv").write_text("".join(["text\tlabel\n", *lines]))
    how = {"task": "classify", "reading": {"glue": "RTE", "text_column": "text"}}
    scored = kbert.evaluate(bare, tmp_path / "dev.tsv", **how)

    assert scored.figures == {"accuracy": learned.metrics["dev"]["accuracy"]}
    how["reading"]["glue"] = "MNLI"  # three classes
    with pytest.raises(InputError, match="unknown label '.*entail.*'; exp.*: 0, 1"):
        kbert.evaluate(bare, tmp_path / "dev.tsv", **how)


def test_the_kind_of_task_that_a_model_has_anyway_changes_nothing(
    toy, reviews, tmp_path
):
    assert (
        kbert.evaluate(reviews, tmp_path / "reviews.tsv", task="classify").figures
        == kbert.evaluate(reviews, tmp_path / "reviews.tsv").figures
    )


@pytest.fixture
def reviews(toy, learned, tmp_path):
    """The trained model, as if its texts had been in a column called review."""
    table = (toy / "dev.tsv").read_text()
    (tmp_path / "reviews.tsv").write_text(table.replace("text\t", "review\t"))
    bert = kbert.load(learned.path / "model")
    task = {**bert.training["task"], "text_column": "review"}
    training = {**bert.training, "task": task}
    kbert.save(dataclasses.replace(bert, training=training), tmp_path / "reviews")
    return tmp_path / "reviews"


def test_a_model_of_table_columns_reads_lines_too(toy, learned, reviews, tmp_path):
    rows = (toy / "dev.tsv").read_text().splitlines()[1:]
    texts = [row.partition("\t")[0] for row in rows]
    (tmp_path / "lines.txt").write_text("\n".join(texts) + "\n")
    kbert.predict(reviews, tmp_path / "lines.txt", tmp_path / "lines.jsonl")
    kbert.predict(learned.path, toy / "dev.tsv", tmp_path / "table.jsonl")
    labels = [one["label"] for one in records(tmp_path / "table.jsonl")]

    assert [one["label"] for one in records(tmp_path / "lines.jsonl")] == labels
    scored = kbert.evaluate(reviews, tmp_path / "reviews.tsv")
    assert scored.figures == learned.metrics["dev"]
    with pytest.raises(ConfigError, match="text_column='a' has no meaning for lines"):
        kbert.predict(
            reviews,
            tmp_path / "lines.txt",
            tmp_path / "other.jsonl",
            reading={"text_column": "a"},
        )
    with pytest.raises(ConfigError, match="read as lines, which have no labels"):
        kbert.evaluate(reviews, tmp_path / "lines.txt")


def test_a_head_of_another_size_is_named(toy, learned, tmp_path):
    with pytest.raises(
        CheckpointError,
        match="model: its head sequence_classifier has 2 outputs; expected 1, as the "
        "task 'regress' reads",
    ):
        kbert.predict(
            learned.path, toy / "dev.tsv", tmp_path / "out.tsv", task="regress"
        )
    assert not (tmp_path / "out.tsv").exists()


def test_a_file_says_whether_questions_may_have_no_answer_if_the_model_does_not(
    toy, tmp_path
):
    bert = kbert.with_heads(kbert.load(toy / "model"), {"span": 2})
    kbert.save(bert, tmp_path / "foreign")
    answers = [[{"text": "b", "answer_start": 2}], []]
    questions = [
        {"id": str(number), "question": "q", "answers": one}
        for number, one in enumerate(answers)
    ]
    for name, asked in (("v1.json", questions[:1]), ("v2.json", questions)):
        paragraph = {"context": "a b c d", "qas": asked}
        content = {"data": [{"paragraphs": [paragraph]}]}
        (tmp_path / name).write_text(json.dumps(content))

    def figures(name, **reading):
        scored = kbert.evaluate(
            tmp_path / "foreign", tmp_path / name, task="qa", reading=reading
        )
        return scored.figures

    assert "best_f1" in figures("v2.json")
    assert "best_f1" not in figures("v1.json")
    assert "best_f1" in figures("v1.json", version_2=True)
    assert "best_f1" not in figures("v2.json", version_2=False)
    none = figures("v2.json", null_threshold=-1e9)
    assert (none["f1"], none["NoAns_f1"], none["HasAns_f1"]) == (50, 100, 0)


def test_a_head_that_does_not_fit_the_task_is_named(toy, learned):
    with pytest.raises(
        CheckpointError,
        match="has no head token_classifier, which the task 'ner' reads; expected one "
        "of sequence_classifier",
    ):
        kbert.evaluate(learned.path, toy / "dev.tsv", task="ner")


def test_a_run_that_has_not_ended_says_how_to_go_on(go, toy, tmp_path):
    def stop(moment):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "run", progress=stop)
    with pytest.raises(CheckpointError, match=r"run: is a run that .* with --resume"):
        kbert.evaluate(tmp_path / "run", toy / "dev.tsv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "classification"}, "task 'classification'; expected one of classify"),
        ({"compute_dtype": "float16"}, "compute_dtype='float16'; expected 'float32'"),
        ({"batch_size": 0}, "batch_size=0; expected a whole number above 0"),
    ],
)
def test_wrong_values_are_named(toy, learned, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        kbert.evaluate(learned.path, toy / "dev.tsv", **options)
    with pytest.raises(ConfigError, match=message):
        kbert.predict(learned.path, toy / "dev.tsv", tmp_path / "a.tsv", **options)


def test_rows_may_be_shorter_than_in_training_and_no_longer_than_the_model(
    toy, learned
):
    figures = kbert.evaluate(learned.path, toy / "dev.tsv", max_length=12).figures
    assert figures == learned.metrics["dev"]  # no row is longer
    for length in (0, 25):
        with pytest.raises(ConfigError, match=f"max_length={length}; expected 1 to 24"):
            kbert.evaluate(learned.path, toy / "dev.tsv", max_length=length)


def test_half_precision_says_about_the_same(toy, learned):
    scored = kbert.evaluate(learned.path, toy / "dev.tsv", compute_dtype="bfloat16")

    assert scored.figures["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("text\tlabel\na\tmaybe\n", InputError, "new.tsv, line 2: unknown label 'may"),
        ("text\na\n", ConfigError, "new.tsv.*label"),
        ("text\tlabel\n", InputError, "new.tsv"),
    ],
)
def test_bad_files_are_one_line(learned, tmp_path, content, error, message):
    (tmp_path / "new.tsv").write_text(content)
    with pytest.raises(error, match=message) as caught:
        kbert.evaluate(learned.path, tmp_path / "new.tsv", output=tmp_path / "out")

    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_predictions_do_not_overwrite_a_file_unless_told(toy, learned, tmp_path):
    out = tmp_path / "out.tsv"
    out.write_text("mine")
    with pytest.raises(OutputError, match=r"out\.tsv: already exists"):
        kbert.predict(learned.path, toy / "dev.tsv", out)
    assert out.read_text() == "mine"

    kbert.predict(learned.path, toy / "dev.tsv", out, overwrite=True)
    assert len(out.read_text().splitlines()) == 31


@pytest.fixture
def no_work(monkeypatch):
    def work(*_, **__):
        raise AssertionError("the model was asked")

    monkeypatch.setattr(scoring.Fitted, "guesses", work)


@pytest.mark.usefixtures("no_work")
def test_an_ending_that_cannot_be_written_is_refused_before_the_work(learned, tmp_path):
    with pytest.raises(OutputError, match=r"out\.csv: .* written as \.csv; expected"):
        kbert.predict(learned.path, tmp_path / "absent.tsv", tmp_path / "out.csv")


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("-", "-: standard output is not written to; expected the name of a file"),
        ("file/out.tsv", r"file/out\.tsv: cannot be written: Not a directory"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    toy, learned, tmp_path, monkeypatch, name, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=message):
        kbert.predict(learned.path, toy / "dev.tsv", name)
    with pytest.raises(OutputError, match=message):
        kbert.evaluate(learned.path, toy / "dev.tsv", output=name)

    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_folders_above_the_predictions_are_made(toy, learned, tmp_path):
    kbert.predict(learned.path, toy / "dev.tsv", tmp_path / "a" / "b" / "out.tsv")

    assert len((tmp_path / "a" / "b" / "out.tsv").read_text().splitlines()) == 31


def test_the_task_of_a_run_has_its_own_class(learned):
    assert type(learned.task) is task_class("classify")
    assert scoring.open_fitted(learned.path).task == learned.task
    assert runs.read_lines(learned.path)


@pytest.mark.usefixtures("no_work")
def test_neither_model_nor_file_is_replaced(toy, learned, tmp_path):
    file = tmp_path / "data" / "new.tsv"
    file.parent.mkdir()
    file.write_bytes((toy / "dev.tsv").read_bytes())
    for output in (learned.path, file.parent):
        with pytest.raises(OutputError, match="is read, and --overwrite"):
            kbert.evaluate(learned.path, file, output=output, overwrite=True)
    with pytest.raises(OutputError, match="is read, and --overwrite"):
        kbert.predict(learned.path, file, file, overwrite=True)

    assert file.read_bytes() == (toy / "dev.tsv").read_bytes()
    assert (learned.path / "model").is_dir()


@pytest.mark.usefixtures("no_work")
def test_a_file_of_no_ending_is_no_folder(toy, learned, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="written as a file of no ending; expected"):
        kbert.predict(learned.path, toy / "dev.tsv", tmp_path / "out", overwrite=True)

    assert (tmp_path / "out").read_text() == "mine"
