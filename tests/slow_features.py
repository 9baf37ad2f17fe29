"""Features the slow way: window by window through the Keras encoder, pooled in NumPy.

The oracle of kbert.features, of which nothing is used here.
"""

import dataclasses

import numpy as np

POOLS = {
    "first": lambda vectors: vectors[0],
    "last": lambda vectors: vectors[-1],
    "mean": lambda vectors: np.mean(vectors, axis=0),
    "max": lambda vectors: np.max(vectors, axis=0),
}
COMBINES = {
    "concat": lambda states: np.concatenate(states, axis=-1),
    "stack": lambda states: np.stack(states, axis=1),
    "mean": lambda states: np.mean(states, axis=0),
    "sum": lambda states: np.sum(states, axis=0),
    "max": lambda states: np.max(states, axis=0),
}


@dataclasses.dataclass
class Wish:
    """What to extract; all of it said."""

    unit: str
    layers: tuple[int, ...]
    combine: str
    pool: str
    max_length: int
    stride: int


def text_windows(words, room, stride):
    """Spans over a text of words that long; begin and end at words where possible."""
    edges = np.cumsum([0, *words]).tolist()
    if edges[-1] <= room:
        return [(0, edges[-1])]
    start, spans = 0, []
    while True:
        fitting = [edge for edge in edges if start < edge <= start + room]
        stop = max(fitting, default=start + room)
        spans.append((start, stop))
        if stop >= edges[-1]:
            return spans
        reached = [edge for edge in edges if start < edge <= start + stride]
        beyond = [edge for edge in edges if start + stride < edge <= stop]
        start = max(reached, default=min(beyond, default=start + stride))


def ownable(words, room):
    """Spans of words; of a word longer than a window, of each of its pieces."""
    ends = np.cumsum(words, dtype=int).tolist()
    spans = []
    for begin, end in zip([0, *ends], ends, strict=False):
        steps = 1 if end - begin > room else end - begin
        spans += [(place, place + steps) for place in range(begin, end, steps)]
    return spans


def contexts(span, windows):
    """The smaller context of a span in each window; −1 where it is not inside."""
    begin, end = span
    return [
        min(begin - start, stop - end) if start <= begin and end <= stop else -1
        for start, stop in windows
    ]


def best_window(span, windows):
    """The window of the largest smaller context; of equal ones, see the comment."""
    found = contexts(span, windows)
    best = [number for number, one in enumerate(found) if one == max(found)]
    # The last of those with less room after the span than before it, else the first.
    lacking = [
        number
        for number in best
        if windows[number][1] - span[1] < span[0] - windows[number][0]
    ]
    return lacking[-1] if lacking else best[0]


def pair_after_truncation(first, second, room):
    """google-research/bert, run_classifier.py, _truncate_seq_pair."""
    first, second = list(first), list(second)
    while len(first) + len(second) > room:
        (first if len(first) > len(second) else second).pop()
    return first, second


class SlowExtractor:
    """Features of one item at a time; remembers what the encoder said.

    Args:
        bert: a ``kbert.Bert``.
    """

    def __init__(self, bert):
        self.bert, self.vocabulary, self.said = bert, bert.tokenizer.vocabulary, {}

    def __call__(self, item, wish):
        """The vectors of the item's units, and the names of their statuses."""
        texts = [self.units(text, wish.unit) for text in parts_of(item, wish.unit)]
        units = [unit for text in texts for unit in text]
        ids = [one for unit in units for one in unit]
        if len(texts) == 2:
            cut = len([one for unit in texts[0] for one in unit])
            windows = [self.pair(range(cut), range(cut, len(ids)), ids, wish)]
            owner = [0] * len(ids)
        else:
            windows, owner = self.windows(ids, units, wish)
        if wish.unit == "sentence":
            return self.sentence(ids, windows, owner, wish)
        edges = np.cumsum([0, *map(len, units)]).tolist()
        rows = [
            self.row(range(a, b), ids, windows, owner, wish)
            for a, b in zip(edges[:-1], edges[1:], strict=True)
        ]
        return [vector for vector, _ in rows], [status for _, status in rows]

    def units(self, text, unit):
        pieces = [self.bert.tokenizer.tokenize([part]).to_list()[0] for part in text]
        return pieces if unit == "word" else [[one] for part in pieces for one in part]

    def windows(self, ids, units, wish):
        lengths = [len(unit) for unit in units if unit]
        if wish.unit != "word":
            tokens = [self.vocabulary.tokens[one] for one in ids]
            begins = [n for n, one in enumerate(tokens) if not one.startswith("##")]
            lengths = np.diff([*begins, len(ids)]).tolist() if ids else []
        room = wish.max_length - 2
        spans = text_windows(lengths, room, wish.stride)
        owner = [
            best_window(span, spans)
            for span in ownable(lengths, room)
            for _ in range(*span)
        ]
        return [self.run([range(*span)], ids, wish) for span in spans], owner

    def pair(self, first, second, ids, wish):
        parts = pair_after_truncation(first, second, wish.max_length - 3)
        return self.run(parts, ids, wish)

    def run(self, parts, ids, wish):
        """Vectors of the places of a window, where each piece is, and the pooler's."""
        tokens, segments, places = [self.vocabulary.cls_id], [0], {}
        for segment, numbers in enumerate(parts):
            places |= {n: len(tokens) + at for at, n in enumerate(numbers)}
            tokens += [*(ids[n] for n in numbers), self.vocabulary.sep_id]
            segments += [segment] * (len(numbers) + 1)
        key = (tuple(tokens), tuple(segments))
        if key not in self.said:
            inputs = {
                "token_ids": np.array([tokens], np.int32),
                "segment_ids": np.array([segments], np.int32),
                "padding_mask": np.ones((1, len(tokens)), bool),
            }
            said = self.bert.encoder(inputs)
            states = [one.numpy()[0] for one in said["hidden_states"]]
            self.said[key] = states, said["pooled_output"].numpy()[0]
        states, pooled = self.said[key]
        chosen = [states[layer] for layer in wish.layers]
        return COMBINES[wish.combine](chosen), places, pooled

    def sentence(self, ids, windows, owner, wish):
        vectors = []
        for number, (seen, places, pooled) in enumerate(windows):
            if ids and number not in owner:
                continue
            own = [at for n, at in places.items() if owner[n] == number]
            special = [at for at in range(len(seen)) if at not in places.values()]
            if wish.pool == "pooler":
                vectors.append(pooled[None] if wish.combine == "stack" else pooled)
            elif wish.pool == "cls":
                vectors.append(seen[0])
            else:
                vectors += [seen[at] for at in [*own, *special]]
        shown = {n for _, places, _ in windows for n in places}
        status = "truncated" if len(shown) < len(ids) else self.status(ids)
        return [POOLS["max" if wish.pool == "max" else "mean"](vectors)], [status]

    def row(self, numbers, ids, windows, owner, wish):
        seen, places, _ = windows[owner[numbers[0]] if numbers else 0]
        vectors = [seen[places[n]] for n in numbers if n in places]
        status = self.status([ids[n] for n in numbers])
        status = status if len(vectors) == len(numbers) else "truncated"
        pool = POOLS[wish.pool if wish.unit == "word" else "first"]
        return pool(vectors) if vectors else np.zeros_like(seen[0]), status

    def status(self, ids):
        if not ids:
            return "empty"
        return "unk" if self.vocabulary.unk_id in ids else "ok"


def parts_of(item, unit):
    """The texts of an item, each as strings that are tokenized one by one."""
    if item.words is not None:
        return [list(item.words)]
    texts = [text for text in (item.text, item.text_pair) if text is not None]
    return [text.split() if unit == "word" else [text] for text in texts]
