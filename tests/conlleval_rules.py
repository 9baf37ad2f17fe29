"""conlleval.pl's own way, token by token: its two tables, and its one pass."""

# (tag before, tag) between which a chunk begins, or ends, if the types are equal.
BEGINS = {("B", "B"), ("I", "B"), ("O", "B"), ("O", "I"), ("E", "E"), ("E", "I")}
BEGINS |= {("O", "E")}
ENDS = {("B", "B"), ("B", "O"), ("I", "B"), ("I", "O"), ("E", "E"), ("E", "I")}
ENDS |= {("E", "O")}


def apart(tag):
    return tuple(tag.split("-", 1)) if "-" in tag else (tag, "")


def begins(before, here):
    other = before[1] != here[1]
    return (before[0], here[0]) in BEGINS or (here[0] != "O" and other)


def ends(before, here):
    other = before[1] != here[1]
    return (before[0], here[0]) in ENDS or (before[0] != "O" and other)


def counts(gold, guesses):
    """Chunks there, chunks guessed, chunks right, tags right, over all sentences."""
    there = guessed = right = tags_right = 0
    for sentence, guess in zip(gold, guesses, strict=True):
        inside = False
        before = ("O", ""), ("O", "")
        for tags in [*zip(sentence, guess, strict=True), ("O", "O")]:
            here = tuple(map(apart, tags))
            closed = ends(before[0], here[0]), ends(before[1], here[1])
            if inside and all(closed) and before[0][1] == before[1][1]:
                inside, right = False, right + 1
            elif inside and (any(closed) or here[0][1] != here[1][1]):
                inside = False
            opened = begins(before[0], here[0]), begins(before[1], here[1])
            if all(opened) and here[0][1] == here[1][1]:
                inside = True
            there, guessed = there + opened[0], guessed + opened[1]
            before = here
        tags_right += sum(a == b for a, b in zip(sentence, guess, strict=True))
    return there, guessed, right, tags_right
