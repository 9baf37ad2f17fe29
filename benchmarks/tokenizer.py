"""Texts a second from list of str to ids: kbert beside ``tokenizers`` (Rust).

Both get the same texts and the same vocabulary, and use all cores; no special tokens,
nothing truncated. kbert's ids are the original BERT tokenizer's; the other's are not.
"""

import lzma
from collections.abc import Iterator
from pathlib import Path

from timing import markdown, shared_folder, take_turns

LINES = 50_000


def measure(*, repetitions: int = 7) -> str:
    """The table, in Markdown."""
    from tokenizers import BertWordPieceTokenizer

    from kbert import Tokenizer

    shared = shared_folder()
    vocabulary = shared / "data" / "vocab" / "bert-base-uncased-vocab.txt"
    ours = Tokenizer(vocabulary)
    theirs = BertWordPieceTokenizer(str(vocabulary), lowercase=True)
    rows = []
    for name, texts in _files(shared / "data"):
        contenders = {
            "kbert": lambda texts=texts: ours.tokenize(texts),
            "tokenizers": lambda texts=texts: theirs.encode_batch(
                texts, add_special_tokens=False
            ),
        }
        seconds = take_turns(contenders, repetitions=repetitions)
        speeds = [f"{len(texts) / own:,.0f}" for own in seconds.values()]
        ratio = seconds["tokenizers"] / seconds["kbert"]
        rows.append([name, f"{len(texts):,}", *speeds, f"{ratio:.1f}"])
    head = ["file", "texts", "kbert texts/s", "tokenizers texts/s", "ratio"]
    return markdown(head, rows)


def _files(data: Path) -> Iterator[tuple[str, list[str]]]:
    conll = (data / "conll2003" / "train.txt").read_text("utf-8").split("\n\n")
    words = ([line.split(" ")[0] for line in block.split("\n")] for block in conll)
    yield "CoNLL-2003 train", [" ".join(sentence) for sentence in words]
    sst = (data / "glue" / "SST-2" / "train.tsv").read_text("utf-8").split("\n")
    yield "SST-2 train", [line.split("\t")[0] for line in sst[1:] if line]
    yield "MASC", _lines(data / "pretrain_en" / "masc.txt.xz")
    yield "Chinese laws", _lines(data / "pretrain_zh" / "laws.txt.xz")


def _lines(path: Path) -> list[str]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file if line.strip()][:LINES]


if __name__ == "__main__":
    print(measure())
