"""One fine-tuning run of PyTorch: ``finetuning_peer.py SET SEED`` prints JSON.

transformers' models and tokenizer, bfloat16 autocast, batches in a random order or of
rows of about one length (``peer_groups``), padded to their longest row. Questions come
as kbert's rows and answers are picked by kbert: in them only the training is PyTorch's.
"""

import csv
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from finetuning_sets import SETS, Set, files, test_file
from timing import shared_folder
from transformers.trainer_pt_utils import get_length_grouped_indices

IGNORED = -100
Row = dict[str, Any]  # what the model takes of one example, without padding


class Data(NamedTuple):
    """A task as PyTorch sees it.

    Args:
        model: class of transformers.
        units: its labels.
        train, dev: rows.
        score: outputs of the dev rows, in order → figures.
    """

    model: type
    units: int
    train: list[Row]
    dev: list[Row]
    score: Callable[[list[np.ndarray]], dict[str, float]]


def main() -> None:
    """Train and score; print the seconds from files to figures, and the figures."""
    name, seed = sys.argv[1], int(sys.argv[2])
    chosen = SETS[name]
    with tempfile.TemporaryDirectory() as folder:
        paths = files(name, Path(folder))
        start = time.perf_counter()
        figures, score = _run(chosen, *paths, seed=seed)
        seconds = time.perf_counter() - start
        if (test := test_file(name)) is not None:
            own = score(paths[0], test)
            figures |= {f"test {figure}": own[figure] for figure in own}
    print(json.dumps({"seconds": seconds, "figures": figures}))


def _run(
    chosen: Set, train: Path, dev: Path, *, seed: int
) -> tuple[dict[str, float], Callable[[Path, Path], dict[str, float]]]:
    """The figures on dev, and a function that gives those on another file."""
    transformers.set_seed(seed)
    source = shared_folder() / "models" / "minilm-l6-v2"
    tokenizer = transformers.BertTokenizerFast.from_pretrained(source)
    prepare = {
        "classify": _texts,
        "regress": _texts,
        "ner": _words,
        "choice": _choices,
        "qa": _questions,
    }[chosen.kind]
    data = prepare(chosen, train, dev, tokenizer)
    model = data.model.from_pretrained(source, num_labels=data.units)
    if chosen.kind == "regress":
        model.config.problem_type = "regression"
    _train(model, data.train, chosen)

    def score(data: Data) -> dict[str, float]:
        figures = data.score(_outputs(model, data.dev))
        return {figure: float(figures[figure]) for figure in chosen.figures}

    return score(data), lambda *files: score(prepare(chosen, *files, tokenizer))


def _train(model: Any, rows: list[Row], chosen: Set) -> None:
    decayed, others = [], []
    for path, parameter in model.named_parameters():
        plain = path.endswith("bias") or "LayerNorm" in path
        (others if plain else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": 0.01},
        {"params": others, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=chosen.learning_rate, eps=1e-6)
    steps = -(-len(rows) // chosen.batch_size) * chosen.epochs
    schedule = transformers.get_linear_schedule_with_warmup(
        optimizer, round(0.1 * steps), steps
    )
    model.train()
    for _ in range(chosen.epochs):
        order = _order(rows, chosen)
        for batch in _batches([rows[place] for place in order], chosen.batch_size):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()


def _order(rows: list[Row], chosen: Set) -> list[int]:
    if not chosen.peer_groups:
        return random.sample(range(len(rows)), len(rows))
    # As Trainer's "group_by_length" does, but with the batches shuffled: its own come
    # from long to short.
    lengths = [len(_ids(row)) for row in rows]
    grouped = get_length_grouped_indices(lengths, chosen.batch_size)
    size = chosen.batch_size
    batches = [grouped[start : start + size] for start in range(0, len(grouped), size)]
    last = [batches.pop()] if len(batches[-1]) < size else []
    return sum(random.sample(batches, len(batches)) + last, [])


def _outputs(model: Any, rows: list[Row]) -> list[np.ndarray]:
    """Of each row, in order: logits; of a question both ends, ``[T, 2]``."""
    model.eval()
    order = sorted(range(len(rows)), key=lambda place: -len(_ids(rows[place])))
    found: dict[int, np.ndarray] = {}
    for start in range(0, len(order), 64):
        places = order[start : start + 64]
        (batch,) = _batches([rows[place] for place in places], 64)
        for name in ("labels", "start_positions", "end_positions"):
            batch.pop(name, None)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            output = model(**batch)
        if "logits" in output:
            logits = output.logits.float().numpy()
        else:
            ends = (output.start_logits, output.end_logits)
            logits = torch.stack(ends, dim=-1).float().numpy()
        for place, own in zip(places, logits, strict=True):
            found[place] = own
    return [found[place] for place in range(len(rows))]


def _batches(rows: Sequence[Row], size: int) -> Iterator[dict[str, torch.Tensor]]:
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        yield {name: _stacked([row[name] for row in part], name) for name in part[0]}


def _stacked(values: list[Any], name: str) -> torch.Tensor:
    """A padded block of lists; of lists of lists, with the same number in each."""
    if not isinstance(values[0], list):
        return torch.tensor(values)
    if isinstance(values[0][0], list):
        flat = _stacked([one for own in values for one in own], name)
        return flat.reshape(len(values), -1, flat.shape[-1])
    width = max(map(len, values))
    filler = IGNORED if name == "labels" else 0
    return torch.tensor([own + [filler] * (width - len(own)) for own in values])


def _ids(row: Row) -> list[int]:
    ids = row["input_ids"]
    return max(ids, key=len) if isinstance(ids[0], list) else ids


# === Tasks ===


def _table(path: Path) -> list[list[str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _encoded(tokenizer: Any, first: list, second: list | None, length: int) -> Any:
    return tokenizer(first, second, truncation=True, max_length=length)


def _texts(chosen: Set, train: Path, dev: Path, tokenizer: Any) -> Data:
    first, second, label = chosen.columns
    tables = [_table(path)[chosen.header :] for path in (train, dev)]
    names = sorted({row[label] for row in tables[0]})
    number = float if chosen.kind == "regress" else names.index
    rows = []
    for table in tables:
        encoded = _encoded(
            tokenizer,
            [row[first] for row in table],
            None if second is None else [row[second] for row in table],
            chosen.max_length,
        )
        labels = [number(row[label]) for row in table]
        rows.append(_with_labels(encoded, labels))
    gold = np.array([row["labels"] for row in rows[1]])
    units = 1 if chosen.kind == "regress" else len(names)

    def score(outputs: list[np.ndarray]) -> dict[str, float]:
        from scipy.stats import pearsonr, spearmanr
        from sklearn.metrics import accuracy_score, f1_score

        block = np.array(outputs)
        if units == 1:
            return {
                "pearson": pearsonr(block[:, 0], gold)[0],
                "spearman": spearmanr(block[:, 0], gold)[0],
            }
        guessed = block.argmax(-1)
        accuracy = accuracy_score(gold, guessed)
        f1 = f1_score(gold, guessed) if units == 2 else accuracy
        return {"accuracy": accuracy, "f1": f1}

    return Data(transformers.BertForSequenceClassification, units, *rows, score)


def _with_labels(encoded: Any, labels: Sequence[Any]) -> list[Row]:
    return [
        {**{name: encoded[name][place] for name in encoded}, "labels": label}
        for place, label in enumerate(labels)
    ]


def _words(chosen: Set, train: Path, dev: Path, tokenizer: Any) -> Data:
    sets = [_sentences(path) for path in (train, dev)]
    names = sorted({tag for sentences in sets for _, tags in sentences for tag in tags})
    rows = []
    for sentences in sets:
        encoded = tokenizer(
            [words for words, _ in sentences],
            is_split_into_words=True,
            truncation=True,
            max_length=chosen.max_length,
        )
        labels = []
        for place, (_, tags) in enumerate(sentences):
            own, before = [], None
            for word in encoded.word_ids(place):
                first = word is not None and word != before
                own.append(names.index(tags[word]) if first else IGNORED)
                before = word
            labels.append(own)
        rows.append(_with_labels(encoded, labels))

    def score(outputs: list[np.ndarray]) -> dict[str, float]:
        from kbert.metrics.entities import score_entities

        gold, guessed = [], []
        for (_, tags), row, logits in zip(sets[1], rows[1], outputs, strict=True):
            guesses = logits.argmax(-1)
            own = [
                names[guesses[place]]
                for place, label in enumerate(row["labels"])
                if label != IGNORED
            ]
            gold.append(tags)
            # What was cut off, or has no piece, is nothing.
            guessed.append(own + ["O"] * (len(tags) - len(own)))
        return {"f1": score_entities(gold, guessed, "iob2").overall.f1}

    model = transformers.BertForTokenClassification
    return Data(model, len(names), *rows, score)


def _sentences(path: Path) -> list[tuple[list[str], list[str]]]:
    found: list[tuple[list[str], list[str]]] = [([], [])]
    for line in path.read_text("utf-8").split("\n"):
        parts = line.split()
        if parts and parts[0] != "-DOCSTART-":
            found[-1][0].append(parts[0])
            found[-1][1].append(parts[-1])
        elif found[-1][0]:
            found.append(([], []))
    return [one for one in found if one[0]]


def _choices(chosen: Set, train: Path, dev: Path, tokenizer: Any) -> Data:
    rows = []
    for path in (train, dev):
        part = []
        for row in _table(path):
            prompt, endings, label = row[1], row[2:6], int(row[6])
            encoded = _encoded(
                tokenizer, [prompt] * len(endings), endings, chosen.max_length
            )
            part.append({**{name: encoded[name] for name in encoded}, "labels": label})
        rows.append(part)
    gold = np.array([row["labels"] for row in rows[1]])

    def score(outputs: list[np.ndarray]) -> dict[str, float]:
        return {"accuracy": float(np.mean(np.argmax(outputs, axis=-1) == gold))}

    return Data(transformers.BertForMultipleChoice, 1, *rows, score)


def _questions(chosen: Set, train: Path, dev: Path, tokenizer: Any) -> Data:
    import kbert
    from kbert.tasks.squad import QuestionAnswering

    bert = kbert.load(shared_folder() / "models" / "minilm-l6-v2")
    task = QuestionAnswering()
    examples = task.read(str(train))
    task = task.fitted(examples)
    held_out = task.read(str(dev))
    both = [
        task.rows(part, bert.tokenizer, max_length=chosen.max_length, training=training)
        for part, training in ((examples, True), (held_out, False))
    ]

    def score(outputs: list[np.ndarray]) -> dict[str, float]:
        lengths = both[1].lengths.tolist()
        cut = [own[:length] for own, length in zip(outputs, lengths, strict=True)]
        guesses = task.guesses(held_out, both[1], cut, bert)
        tuned = task.tuned(held_out, guesses)
        return tuned.score(held_out, tuned.guesses(held_out, both[1], cut, bert))

    rows = [_from_kbert(part) for part in both]
    return Data(transformers.BertForQuestionAnswering, 2, *rows, score)


def _from_kbert(rows: Any) -> list[Row]:
    found = []
    for place in range(len(rows)):
        ids = rows.inputs["token_ids"][place].tolist()
        row = {
            "input_ids": ids,
            "token_type_ids": rows.inputs["segment_ids"][place].tolist(),
            "attention_mask": [1] * len(ids),
        }
        if "span" in rows.targets:
            start, end = rows.targets["span"][place].tolist()
            row |= {"start_positions": start, "end_positions": end}
        found.append(row)
    return found


if __name__ == "__main__":
    main()
