"""kbert/tasks/: every published count of the real tables"""

from collections import Counter

import pytest

from kbert.tasks.choice import MultipleChoice
from kbert.tasks.classification import Classification
from kbert.tasks.regression import Regression

pytestmark = pytest.mark.real_data

# File, options, examples of each class; the counts are those of data/README.md.
CLASSES = {
    "glue/CoLA/train.tsv": ({"glue": "CoLA"}, {"1": 6023, "0": 8551 - 6023}),
    "glue/CoLA/dev.tsv": ({"glue": "CoLA"}, {"1": 721, "0": 1043 - 721}),
    "glue/SST-2/train.tsv": ({"glue": "SST-2"}, {"1": 37569, "0": 67349 - 37569}),
    "glue/SST-2/dev.tsv": ({"glue": "SST-2"}, {"1": 444, "0": 872 - 444}),
    "glue/SST-2/test.labelled.tsv": (
        {"glue": "SST-2", "text_column": "content"},
        {"1": 909, "0": 1821 - 909},
    ),
    "glue/MRPC/train.tsv": ({"glue": "MRPC"}, {"1": 2474, "0": 3668 - 2474}),
    "glue/MRPC/dev.tsv": ({"glue": "MRPC"}, {"1": 279, "0": 408 - 279}),
    "glue/MRPC/msr_paraphrase_test.txt": (
        {"glue": "MRPC"},
        {"1": 1147, "0": 1725 - 1147},
    ),
    "glue/RTE/train.tsv": (
        {"glue": "RTE"},
        {"entailment": 1249, "not_entailment": 2490 - 1249},
    ),
    "glue/RTE/dev.tsv": (
        {"glue": "RTE"},
        {"entailment": 146, "not_entailment": 277 - 146},
    ),
    # The majority of dev is 56.3 %: 40 of 71.
    "glue/WNLI/dev.tsv": ({"glue": "WNLI"}, {"0": 40, "1": 31}),
    "chnsenticorp/train.tsv": (
        {"text_column": "text_a"},
        {"1": 4799, "0": 9600 - 4799},
    ),
    "chnsenticorp/dev.tsv": ({"text_column": "text_a"}, {"1": 593, "0": 1200 - 593}),
    "chnsenticorp/test.tsv": ({"text_column": "text_a"}, {"1": 608, "0": 1200 - 608}),
}


@pytest.mark.parametrize("name", CLASSES)
def test_classes_of_a_real_table_are_as_many_as_published(name, shared):
    options, expected = CLASSES[name]
    task = Classification(**options)
    examples = task.read(str(shared / "data" / name))

    assert Counter(example.label for example in examples) == expected
    assert set(task.fitted(examples).labels) == set(expected)


def test_wnli_has_as_many_pairs_to_train_as_published(shared):
    examples = Classification(glue="WNLI").read(
        str(shared / "data" / "glue" / "WNLI" / "train.tsv")
    )

    assert len(examples) == 635


def test_the_test_file_of_mrpc_has_the_texts_of_the_labelled_one(shared):
    task, folder = Classification(glue="MRPC"), shared / "data" / "glue" / "MRPC"
    blind = task.read(str(folder / "test.tsv"), gold=False)
    labelled = task.read(str(folder / "msr_paraphrase_test.txt"))

    assert [one.id for one in blind] == [str(number) for number in range(1725)]
    for one, two in zip(blind, labelled, strict=True):
        assert (one.text, one.text_pair) == (two.text, two.text_pair)


@pytest.mark.parametrize(
    ("name", "pairs"), [("train", 5749), ("dev", 1500), ("test", 1379)]
)
def test_scores_of_the_sts_benchmark_are_as_many_as_published(name, pairs, shared):
    path = str(shared / "data" / "stsbenchmark" / f"sts-{name}.csv")
    examples = Regression(glue="STS-B").read(path)
    columns = {"label_column": "4", "text_column": "5", "text_pair_column": "6"}
    table = Regression(header=False, format="tsv", uneven_rows="cut", **columns)

    assert len(examples) == pairs
    assert {0.0, 5.0} <= {one.label for one in examples}
    assert all(0 <= one.label <= 5 for one in examples)
    assert table.read(path) == examples


@pytest.mark.parametrize(
    ("name", "questions"),
    [
        ("full_data", 2776),
        ("fold_0.train", 1665),
        ("fold_0.dev", 556),
        ("fold_0.test", 555),
    ],
)
def test_questions_of_codah_are_as_many_as_published(name, questions, shared):
    examples = MultipleChoice().read(str(shared / "data" / "codah" / f"{name}.tsv"))

    assert len(examples) == questions
    assert {len(one.endings) for one in examples} == {4}
    assert {one.label for one in examples} == {0, 1, 2, 3}
