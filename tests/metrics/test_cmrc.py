"""kbert/metrics/cmrc.py"""

import pytest

from kbert.metrics.cmrc import cmrc_exact, cmrc_f1


@pytest.mark.parametrize(
    ("gold", "answer", "exact", "f1"),
    [
        ("北京", "北京", 1, 1),
        ("北京市", "北京", 0, 0.8),  # 2 of 2 and 2 of 3
        ("北京", "东京", 0, 0.5),  # 1 of 2 and 1 of 2
        ("上海", "北京", 0, 0),
        ("《北京，上海》。", "北京上海", 1, 1),
        ("北京上海", "上海北京", 0, 0.5),  # the common run has to be in one piece
        ("北x京", "北京", 0, 0.4),  # 1 of 2 and 1 of 3
        ("Hello World", "hello world", 1, 1),
        ("hello big world", "hello world", 0, 0.4),  # 1 of 2 and 1 of 3 words
        ("ω-force", "ωforce", 1, 1),  # a hyphen goes, and parts nothing
        ("光荣和ω-force", "《光荣》", 0, 2 / 3),
        ("2010年", "2010 年", 0, 1),  # blanks do not part units, but are not equal
        ("1,000人", "1,000", 0, 2 / 3),  # a number is one word
        ("the end.", "the end", 0, 0.8),  # the last one is a word of its own
        ("A(B)", "a", 0, 0.4),  # 1 of 1 and 1 of 4: brackets are words
        ("it's", "it", 0, 2 / 3),
        ("“引号”", "引号", 1, 1),
        ("好…", "好", 0, 1 / 2 + 1 / 6),  # an ellipsis is a word: 1 of 1 and 1 of 2
        ("", "", 1, 0),
        ("，", "", 1, 0),
        ("京", "", 0, 0),
    ],
)
def test_one_answer_against_one_gold(gold, answer, exact, f1):
    assert cmrc_exact(gold, answer) == exact
    assert cmrc_f1(gold, answer) == pytest.approx(f1)
    assert cmrc_f1(answer, gold) == pytest.approx(f1)
