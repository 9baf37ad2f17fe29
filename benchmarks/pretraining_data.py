"""Megabytes of raw text a second to rows for nsp: kbert beside plain Python.

Both read paragraphs, split them into sentences by the same rules, tokenize, make pairs
of 128 tokens as the original does, and write shuffled TFRecords, masks left out. The
plain one is what the original's script amounts to: one process, lists of tokens, and
protobuf; it gets less text, because it would take minutes. kbert is timed as the
command, with all that starting it costs.
"""

import collections
import lzma
import random
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from timing import markdown, shared_folder, take_turns

SOURCES = ("digitalgov", "masc", "us_speeches", "eltec_eng_novels")
MEGABYTES, PLAIN_MEGABYTES = 64, 2
LENGTH, SHORT_RATE = 128, 0.1
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def measure(*, repetitions: int = 3) -> str:
    """The table, in Markdown."""
    shared = shared_folder() / "data"
    vocabulary = shared / "vocab" / "bert-base-cased-vocab.txt"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sizes = {
            "large": _write(shared / "pretrain_en", folder / "large.txt", MEGABYTES),
            "small": _write(
                shared / "pretrain_en", folder / "small.txt", PLAIN_MEGABYTES
            ),
        }
        contenders = {
            "kbert, all cores": lambda: _run_kbert(folder, vocabulary),
            "kbert, --workers 1": lambda: _run_kbert(folder, vocabulary, "1"),
            "plain Python": lambda: _run_plain(folder, vocabulary),
        }
        seconds = take_turns(contenders, repetitions=repetitions)
    rows, fastest = [], 0.0
    for contender, own in seconds.items():
        size = sizes["small" if contender.startswith("plain") else "large"]
        speed = size / 1e6 / own
        fastest = fastest or speed
        cells = (f"{size / 1e6:.0f}", f"{own:.1f}", f"{speed:.2f}")
        rows.append([contender, *cells, f"{fastest / speed:.1f}"])
    return markdown(["pairs of 128", "MB", "s", "MB/s", "time, kbert = 1"], rows)


def _write(source: Path, path: Path, megabytes: int) -> int:
    """Begin each source with a like share; bytes written."""
    with path.open("wb") as file:
        for name in SOURCES:
            left = megabytes * 1_000_000 // len(SOURCES)
            if name == SOURCES[-1]:  # the others may be shorter
                left = megabytes * 1_000_000 - file.tell()
            with lzma.open(source / f"{name}.txt.xz") as lines:
                for line in lines:
                    file.write(line)
                    left -= len(line)
                    if left < 0:
                        break
            file.write(b"\n\n")
        return file.tell()


def _run_kbert(folder: Path, vocabulary: Path, *workers: str) -> None:
    command = [sys.executable, "-m", "kbert", "create-pretraining-data"]
    command += [str(folder / "large.txt"), "--vocab", str(vocabulary)]
    command += ["-o", str(folder / "data"), "--overwrite"]
    for count in workers:
        command += ["--workers", count]
    subprocess.run(command, check=True, capture_output=True)


# === The original, in plain Python ===


def _run_plain(folder: Path, vocabulary: Path) -> None:
    import tensorflow as tf

    from kbert.corpus import read_documents, split_sentences

    words = vocabulary.read_text("utf-8").splitlines()
    ids = {word: number for number, word in enumerate(words)}
    generator = random.Random(1)
    documents = [
        [
            [piece for word in _words(sentence) for piece in _pieces(word, ids)]
            for sentence in split_sentences(document.paragraphs)
        ]
        for document in read_documents([folder / "small.txt"])
    ]
    rows = [
        row
        for number in range(len(documents))
        for row in _rows(documents, number, generator)
    ]
    generator.shuffle(rows)
    with tf.io.TFRecordWriter(str(folder / "plain.tfrecord")) as writer:
        for first, second, is_random in rows:
            tokens = ["[CLS]", *first, "[SEP]", *second, "[SEP]"]
            example = tf.train.Example()
            features = example.features.feature
            found = [ids[token] for token in tokens]
            features["token_ids"].int64_list.value.extend(found)
            features["second_start"].int64_list.value.append(len(first) + 2)
            features["next_sentence_label"].int64_list.value.append(int(is_random))
            writer.write(example.SerializeToString())


def _words(text: str) -> Iterator[str]:
    """Clean the text, put blanks around ideographs, split at blanks and punctuation."""
    kept = []
    for character in text:
        if character in "\t\n\r " or unicodedata.category(character) == "Zs":
            kept.append(" ")
        elif ord(character) in (0, 0xFFFD) or unicodedata.category(character)[0] == "C":
            continue
        elif any(first <= ord(character) <= last for first, last in _IDEOGRAPHS):
            kept.append(f" {character} ")
        else:
            kept.append(character)
    for word in "".join(kept).split():
        begin = 0
        for place, character in enumerate(word):
            if _is_punctuation(character):
                if begin < place:
                    yield word[begin:place]
                yield character
                begin = place + 1
        if begin < len(word):
            yield word[begin:]


def _is_punctuation(character: str) -> bool:
    code = ord(character)
    if 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126:
        return True
    return unicodedata.category(character).startswith("P")


def _pieces(word: str, ids: dict[str, int]) -> list[str]:
    """The longest pieces first."""
    pieces, begin = [], 0
    while begin < len(word):
        prefix = "##" if begin else ""
        for end in range(len(word), begin, -1):
            piece = prefix + word[begin:end]
            if piece in ids:
                break
        else:
            return ["[UNK]"]
        pieces.append(piece)
        begin = end
    return pieces


def _rows(
    documents: list[list[list[str]]], number: int, generator: random.Random
) -> Iterator[tuple[list[str], list[str], bool]]:
    document, room = documents[number], LENGTH - 3
    target = room
    if generator.random() < SHORT_RATE:
        target = generator.randint(2, room)
    chunk: list[list[str]] = []
    place = 0
    while place < len(document):
        chunk.append(document[place])
        if place == len(document) - 1 or sum(map(len, chunk)) >= target:
            split = 1 if len(chunk) < 2 else generator.randint(1, len(chunk) - 1)
            first = [token for sentence in chunk[:split] for token in sentence]
            is_random = len(chunk) == 1 or generator.random() < 0.5
            if is_random:
                other = number
                while other == number:
                    other = generator.randrange(len(documents))
                second = []
                begin = generator.randrange(len(documents[other]))
                for sentence in documents[other][begin:]:
                    second.extend(sentence)
                    if len(second) >= target - len(first):
                        break
                place -= len(chunk) - split
            else:
                second = [token for sentence in chunk[split:] for token in sentence]
            _truncate(first, second, room, generator)
            yield first, second, is_random
            chunk = []
        place += 1


def _truncate(
    first: list[str], second: list[str], room: int, generator: random.Random
) -> None:
    # Ends are taken from queues, or a long sentence would take forever.
    queues = collections.deque(first), collections.deque(second)
    while len(queues[0]) + len(queues[1]) > room:
        longer = queues[0] if len(queues[0]) > len(queues[1]) else queues[1]
        if generator.random() < 0.5:
            longer.popleft()
        else:
            longer.pop()
    first[:], second[:] = queues


if __name__ == "__main__":
    print(measure())
