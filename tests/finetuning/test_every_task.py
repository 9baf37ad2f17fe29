"""kbert/finetuning with every kind of task: trained, scored and used on toy files"""

import json

import finetuning_runs as runs
import numpy as np
import pytest

import kbert
from kbert.tasks.choice import MultipleChoice
from kbert.tasks.classification import Classification
from kbert.tasks.regression import Regression
from kbert.tasks.squad import QuestionAnswering
from kbert.tasks.tagging import Tagging

pytestmark = pytest.mark.slow  # a minute in all

TRAIN, DEV = range(100, 180), range(20, 31)  # numbers of examples
# A hundred steps, looked at once: so much that not all examples get the same answer.
SETTINGS = runs.settings(
    epochs=10,
    batch_size=8,
    learning_rate=0.003,
    dropout=0.0,
    log_every=100,
    evaluate_every=100,
    save_every=None,
)


def letters_of(number):
    """Two to nine letters, the same for the same number."""
    random = np.random.default_rng(number)
    return [str(one) for one in random.choice([*"abcdwxyz"], random.integers(2, 10))]


def table(label):
    """Writes a table of texts, with labels if they are asked for."""

    def write(path, numbers, *, gold):
        rows = [["text", "label"]]
        for number in numbers:
            letters = letters_of(number)
            rows.append([" ".join(letters), label(letters)])
        lines = ["\t".join(row if gold else row[:1]) for row in rows]
        path.write_text("\n".join(lines) + "\n")

    return write


def write_choices(path, numbers, *, gold):
    lines = []
    for number in numbers:
        prompt, *rest = letters_of(number)
        row = {"prompt": prompt, "endings": [rest[0], "x y", " ".join(rest)]}
        lines.append(json.dumps({**row, "label": number % 3} if gold else row))
    path.write_text("\n".join(lines) + "\n")


def write_sentences(path, numbers, *, gold):
    lines = []
    for number in numbers:
        for letter in letters_of(number):
            tag = "B-END" if letter in "xyz" else "O"
            lines.append(f"{letter} {tag}" if gold else letter)
        lines.append("")
    path.write_text("\n".join(lines))


def write_questions(path, numbers, *, gold):
    paragraphs = []
    for number in numbers:
        letters = letters_of(number)
        question = {"id": str(number), "question": letters[1]}
        if gold:
            question["answers"] = [{"text": letters[1], "answer_start": 2}]
        paragraphs.append({"context": " ".join(letters), "qas": [question]})
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))


def write_glue(path, numbers, *, gold):
    """As the official files of RTE."""
    rows = [["index", "sentence1", "sentence2", "label" if gold else None]]
    for number in numbers:
        first, *rest = letters_of(number)
        label = ("not_entailment", "entailment")["z" in rest] if gold else None
        rows.append([str(number), first, " ".join(rest), label])
    lines = ["\t".join(filter(None, row)) for row in rows]
    path.write_text("\n".join(lines) + "\n")


def z_is_there(letters):
    return "1" if "z" in letters else "0"


def labels_of(letters):
    return "|".join(sorted({*letters} & {*"abc"}))


def answers(folder):
    """What was said of each example, and its numbers, in the order of the file."""
    (path,) = folder.glob("predictions.*")
    content = path.read_text("utf-8")
    if path.suffix == ".json":
        said = list(json.loads(content).items())
        return said, np.zeros((len(said), 0))
    if path.suffix == ".conll":
        said = [
            [(row[0], row.split()[-1]) for row in sentence.split("\n")]
            for sentence in content.strip().split("\n\n")
        ]
        return said, np.zeros((len(said), 0))
    names, *rows = [line.split("\t") for line in content.splitlines()]
    first = names.index("prediction" if "prediction" in names else "label")
    start = first + (names[first] == "label")
    numbers = np.array([row[start:] for row in rows], float)
    return [row[first:start] for row in rows], numbers


def go_through(folder, task, write, ending, toy):
    """Train, score, and predict the held-out file the other way round."""
    train, dev, new = (folder / f"{one}.{ending}" for one in ("train", "dev", "new"))
    write(train, TRAIN, gold=True)
    write(dev, DEV, gold=True)
    write(new, reversed(DEV), gold=False)
    done = kbert.finetune(
        task,
        toy / "model",
        train=train,
        dev=dev,
        output=folder / "run",
        settings=SETTINGS,
    )
    scored = kbert.evaluate(done.path, dev)
    count = kbert.predict(done.path, new, folder / "out")

    assert scored.figures == pytest.approx(done.metrics["dev"], abs=1e-5)
    assert scored.examples == count == len(DEV)
    return done


def assert_same_backwards(folder, other):
    (said, numbers), (theirs, others) = answers(folder), answers(other)

    assert said == theirs[::-1]
    np.testing.assert_allclose(numbers, others[::-1], atol=1e-5)
    assert len({(str(one), *row) for one, row in zip(said, numbers, strict=True)}) > 5


CASES = {
    "regress": (Regression(), table(z_is_there), "tsv"),
    "choice": (MultipleChoice(), write_choices, "jsonl"),
    "many labels": (Classification(multi_label=True), table(labels_of), "tsv"),
    "ner": (Tagging(), write_sentences, "conll"),
    "qa": (QuestionAnswering(), write_questions, "json"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_model_says_what_its_run_said_of_each_example_in_order(name, toy, tmp_path):
    done = go_through(tmp_path, *CASES[name], toy)

    assert_same_backwards(tmp_path / "out", done.path / "dev")


def test_a_test_file_of_glue_is_answered_as_its_server_takes_it(toy, tmp_path):
    task = Classification(glue="RTE", class_weights="balanced")
    done = go_through(tmp_path, task, write_glue, "tsv", toy)
    assert_same_backwards(tmp_path / "out", done.path / "dev")
    header, *rows = (tmp_path / "out" / "RTE.tsv").read_text().splitlines()
    (said, _) = answers(done.path / "dev")

    assert header == "index\tprediction"
    assert {label for (label,) in said} == {"entailment", "not_entailment"}
    expected = [
        f"{number}\t{label}" for number, (label,) in zip(DEV, said, strict=True)
    ]
    assert rows == expected[::-1]
