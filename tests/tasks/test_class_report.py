"""kbert/tasks/class_report.py"""

import numpy as np
import pytest

from kbert.errors import KbertWarning
from kbert.tasks import class_report
from kbert.tasks.class_report import draw_confusion_matrix, write_class_report

GOLD, GUESSES = np.array([0, 1, 2, 2]), np.array([0, 2, 2, 2])


def test_the_table_has_the_figures_of_each_class(tmp_path):
    write_class_report(tmp_path, GOLD, GUESSES, labels=["a", "b", "c"])

    assert (tmp_path / "classes.tsv").read_text() == (
        "label\tprecision\trecall\tf1\tsupport\n"
        "a\t1\t1\t1\t1\n"
        "b\t0\t0\t0\t1\n"
        "c\t0.666667\t1\t0.8\t2\n"
    )


@pytest.mark.plots
def test_the_confusion_matrix_is_a_png(tmp_path):
    write_class_report(tmp_path, GOLD, GUESSES, labels=["a", "b", "中文"])

    content = (tmp_path / "confusion_matrix.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 1000


@pytest.mark.plots
@pytest.mark.parametrize("classes", [2, 21, 61])
def test_a_matrix_of_any_number_of_classes_can_be_drawn(classes, tmp_path):
    counts = np.eye(classes, dtype=int)
    counts[0] = 0  # a class that never occurs
    draw_confusion_matrix(counts, [str(one) for one in range(classes)], tmp_path / "a")

    assert (tmp_path / "a").read_bytes().startswith(b"\x89PNG")


@pytest.mark.plots
def test_labels_of_dollars_are_drawn_and_are_no_formulas(tmp_path):
    labels = ["$$", "$", "$$$$", r"$\x$"]  # price classes; Yelp has such
    write_class_report(tmp_path, np.arange(4), np.arange(4), labels=labels)

    assert (tmp_path / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")


def test_label_sets_have_a_table_and_no_matrix(tmp_path):
    gold = np.array([[1, 0], [1, 1]], bool)
    write_class_report(tmp_path, gold, gold, labels=["a", "b"])

    assert [path.name for path in tmp_path.iterdir()] == ["classes.tsv"]


def test_what_brings_matplotlib_is_said_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(class_report, "can_draw", lambda: False)
    with pytest.warns(KbertWarning, match=r"^no confusion_matrix\.png.*kbert\[plots\]"):
        write_class_report(tmp_path, GOLD, GUESSES, labels=["a", "b", "c"])

    assert (tmp_path / "classes.tsv").is_file()
