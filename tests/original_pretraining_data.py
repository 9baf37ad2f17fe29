"""The original's way of making pairs and masks, token by token: slow and plain.

Written for comparison from what ``create_pretraining_data.py`` of google-research/bert
does; the package's own code shares nothing with it.
"""

import random


def pairs_of_all(documents, length, short_rate, seed):
    """(A, B, is_random) of all documents; a document is a list of lists of tokens."""
    generator = random.Random(seed)
    return [
        pair
        for number in range(len(documents))
        for pair in _pairs(documents, number, length, short_rate, generator)
    ]


def _pairs(documents, number, length, short_rate, generator):
    document = documents[number]
    room = length - 3
    target = room
    if generator.random() < short_rate:
        target = generator.randint(2, room)
    pairs, chunk, size, place = [], [], 0, 0
    while place < len(document):
        chunk.append(document[place])
        size += len(document[place])
        if place == len(document) - 1 or size >= target:
            split = 1 if len(chunk) < 2 else generator.randint(1, len(chunk) - 1)
            first = [token for sentence in chunk[:split] for token in sentence]
            is_random = len(chunk) == 1 or generator.random() < 0.5
            if is_random:
                wanted = target - len(first)
                second = _from_elsewhere(documents, number, wanted, generator)
                place -= len(chunk) - split
            else:
                second = [token for sentence in chunk[split:] for token in sentence]
            truncate(first, second, room, generator)
            pairs.append((first, second, is_random))
            chunk, size = [], 0
        place += 1
    return pairs


def _from_elsewhere(documents, number, wanted, generator):
    other = number
    while other == number:
        other = generator.randint(0, len(documents) - 1)
    second = []
    begin = generator.randint(0, len(documents[other]) - 1)
    for sentence in documents[other][begin:]:
        second.extend(sentence)
        if len(second) >= wanted:
            break
    return second


def truncate(first, second, room, generator):
    """Take tokens off the longer list, at a random end, until both fit."""
    while len(first) + len(second) > room:
        longer = first if len(first) > len(second) else second
        if generator.random() < 0.5:
            del longer[0]
        else:
            longer.pop()
