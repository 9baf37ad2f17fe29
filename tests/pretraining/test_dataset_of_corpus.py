"""From text through ``create_pretraining_data`` to batches"""

import numpy as np
import pytest

from kbert import ConfigError, Vocabulary
from kbert.masking import MaskingSettings
from kbert.pretraining.dataset import (
    evaluation_dataset,
    record_format,
    training_dataset,
)
from kbert.pretraining_data import (
    PretrainingData,
    PretrainingDataSettings,
    StaticMasks,
    create_pretraining_data,
)

LENGTH, BATCH = 24, 4
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = Vocabulary.from_tokens(
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *LETTERS]
    + [f"##{letter}" for letter in LETTERS]
)


def make(folder, **options):
    random = np.random.default_rng(0)
    sentences = [
        " ".join("".join(random.choice([*LETTERS], size)) for size in sizes) + "."
        for sizes in random.integers(1, 4, (200, 4))
    ]
    documents = ["\n".join(sentences[start : start + 5]) for start in range(0, 200, 5)]
    corpus = folder / "corpus.txt"
    corpus.write_text("\n\n".join(documents) + "\n")
    return create_pretraining_data(
        [corpus],
        folder / "data",
        vocabulary=VOCABULARY,
        settings=PretrainingDataSettings(
            sequence_lengths=(LENGTH,), shards=4, evaluation_fraction=0.2, **options
        ),
        workers=1,
    )


def read_epoch(data, masking):
    records = sum(shard.records for shard in data.shards(LENGTH))
    dataset = training_dataset(
        data, length=LENGTH, batch_size=records, masking=masking, seed=1
    )
    return next(dataset.as_numpy_iterator())


@pytest.mark.parametrize("objective", ["nsp", "sop", "none"])
def test_an_epoch_has_the_tokens_of_the_manifest(tmp_path, objective):
    data = make(tmp_path, objective=objective)
    x, y, weights = read_epoch(data, MaskingSettings(masking="whole-word"))

    tokens = sum(shard.tokens for shard in data.shards(LENGTH))
    assert x["padding_mask"].sum() == tokens
    seen = x["token_ids"].copy()
    used = weights["masked_lm"] > 0
    rows = np.nonzero(used)[0]
    seen[rows, x["mask_positions"][used]] = y["masked_lm"][used]
    separators = (seen == VOCABULARY.sep_id).sum(axis=1)
    assert (separators == (1 if objective == "none" else 2)).all()
    assert (seen[:, 0] == VOCABULARY.cls_id).all()
    assert not (seen == VOCABULARY.mask_id).any()
    parts = np.cumsum(seen == VOCABULARY.sep_id, axis=1) - (seen == VOCABULARY.sep_id)
    assert (x["segment_ids"] == parts * x["padding_mask"]).all()
    assert ("next_sentence" in y) == (objective != "none")


def test_evaluation_has_the_held_out_tokens(tmp_path):
    data = make(tmp_path)
    elements = evaluation_dataset(
        data, length=LENGTH, batch_size=BATCH, masking=MaskingSettings(), seed=1
    )

    count = tokens = 0
    for x, _, weights in elements.as_numpy_iterator():
        rows = weights["next_sentence"] > 0
        count += rows.sum()
        tokens += x["padding_mask"][rows].sum()
    shards = data.shards(LENGTH, "evaluation")
    assert count == sum(shard.records for shard in shards) > BATCH
    assert tokens == sum(shard.tokens for shard in shards)


def test_static_masks_are_those_of_the_records(tmp_path):
    data = make(tmp_path, static=StaticMasks(dupe_factor=2, max_predictions=5))
    x, y, weights = read_epoch(data, None)

    assert y["masked_lm"].shape[1] == 5
    used = weights["masked_lm"] > 0
    assert used.any(axis=1).all()
    seen = np.take_along_axis(x["token_ids"], x["mask_positions"], axis=1)
    assert 0.7 < (seen[used] == VOCABULARY.mask_id).mean() < 0.9
    assert not y["masked_lm"][~used].any()


def test_googles_own_files_need_to_be_told_the_ids(tmp_path):
    data = make(tmp_path, static=StaticMasks(dupe_factor=1, max_predictions=5))
    (data.path / "manifest.json").unlink()
    (data.path / "vocab.txt").unlink()
    foreign = PretrainingData.open(data.path)

    with pytest.raises(ConfigError, match="no vocab.txt says which ids there are"):
        record_format(foreign, LENGTH)
    dataset = training_dataset(
        foreign,
        length=LENGTH,
        batch_size=BATCH,
        masking=None,
        seed=1,
        vocabulary_size=len(VOCABULARY),
    )
    (x, y, _), *_ = dataset.take(1).as_numpy_iterator()
    assert x["token_ids"].shape == (BATCH, LENGTH)
    assert y["next_sentence"].shape == (BATCH,)
