"""cli/finetune.py, cli/evaluate.py and cli/predict.py"""

import dataclasses
import json
import shutil
from pathlib import Path

import finetuning_runs as runs
import pytest
from click.testing import CliRunner

import kbert
import kbert.finetuning
from kbert import tasks
from kbert.cli.main import main
from kbert.training.curves import can_draw

KINDS = ("classify", "regress", "ner", "qa", "choice")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    runs.make_model(folder / "model")
    runs.write_table(folder / "train.tsv", 11, seed=3)
    runs.write_table(folder / "dev.tsv", 9, seed=2)
    return folder


@pytest.fixture
def kbert_in(made, tmp_path, monkeypatch):
    """Runs `kbert`, in a folder of its own."""
    from kbert.finetuning import job

    monkeypatch.setattr(job, "can_draw", lambda: False)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return lambda *arguments: CliRunner().invoke(main, arguments)


FILES = ("--model", "model", "--train", "train.tsv", "--dev", "dev.tsv", "-o", "run")
SMALL = ("--epochs", "1", "--batch-size", "4", "--learning-rate", "0.01")
PLOTS = "pip install 'kbert[plots]' draws it."


def errors(result):
    return [one for one in result.stderr.splitlines() if one.startswith("Error:")]


def test_a_file_becomes_a_model_that_is_scored_and_used(kbert_in, tmp_path):
    result = kbert_in("finetune", "classify", *FILES, *SMALL, "--seed", "3")

    assert result.exit_code == 0, result.stderr
    names = [line.partition("\t")[0] for line in result.stdout.splitlines()]
    assert names == ["accuracy", "f1", "matthews"]
    assert result.stderr.splitlines()[-1] == "run/model: done, weights of step 3"
    metrics = json.loads(Path("run/metrics.json").read_text())
    assert f"accuracy\t{metrics['dev']['accuracy']:.4f}" in result.stdout
    assert kbert.load("run/model").labels == ("no", "yes")

    scored = kbert_in("evaluate", "run", "dev.tsv", "-o", "scored")
    assert (scored.exit_code, scored.stdout) == (0, result.stdout)
    hints = [] if can_draw() else [f"no confusion_matrix.png: {PLOTS}"]
    assert scored.stderr.splitlines() == [*hints, "dev.tsv: 9 examples"]
    assert Path("scored/predictions.tsv").is_file()

    used = kbert_in("predict", "run", "dev.tsv", "-o", "out.tsv")
    assert (used.exit_code, used.stdout) == (0, "")
    assert used.stderr == "out.tsv: 9 examples\n"
    assert len(Path("out.tsv").read_text().splitlines()) == 10


def test_a_run_is_taken_resumed_or_refused(kbert_in):
    assert kbert_in("finetune", "classify", *FILES, *SMALL).exit_code == 0
    again = kbert_in("finetune", "classify", *FILES, *SMALL)
    assert again.exit_code == 1
    assert errors(again) == [
        "Error: run: holds a run. Go on with --resume, or replace it with --overwrite "
        "(resume=True, overwrite=True in Python)."
    ]
    other = kbert_in("finetune", "classify", *FILES, *SMALL, "--resume", "--seed", "4")
    assert "made with other settings: seed was 0 and is now 4" in other.stderr
    same = kbert_in("finetune", "classify", *FILES, *SMALL, "--resume")
    assert same.exit_code == 0


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


def test_a_run_that_fails_does_not_talk_of_curves(kbert_in, called, no_matplotlib):
    result = kbert_in("finetune", "classify", *FILES)

    assert result.stderr == "Error: that was all\n"


@pytest.mark.parametrize("flag", ["resume", "overwrite"])
def test_every_option_reaches_the_settings(kbert_in, called, flag):
    result = kbert_in(
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
def test_without_options_settings_and_tasks_have_their_own_defaults(
    kbert_in, called, kind
):
    kbert_in("finetune", kind, *FILES)

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
        (
            "ner",
            [
                *("--word-column", "1", "--tag-column", "2", "--text-column", "w"),
                *("--document-column", "d"),
                *("--format", "jsonl", "--scheme", "iobes", "--crf"),
                *("--context", "document", "--stride", "9", "--strip-word-digits"),
            ],
            {
                "word_column": 1,
                "tag_column": 2,
                "text_column": "w",
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
def test_every_option_reaches_the_task(kbert_in, called, kind, arguments, fields):
    result = kbert_in("finetune", kind, *FILES, *arguments)

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
        ("a.conll", ["--text-column", "words"], {"text_column": "words"}),
        ("a.jsonl.gz", ["--text-column", "1"], {"text_column": "1"}),
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
    kbert_in, called, train, arguments, fields
):
    result = kbert_in("finetune", "ner", "--train", train, "-o", "run", *arguments)

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
def test_several_values_are_a_search(kbert_in, called, arguments, tried):
    kbert_in("finetune", "classify", *FILES, *arguments)
    found = called["tried"]

    assert called["function"] == "search"
    assert (found.learning_rates, found.batch_sizes, found.seeds) == tried


def test_a_grid_of_one_cell_is_one_run(kbert_in, called):
    cell = ("--learning-rate", "3e-5", "--batch-size", "16")
    kbert_in("finetune", "classify", *FILES, "--grid", *cell)

    assert called["function"] == "finetune"
    assert called["settings"] == kbert.FineTuningSettings(
        learning_rate=3e-5, batch_size=16
    )


def test_seeds_show_mean_and_deviation(kbert_in, no_matplotlib):
    arguments = ("--epochs", "1", "--batch-size", "4", "--seeds", "2")
    result = kbert_in("finetune", "classify", *FILES, *arguments)
    metrics = json.loads(Path("run/metrics.json").read_text())

    assert result.exit_code == 0, result.stderr
    mean, deviation = metrics["mean"], metrics["standard_deviation"]
    assert result.stdout.splitlines()[0] == (
        f"accuracy\t{mean['accuracy']:.4f}\t± {deviation['accuracy']:.4f}"
    )
    for seed, run in enumerate(metrics["runs"]):
        line = f"run/runs/rate-5e-05_batch-4_seed-{seed}: accuracy "
        assert f"{line}{run['dev']['accuracy']:.4f}" in result.stderr.splitlines()
    hint, last = result.stderr.splitlines()[-2:]
    assert hint == f"no curves.png: {PLOTS}"
    assert last.startswith("run/model: done")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--batch-size", "0"], 2, "0 is not in the range x>=1"),
        (["--learning-rate", "fast"], 2, "'fast' is not a valid float"),
        (["--learning-rate", "-1"], 1, "learning_rate=-1.0; expected a number above"),
        (["--class-weights", "yes"], 2, "'yes' is no label with its weight"),
        (["--glue", "STS-B"], 2, "STS-B"),
        (["--dev", "nowhere.tsv"], 1, "nowhere.tsv"),
        (["--model", "nowhere"], 1, "nowhere"),
        (["--max-length", "99"], 1, "model: max_length=99; expected at most"),
        (["--label-column", "gold"], 1, "gold"),
        (["--epochs", "1.5"], 2, "1.5"),
    ],
)
def test_bad_settings_are_one_line_and_leave_nothing(
    kbert_in, arguments, code, message
):
    result = kbert_in("finetune", "classify", *FILES, *arguments)

    assert result.exit_code == code
    (line,) = errors(result)
    assert message in line
    assert "Traceback" not in result.stderr
    assert not Path("run").exists()


@pytest.mark.parametrize(
    "several", [["--seeds", "2"], ["--grid"], ["--batch-size", "8,16"]]
)
def test_several_runs_need_a_dev_file_which_is_told_at_once(
    kbert_in, monkeypatch, several
):
    slow = "kbert.cli.finetune.import_tensorflow"
    monkeypatch.setattr(slow, lambda: pytest.fail("TensorFlow is imported"))
    files = ("--model", "model", "--train", "train.tsv", "-o", "run")
    result = kbert_in("finetune", "classify", *files, *several)

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
            "--text-column and --word-column are one",
        ),
    ],
)
def test_options_that_do_not_go_together_are_told_at_once(
    kbert_in, monkeypatch, arguments, message
):
    slow = "kbert.cli.finetune.import_tensorflow"
    monkeypatch.setattr(slow, lambda: pytest.fail("TensorFlow is imported"))
    kind, *arguments = arguments
    result = kbert_in("finetune", kind, "--train", "train.tsv", "-o", "run", *arguments)

    assert result.exit_code == 2
    (line,) = errors(result)
    assert message in line


def test_without_a_dev_file_the_last_weights_may_be_asked_for(kbert_in, called):
    for arguments in ([], ["--keep", "last"]):
        kbert_in("finetune", "choice", "--train", "a.csv", "-o", "run", *arguments)

        assert called["dev"] is None
        assert called["settings"].keep == (arguments or ["best"])[-1]


def test_options_of_reading_are_handed_on(kbert_in, monkeypatch):
    seen = []

    def fake(*given, **how):
        seen.append((given, how))
        raise kbert.Stopped("that was all")

    for name in ("evaluate", "predict"):
        monkeypatch.setattr(kbert.finetuning, name, fake)
    options = ("--text-column", "a", "--no-header", "--skip-bad", "--task", "qa")
    options += ("--max-length", "9", "--batch-size", "5", "--overwrite")
    kbert_in("evaluate", "run", "f.csv", *options)
    kbert_in("predict", "run", "f.csv", "-o", "out", *options)
    (evaluated, how), (predicted, same) = seen

    assert evaluated == ("run", "f.csv")
    assert predicted == ("run", "f.csv", "out")
    assert how.pop("output") is None
    for one in (how, same):
        del one["progress"]
        assert one == {
            "reading": {"text_column": "a", "header": False, "skip_bad": True},
            "task": "qa",
            "max_length": 9,
            "batch_size": 5,
            "compute_dtype": "float32",
            "overwrite": True,
        }


def test_a_model_without_a_task_is_one_line(kbert_in):
    for command in (["evaluate"], ["predict", "-o", "out.tsv"]):
        result = kbert_in(*command, "model", "dev.tsv")

        assert result.exit_code == 1
        (line,) = errors(result)
        assert line.startswith("Error: model: the model says of no task")
    assert not Path("out.tsv").exists()
