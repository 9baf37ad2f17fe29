"""kbert/tasks/tagging on CoNLL-2003, WNUT-17 and Weibo: no word goes unscored"""

import numpy as np
import pytest

from kbert.tasks.tagging import Tagging

# Training file, another file, and the words of that one, as published.
FILES = [
    ("conll2003/train.txt", "conll2003/valid.txt", 51362, 5942),
    ("conll2003/train.txt", "conll2003/test.txt", 46435, 5648),
    ("wnut17/wnut17train.conll", "wnut17/emerging.dev.conll", 15733, 836),
    ("wnut17/wnut17train.conll", "wnut17/emerging.test.annotated", 23394, 1079),
    (
        "weibo_ner/weiboNER_2nd_conll.train",
        "weibo_ner/weiboNER_2nd_conll.test",
        14842,
        None,
    ),
]


@pytest.mark.real_data
@pytest.mark.filterwarnings("ignore:.*(break the scheme|are nothing to the tokenizer)")
@pytest.mark.parametrize("context", ["none", "document"])
@pytest.mark.parametrize(("train", "other", "words", "entities"), FILES)
def test_as_many_words_come_out_as_go_in(
    shared, minilm, tmp_path, train, other, words, entities, context
):
    task = Tagging(context=context, strip_word_digits="weibo" in other)
    task = task.fitted(task.read(str(shared / "data" / train)))
    sentences = task.read(str(shared / "data" / other))
    task.check(sentences)
    rows = task.rows(sentences, minilm.tokenizer, max_length=24, training=False)
    gold = rows.targets["token_classifier"]
    # A model that is always right about the words that it sees.
    outputs = [
        np.eye(task.units, dtype="float32")[gold[row]] for row in range(len(rows))
    ]
    guesses = task.guesses(sentences, rows, outputs, minilm)
    figures = task.score(sentences, guesses)

    assert rows.lengths.max() <= 24
    assert sum(map(len, guesses)) == sum(len(item.words) for item in sentences) == words
    assert figures["f1"] == figures["accuracy"] == 1.0
    task.report(tmp_path, sentences, guesses)
    report = (tmp_path / "conlleval.txt").read_text("utf-8")
    assert report.startswith(f"processed {words} tokens with {entities or ''}")
