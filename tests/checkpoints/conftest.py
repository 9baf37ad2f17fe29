"""Small models with every weight random, and their folders in each format."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
LABELS = ("negative", "neutral", "positive")


@pytest.fixture(scope="session")
def make_bert(tiny_config: Any, randomize: Any) -> Callable[..., Any]:
    """A function that makes a ``Bert`` with the heads of the given units."""
    import dataclasses

    from kbert.encoder import build_encoder
    from kbert.heads import build_head
    from kbert.model import Bert
    from kbert.tokenizer import Tokenizer

    def make(heads: Mapping[str, int], *, pooler: bool = True, **changes: Any) -> Bert:
        fields = {"num_layers": 2, "num_segments": 2, "max_sequence_length": 9}
        config = dataclasses.replace(tiny_config, **fields, **changes)
        tokens = [*WORDS, *(f"##{word}" for word in WORDS[5:11])]
        encoder = randomize(build_encoder(config, pooler=pooler))
        layers = {
            name: randomize(build_head(name, encoder, config, units=units), seed=7)
            for name, units in heads.items()
        }
        randomize(encoder)
        labels = LABELS if 3 in heads.values() else ()
        return Bert(config, encoder, Tokenizer(tokens), layers, labels)

    return make


PRETRAINING = {"masked_lm": 37, "next_sentence": 2}


@pytest.fixture(scope="session")
def folders(make_bert: Any, tmp_path_factory: Any) -> dict[str, Path]:
    """A folder in each format; to be copied, not changed."""
    import kbert

    root = tmp_path_factory.mktemp("models")
    pretrained = make_bert(PRETRAINING)
    classifier = make_bert({"sequence_classifier": 3})
    plain = make_bert({}, activation="gelu_tanh")
    kbert.save(pretrained, root / "huggingface", format="huggingface")
    kbert.save(classifier, root / "huggingface_labels", format="huggingface")
    kbert.save(pretrained, root / "tf1", format="tf1")
    kbert.save(classifier, root / "kbert")
    kbert.save(plain, root / "kerashub", format="kerashub")
    _shard(root / "huggingface", root / "sharded")
    return {path.name: path for path in root.iterdir()}


def _shard(single: Path, sharded: Path) -> None:
    """Deal the tensors of one file out to two, with an index."""
    import json
    import shutil

    from safetensors.numpy import load_file, save_file

    tensors = load_file(single / "model.safetensors")
    sharded.mkdir()
    for name in ("config.json", "vocab.txt"):
        shutil.copy(single / name, sharded)
    places = {
        name: f"model-0000{1 + number % 2}-of-00002.safetensors"
        for number, name in enumerate(sorted(tensors))
    }
    for file in sorted(set(places.values())):
        part = {name: tensors[name] for name in tensors if places[name] == file}
        save_file(part, sharded / file, metadata={"format": "pt"})
    index = {"metadata": {"total_size": 0}, "weight_map": places}
    (sharded / "model.safetensors.index.json").write_text(json.dumps(index))
