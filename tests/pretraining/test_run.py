"""kbert/pretraining/run.py"""

import json

import numpy as np
import pretraining_runs as runs
import pytest
from pretraining_records import static_record, write_shards

import kbert
from kbert import (
    ConfigError,
    KbertError,
    MaskingSettings,
    OutputError,
    PretrainingData,
)
from kbert.model import model_variables
from kbert.objective import build_pretraining_model
from kbert.pretraining import Phase, evaluation_dataset
from kbert.training.curves import can_draw

BOTH = (Phase(runs.LENGTH, 0.5), Phase(runs.OTHER_LENGTH, 0.5))
SETTINGS = runs.settings(
    steps=8,
    batch_size=6,
    phases=BOTH,
    log_every=2,
    save_every=4,
    evaluate_every=4,
    masking=MaskingSettings(mask_rate=0.3),
)


@pytest.fixture(scope="module")
def finished(made, tmp_path_factory):
    """Two phases of pairs: the data, the folder, the model, and what progress saw."""
    data, run = made(), tmp_path_factory.mktemp("finished") / "run"
    seen = []
    bert = kbert.pretrain(
        data,
        run,
        config=runs.config(),
        settings=SETTINGS,
        progress=lambda *what: seen.append(what),
    )
    return data, run, bert, seen


def test_the_log_has_a_line_for_every_interval_and_phase(finished):
    lines = runs.read_lines(finished[1])

    assert [line["step"] for line in lines] == [2, 4, 6, 8]
    assert [line["length"] for line in lines] == [16, 16, 24, 24]
    # Warm-up of 2 steps to 0.01, then down to 0 at step 8: the rate of the next step.
    rates = [0.01, 0.01 * 4 / 6, 0.01 * 2 / 6, 0]
    assert [line["learning_rate"] for line in lines] == pytest.approx(rates, abs=1e-9)
    for line in lines:
        assert 0 < line["masked_lm_loss"] < 5
        assert 0 <= line["masked_lm_accuracy"] <= 1
        assert line["masked_lm_perplexity"] == pytest.approx(
            np.exp(line["masked_lm_loss"])
        )
        assert 0 < line["next_sentence_loss"] < 2
        # Two steps of six pairs.
        assert line["next_sentence_accuracy"] * 12 == pytest.approx(
            round(line["next_sentence_accuracy"] * 12)
        )
    evaluated = [line["step"] for line in lines if "evaluation_masked_lm_loss" in line]
    assert evaluated == [4, 8]


def test_progress_is_told_of_every_step(finished):
    steps, tokens, means = zip(*finished[3], strict=True)

    assert steps == tuple(range(1, 9))
    assert tokens == (6 * 16,) * 4 + (6 * 24,) * 4
    assert all("masked_lm_loss" in one for one in means)


# With batches of one record nothing can be counted twice or left out.
def test_the_last_evaluation_counts_every_held_out_record_once(finished):
    data, run, bert, _ = finished
    rows = PretrainingData.open(data)
    records = sum(one.records for one in rows.shards(runs.OTHER_LENGTH, "evaluation"))
    assert records % SETTINGS.batch_size  # the last batch is not full
    batches = evaluation_dataset(
        rows,
        length=runs.OTHER_LENGTH,
        batch_size=1,
        masking=SETTINGS.masking,
        seed=SETTINGS.seed,
    )
    model = build_pretraining_model(bert)
    model.compile("sgd", jit_compile=False)
    figures = model.evaluate(batches, steps=records, verbose=0, return_dict=True)
    line = runs.read_lines(run)[-1]

    for name in model.means:
        assert line[f"evaluation_{name}"] == pytest.approx(figures[name], rel=1e-5)


def test_the_model_folder_is_the_model_in_memory(finished):
    _, run, bert, _ = finished
    copy = kbert.load(run / "model")
    inputs = bert.tokenizer(["a b c.", "x y z q"])

    assert set(copy.heads) == {"masked_lm", "next_sentence"}
    for name, values in copy.encoder(inputs).items():
        if name != "hidden_states":
            np.testing.assert_array_equal(values, bert.encoder(inputs)[name])
    ours, theirs = model_variables(bert), model_variables(copy)
    assert ours.keys() == theirs.keys()
    for path, variable in ours.items():
        np.testing.assert_array_equal(variable.numpy(), theirs[path].numpy())


def test_training_json_tells_settings_and_figures(finished):
    _, run, _, _ = finished
    training = json.loads((run / "model" / "training.json").read_text())
    last = runs.read_lines(run)[-1]

    assert training["settings"]["learning_rate"] == 0.01
    assert training["settings"]["masking"]["mask_rate"] == 0.3
    assert training["metrics"] == last
    assert "tensorflow" in training["versions"]


def test_the_dropout_of_pretraining_stays_out_of_the_config(finished):
    _, run, bert, _ = finished
    copy = kbert.load(run / "model")

    assert copy.config.dropout == bert.config.dropout == 0.1
    assert json.loads((run / "run.json").read_text())["settings"]["dropout"] == 0.3
    assert copy.encoder.get_layer("layer_1").options["dropout"] == 0.1


def test_the_newest_checkpoints_stay_and_nothing_else(finished):
    _, run, _, _ = finished

    assert runs.checkpoint_names(run) == ["step-00000004", "step-00000008"]
    assert {path.name for path in run.iterdir()} - {"curves.png"} == {
        "checkpoints",
        "log.jsonl",
        "model",
        "run.json",
        "tensorboard",
    }


@pytest.mark.plots
def test_curves_are_drawn(finished):
    assert (finished[1] / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_does_not_overwrite_another_unless_told(finished, unlabelled, tmp_path):
    _, run, _, _ = finished
    for folder, what in ((run, "holds a run. Go on with --resume, or"), (tmp_path, "")):
        (tmp_path / "mine.txt").write_text("mine")
        with pytest.raises(OutputError, match=what or "'mine.txt', and no run. Choose"):
            kbert.pretrain(
                unlabelled, folder, config=runs.config(), settings=runs.settings()
            )
    assert (tmp_path / "mine.txt").exists()

    settings = runs.settings(steps=1, evaluate_every=1)
    kbert.pretrain(
        unlabelled, tmp_path, config=runs.config(), settings=settings, overwrite=True
    )
    assert not (tmp_path / "mine.txt").exists()
    assert len(runs.read_lines(tmp_path)) == 1


def trained_weights(run):
    bert = kbert.load(run / "model")
    return {path: one.numpy() for path, one in model_variables(bert).items()}


OPTIMIZERS = [("adamw", 1e-5), pytest.param("lamb", 1e-3, marks=pytest.mark.slow)]


# Without dropout, whose masks would be others, both see the same rows and masks. The
# first steps of LAMB are the signs of gradients, also of those that are mere rounding.
@pytest.mark.parametrize(("optimizer", "bound"), OPTIMIZERS)
def test_an_accumulated_batch_is_the_whole_one(unlabelled, tmp_path, optimizer, bound):
    for number in (1, 2):
        settings = runs.settings(
            steps=3,
            optimizer=optimizer,
            accumulate=number,
            dropout=0.0,
            clip_norm=0.0 if optimizer == "lamb" else 1.0,
        )
        kbert.pretrain(
            unlabelled,
            tmp_path / str(number),
            config=runs.config(),
            settings=settings,
        )
    whole, parts = (runs.read_lines(tmp_path / name) for name in "12")

    assert [line["step"] for line in parts] == [2, 3]
    for one, other in zip(whole, parts, strict=True):
        assert other == pytest.approx(one, rel=10 * bound)
    weights = trained_weights(tmp_path / "2")
    for path, values in trained_weights(tmp_path / "1").items():
        np.testing.assert_allclose(weights[path], values, atol=bound, err_msg=path)


@pytest.fixture
def googles(tmp_path):
    """A folder as Google's own script leaves it, and a vocabulary."""
    folder = tmp_path / "google"
    folder.mkdir()
    write_shards(folder, "part", [static_record(number) for number in range(6)], [4, 2])
    return folder


def test_records_of_google_s_schema_are_trained_on(googles, tmp_path):
    bert = kbert.pretrain(
        googles,
        tmp_path / "run",
        config=runs.config(),
        settings=runs.settings(steps=2, phases=()),
    )
    (line,) = runs.read_lines(tmp_path / "run")

    assert bert.tokenizer is None
    assert bert.training["settings"]["masking"] is None
    # With nothing held out there are curves all the same.
    assert (tmp_path / "run" / "curves.png").exists() == can_draw()
    assert line["next_sentence_loss"] > 0
    # All six hidden ids are 10: with one slot of three used, 8 predictions in 2 steps.
    assert line["masked_lm_accuracy"] * 8 == pytest.approx(
        round(line["masked_lm_accuracy"] * 8)
    )


@pytest.mark.slow
def test_swapped_sentences_are_trained_on(made, tmp_path):
    settings = runs.settings(steps=1, evaluate_every=1)
    kbert.pretrain(
        made(objective="sop"), tmp_path, config=runs.config(), settings=settings
    )
    (line,) = runs.read_lines(tmp_path)

    assert {"next_sentence_loss", "evaluation_next_sentence_accuracy"} <= set(line)


@pytest.mark.slow
def test_a_model_is_trained_on_also_in_more_words(finished, made, tmp_path):
    tokens = [*runs.TOKENS, "ab", "##c"]
    settings = runs.settings(steps=1, learning_rate=1e-6, warmup_steps=0, dropout=None)
    source = finished[1] / "model"
    bert = kbert.pretrain(
        made(objective="none", tokens=tokens),
        tmp_path,
        config=source,
        settings=settings,
    )
    before, after = trained_weights(finished[1]), trained_weights(tmp_path)

    assert bert.config.vocabulary_size == len(tokens)
    assert set(bert.heads) == {"masked_lm"}
    assert after["embeddings/token"].shape == (len(tokens), 8)
    # One step of so small a rate moves no number by more than about the rate.
    for path in ("embeddings/token", "layer_1/intermediate/kernel"):
        old = before[path]
        np.testing.assert_allclose(after[path][: len(old)], old, atol=1e-5)


@pytest.mark.slow
def test_a_run_begins_with_the_seed(unlabelled, whole_run, tmp_path):
    settings = runs.settings(seed=6, steps=2)
    kbert.pretrain(unlabelled, tmp_path, config=runs.config(), settings=settings)

    assert runs.read_lines(tmp_path)[0] != runs.read_lines(whole_run)[0]


@pytest.mark.parametrize(
    ("changes", "config", "message"),
    [
        ({"phases": (Phase(20, 1.0),)}, {}, "no rows of 20 tokens; expected one of"),
        (
            {},
            {"max_sequence_length": 12},
            "rows of 16 tokens; expected at most",
        ),
        ({"streams": 3, "batch_size": 6}, {}, "streams=3 with 2 shards of length 16"),
        ({"streams": 2, "batch_size": 3}, {}, "streams=2 on 1 hosts with 3 rows"),
        ({"dropout": 1.0}, {}, r"dropout=1.0; expected a fraction in \[0, 1\)"),
        ({}, {"vocabulary_size": 30}, "vocabulary_size=30; expected 32, as in .*data"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    unlabelled, tmp_path, changes, config, message
):
    config = {**runs.config().to_dict(), **config}
    with pytest.raises(ConfigError, match=message):
        kbert.pretrain(
            unlabelled,
            tmp_path / "run",
            config=kbert.BertConfig.from_dict(config),
            settings=runs.settings(**changes),
        )

    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": "mimi"}, "mimi"),
        ({"config": runs.config(max_sequence_length=12)}, "rows of 16 tokens"),
        ({"settings": runs.settings(dropout=1.0)}, "dropout=1.0"),
    ],
)
def test_a_run_is_replaced_only_by_one_that_can_be(
    unlabelled, whole_run, changes, message
):
    before = runs.digests(whole_run)
    given = {"config": runs.config(), "settings": runs.settings(), **changes}
    with pytest.raises(KbertError, match=message):
        kbert.pretrain(unlabelled, whole_run, **given, overwrite=True)

    assert runs.digests(whole_run) == before


def test_what_a_run_reads_is_not_replaced(unlabelled, whole_run):
    before = runs.digests(whole_run)
    for data, config in (
        (unlabelled, whole_run / "model"),
        (whole_run, runs.config()),
    ):
        with pytest.raises(OutputError, match="is read, and --overwrite"):
            kbert.pretrain(
                data,
                whole_run,
                config=config,
                settings=runs.settings(),
                overwrite=True,
            )

    assert runs.digests(whole_run) == before


def test_where_masks_are_given_no_others_are_asked_for(googles, tmp_path):
    settings = runs.settings(phases=(), masking=MaskingSettings(mask_rate=0.3))
    with pytest.raises(ConfigError, match="hold their masks, so no others"):
        kbert.pretrain(
            googles, tmp_path / "run", config=runs.config(), settings=settings
        )

    assert not (tmp_path / "run").exists()
