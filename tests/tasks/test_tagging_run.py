"""kbert/tasks/tagging in whole runs: trained, stored, scored, predicted"""

import json

import finetuning_runs as runs
import numpy as np
import pytest

import kbert
from kbert.readers import read_items
from kbert.tasks.tagging import Tagging


def write_sentences(path, sentences, *, seed):
    """Words of random letters; z begins an X, y goes on with it; some are too long."""
    random = np.random.default_rng(seed)
    parts = [["a O"], ["b O"], ["z B-X"], ["z B-X", "y I-X"], ["z B-X", *["y I-X"] * 2]]
    lines = []
    for _ in range(sentences):
        for part in random.integers(len(parts), size=random.integers(2, 20)):
            lines += parts[part]
        lines.append("")
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tagging")
    runs.make_model(folder / "model")
    write_sentences(folder / "train.conll", 200, seed=1)
    write_sentences(folder / "dev.conll", 40, seed=2)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("crf", [False, True])
def test_a_run_learns_to_tag_and_its_model_tags_again(folder, crf):
    run, dev = folder / f"run_{crf}", folder / "dev.conll"
    kbert.finetune(
        Tagging(crf=crf),
        folder / "model",
        train=folder / "train.conll",
        dev=dev,
        output=run,
        settings=runs.settings(epochs=3, batch_size=8, dropout=0.0, save_every=100),
    )
    figures = kbert.evaluate(run, str(dev), output=folder / f"scored_{crf}").figures
    kbert.predict(run, str(dev), folder / f"out_{crf}.conll")
    words = [item.words for item in read_items([str(dev)])]
    found = list(read_items([str(folder / f"out_{crf}.conll")]))
    bert = kbert.load(run / "model")

    assert figures["f1"] > 0.9
    assert [item.words for item in found] == words
    report = (folder / f"scored_{crf}" / "conlleval.txt").read_text("utf-8")
    assert f"{100 * figures['f1']:6.2f}" in report
    assert json.loads((run / "metrics.json").read_text("utf-8"))["dev"]["f1"] == (
        pytest.approx(figures["f1"])
    )
    assert bert.labels == ("O", "B-X", "I-X")
    assert ("crf" in bert.heads) is crf
    if crf:  # rows: O, B-X, I-X, nothing before; columns: after, nothing after
        expected = [[1, 1, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 1]]
        assert np.asarray(bert.heads["crf"].allowed).tolist() == expected
        assert np.abs(bert.heads["crf"].transitions).max() > 0
