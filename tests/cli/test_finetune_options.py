"""cli/finetune.py and cli/using_options.py: options → what the library is told"""

import dataclasses

import pytest
from click.testing import CliRunner

import kbert
import kbert.finetuning
from kbert import tasks
from kbert.cli.main import main

KINDS = ("classify", "regress", "ner", "qa", "choice")
FILES = ("--model", "model", "--train", "train.tsv", "--dev", "dev.tsv", "-o", "run")


def run_kbert(*arguments):
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def called(monkeypatch):
    """What the library is told, instead of a run."""
    seen = {}

    def fake(name):
        def call(task, model, **how):
            seen.update(how, task=task, model=model, function=name)
            raise kbert.Stopped("that was all")

        return call

    for name in ("finetune", "search"):
        monkeypatch.setattr(kbert.finetuning, name, fake(name))
    return seen


def test_a_run_that_fails_does_not_talk_of_curves(called, no_matplotlib):
    result = run_kbert("finetune", "classify", *FILES)

    assert result.stderr == "Error: that was all\n"


@pytest.mark.parametrize("flag", ["resume", "overwrite"])
def test_every_option_reaches_the_settings(called, flag):
    result = run_kbert(
        *("finetune", "classify", *FILES, "--epochs", "2", "--batch-size", "8"),
        *("--learning-rate", "2e-3", "--max-length", "20", "--seed", "9"),
        *("--warmup-fraction", "0.2", "--decay", "cosine", "--weight-decay", "0.2"),
        *("--no-bias-correction", "--clip-norm", "0", "--dropout", "0.3"),
        *("--layer-decay", "0.9", "--freeze-layers", "1", "--reinitialize-layers"),
        *("1", "--keep", "last", "--patience", "2", "--no-bucketed"),
        *("--accumulate", "2", "--compute-dtype", "bfloat16", "--save-every", "3"),
        *("--log-every", "4", "--evaluate-every", "5", "--on-nonfinite", "skip"),
        *("--strategy", "mirrored", "--devices", "2", f"--{flag}"),
    )
    assert "that was all" in result.stderr

    assert called["function"] == "finetune"
    assert called["resume"] is (flag == "resume")
    assert called["overwrite"] is (flag == "overwrite")
    assert called["settings"] == kbert.FineTuningSettings(
        epochs=2,
        batch_size=8,
        learning_rate=2e-3,
        max_length=20,
        seed=9,
        warmup_fraction=0.2,
        decay="cosine",
        weight_decay=0.2,
        bias_correction=False,
        clip_norm=0.0,
        dropout=0.3,
        layer_decay=0.9,
        freeze_layers=1,
        reinitialize_layers=1,
        keep="last",
        patience=2,
        bucketed=False,
        accumulate=2,
        compute_dtype="bfloat16",
        save_every=3,
        log_every=4,
        evaluate_every=5,
        on_nonfinite="skip",
        strategy="mirrored",
        devices=2,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_without_options_settings_and_tasks_have_their_own_defaults(called, kind):
    run_kbert("finetune", kind, *FILES)

    assert called["settings"] == kbert.FineTuningSettings()
    assert called["task"] == tasks.task_class(kind)()


TABLE = ("--text-column", "a", "--text-pair-column", "b", "--label-column", "c")
TABLE += ("--id-column", "d", "--no-header", "--format", "csv", "--uneven-rows", "cut")
TABLE_FIELDS = {
    "text_column": "a",
    "text_pair_column": "b",
    "label_column": "c",
    "id_column": "d",
    "header": False,
    "format": "csv",
    "uneven_rows": "cut",
}


@pytest.mark.parametrize(
    ("kind", "arguments", "fields"),
    [
        (
            "classify",
            [*TABLE, "--multi-label", "--label-separator", ";"],
            {**TABLE_FIELDS, "multi_label": True, "label_separator": ";"},
        ),
        (
            "classify",
            ["--glue", "sst-2", "--class-weights", "0=2,1=0.5"],
            {"glue": "SST-2", "class_weights": {"0": 2.0, "1": 0.5}},
        ),
        ("classify", ["--class-weights", "balanced"], {"class_weights": "balanced"}),
        ("regress", [*TABLE, "--glue", "STS-B"], {**TABLE_FIELDS, "glue": "STS-B"}),
        (
            "choice",
            [*TABLE, "--ending-columns", "x,y"],
            {**TABLE_FIELDS, "ending_columns": ("x", "y")},
        ),
        ("ner", ["--class-weights", "O=0.2"], {"class_weights": {"O": 0.2}}),
        (
            "ner",
            [
                *("--word-column", "1", "--tag-column", "2", "--text-column", "w"),
                *("--label-column", "t", "--document-column", "d"),
                *("--format", "jsonl", "--scheme", "iobes", "--crf"),
                *("--context", "document", "--stride", "9", "--strip-word-digits"),
            ],
            {
                "word_column": 1,
                "tag_column": 2,
                "text_column": "w",
                "label_column": "t",
                "document_column": "d",
                "format": "jsonl",
                "scheme": "iobes",
                "crf": True,
                "context": "document",
                "stride": 9,
                "strip_word_digits": True,
            },
        ),
        (
            "qa",
            [
                *("--version-1", "--max-answer-length", "9", "--n-best", "3"),
                *("--doc-stride", "7", "--max-query-length", "5", "--skip-bad"),
                *("--null-threshold", "0.5", "--scorer", "cmrc"),
            ],
            {
                "version_2": False,
                "max_answer_length": 9,
                "n_best": 3,
                "doc_stride": 7,
                "max_query_length": 5,
                "skip_bad": True,
                "null_threshold": 0.5,
                "scorer": "cmrc",
            },
        ),
    ],
)
def test_every_option_reaches_the_task(called, kind, arguments, fields):
    result = run_kbert("finetune", kind, *FILES, *arguments)

    assert "that was all" in result.stderr, result.stderr
    assert called["task"] == tasks.task_class(kind)(**fields)


@pytest.mark.parametrize(
    ("train", "arguments", "fields"),
    [
        (
            "eng.train",
            ["--text-column", "1", "--label-column", "3"],
            {"word_column": 1, "tag_column": 3},
        ),
        (
            "a.jsonl",
            ["--text-column", "words", "--label-column", "ner"],
            {"text_column": "words", "label_column": "ner"},
        ),
        (
            "a.jsonl.gz",
            ["--text-column", "1", "--label-column", "2"],
            {"text_column": "1", "label_column": "2"},
        ),
        (
            "a.data",
            ["--text-column", "1", "--format", "jsonl"],
            {"text_column": "1", "format": "jsonl"},
        ),
        (
            "a.jsonl",
            ["--text-column", "1", "--format", "conll"],
            {"word_column": 1, "format": "conll"},
        ),
    ],
)
def test_conll_columns_may_be_given_as_those_of_tables_are(
    called, train, arguments, fields
):
    result = run_kbert("finetune", "ner", "--train", train, "-o", "run", *arguments)

    assert "that was all" in result.stderr, result.stderr
    assert called["task"] == tasks.task_class("ner")(**fields)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_task_and_of_the_settings_has_an_option(kind):
    parameters = {one.name for one in main.commands["finetune"].commands[kind].params}
    task = {one.name for one in dataclasses.fields(tasks.task_class(kind))}
    settings = {one.name for one in dataclasses.fields(kbert.FineTuningSettings)}
    several = {"learning_rate", "batch_size"}

    assert parameters >= (task - {"labels"}) | (settings - several)


@pytest.mark.parametrize(
    ("arguments", "tried"),
    [
        (["--learning-rate", "2e-5,3e-5"], ((2e-5, 3e-5), (32,), 1)),
        (["--batch-size", "8,16", "--seeds", "3"], ((5e-5,), (8, 16), 3)),
        (["--grid"], ((5e-5, 3e-5, 2e-5), (16, 32), 1)),
        (["--grid", "--batch-size", "32"], ((5e-5, 3e-5, 2e-5), (32,), 1)),
        (["--seeds", "5"], ((5e-5,), (32,), 5)),
    ],
)
def test_several_values_are_a_search(called, arguments, tried):
    run_kbert("finetune", "classify", *FILES, *arguments)
    found = called["tried"]

    assert called["function"] == "search"
    assert (found.learning_rates, found.batch_sizes, found.seeds) == tried


def test_a_grid_of_one_cell_is_one_run(called):
    cell = ("--learning-rate", "3e-5", "--batch-size", "16")
    run_kbert("finetune", "classify", *FILES, "--grid", *cell)

    assert called["function"] == "finetune"
    assert called["settings"] == kbert.FineTuningSettings(
        learning_rate=3e-5, batch_size=16
    )


@pytest.mark.parametrize(
    "several", [["--seeds", "2"], ["--grid"], ["--batch-size", "8,16"]]
)
def test_several_runs_need_a_dev_file_which_is_told_at_once(monkeypatch, several):
    slow = "kbert.cli.finetune.import_tensorflow"
    monkeypatch.setattr(slow, lambda: pytest.fail("TensorFlow is imported"))
    files = ("--model", "model", "--train", "train.tsv", "-o", "run")
    result = run_kbert("finetune", "classify", *files, *several)

    assert result.exit_code == 2
    assert "Several runs need --dev" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["classify", "--patience", "2"], "--patience needs --dev"),
        (["classify", "--evaluate-every", "5"], "--evaluate-every needs --dev"),
        (["classify", "--keep", "best"], "--keep best needs --dev"),
        (["qa", "--resume", "--overwrite"], "--resume goes on with what --overwrite"),
        (["qa", "--overwrite", "--resume"], "--resume goes on with what --overwrite"),
        (
            ["ner", "--text-column", "0", "--word-column", "0"],
            "train.tsv: text_column='0' and word_column=0; expected one of them",
        ),
        (
            ["ner", "--label-column", "1", "--tag-column", "1"],
            "train.tsv: label_column='1' and tag_column=1; expected one of them",
        ),
        (
            ["ner", "--label-column", "ner_tags"],
            "train.tsv: label_column='ner_tags'; expected the number of a column",
        ),
    ],
)
def test_options_that_do_not_go_together_are_told_at_once(
    monkeypatch, arguments, message
):
    slow = "kbert.cli.finetune.import_tensorflow"
    monkeypatch.setattr(slow, lambda: pytest.fail("TensorFlow is imported"))
    kind, *arguments = arguments
    result = run_kbert(
        "finetune", kind, "--train", "train.tsv", "-o", "run", *arguments
    )

    # The library says what is wrong with columns.
    assert result.exit_code == (1 if kind == "ner" else 2)
    (line,) = (one for one in result.stderr.splitlines() if one.startswith("Error:"))
    assert message in line


def test_without_a_dev_file_the_last_weights_may_be_asked_for(called):
    for arguments in ([], ["--keep", "last"]):
        run_kbert("finetune", "choice", "--train", "a.csv", "-o", "run", *arguments)

        assert called["dev"] is None
        assert called["settings"].keep == (arguments or ["best"])[-1]


def test_options_of_reading_are_handed_on(monkeypatch):
    seen = []

    def fake(*given, **how):
        seen.append((given, how))
        raise kbert.Stopped("that was all")

    for name in ("evaluate", "predict"):
        monkeypatch.setattr(kbert.finetuning, name, fake)
    options = ("--text-column", "a", "--no-header", "--n-best", "3", "--task", "qa")
    options += ("--max-length", "9", "--batch-size", "5", "--overwrite")
    run_kbert("evaluate", "run", "f.csv", *options)
    run_kbert("predict", "run", "f.csv", "-o", "out", *options)
    (evaluated, how), (predicted, same) = seen

    assert evaluated == ("run", "f.csv")
    assert predicted == ("run", "f.csv", "out")
    assert how.pop("output") is None
    for one in (how, same):
        del one["progress"]
        assert one == {
            "reading": {"text_column": "a", "header": False, "n_best": 3},
            "task": "qa",
            "max_length": 9,
            "batch_size": 5,
            "compute_dtype": "float32",
            "overwrite": True,
        }
