"""The originals' way with SQuAD, pair by pair and question by question: slow and plain.

Written for comparison from what ``run_squad.py`` of google-research/bert, and the
scorers ``evaluate-v1.1.py`` and ``evaluate-v2.0.py`` do; the package's own code shares
nothing with it.
"""

import math
import re
import string

# === run_squad.py ===


def doc_spans(count, room, stride):
    """(start, length) of the windows over ``count`` tokens."""
    spans, start = [], 0
    while start < count:
        length = min(count - start, room)
        spans.append((start, length))
        if start + length == count:
            break
        start += min(length, stride)
    return spans


def has_max_context(spans, number, position):
    best, best_number = None, None
    for candidate, (start, length) in enumerate(spans):
        if start <= position < start + length:
            left, right = position - start, start + length - 1 - position
            score = min(left, right) + 0.01 * length
            if best is None or score > best:
                best, best_number = score, candidate
    return number == best_number


def improved_span(tokens, first, last, answer):
    """The span within first..last whose tokens are the answer's, else first..last."""
    for start in range(first, last + 1):
        for end in range(last, start - 1, -1):
            if tokens[start : end + 1] == answer:
                return start, end
    return first, last


def best_places(logits, count):
    return sorted(range(len(logits)), key=lambda place: logits[place], reverse=True)[
        :count
    ]


def candidates(windows, text_of, *, n_best, max_answer_length, allow_none):
    """(n best as (text, start logit, end logit), best answer, null odds).

    Args:
        windows: of one question: (start logits, end logits, {place: token in the
            context}, {place: whether it has max context here}).
        text_of: the text of first..last token.
    """
    spans, null = [], None
    for starts, ends, tokens, maximal in windows:
        if null is None or starts[0] + ends[0] < sum(null):
            null = (starts[0], ends[0])
        for first in best_places(starts, n_best):
            for last in best_places(ends, n_best):
                if first not in tokens or last not in tokens or not maximal[first]:
                    continue
                if last < first or last - first + 1 > max_answer_length:
                    continue
                text = text_of(tokens[first], tokens[last])
                spans.append((text, starts[first], ends[last]))
    if allow_none:
        spans.append(("", *null))
    spans.sort(key=lambda span: span[1] + span[2], reverse=True)
    kept, seen = [], set()
    for span in spans:
        if len(kept) == n_best:
            break
        if span[0] not in seen:
            kept.append(span)
            seen.add(span[0])
    if allow_none and "" not in seen:
        kept.append(("", *null))
    best = next(span for span in spans if span[0])
    return kept, best[0], sum(null) - best[1] - best[2]


def softmax(scores):
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


# === evaluate-v1.1.py, evaluate-v2.0.py ===


def bare(text):
    text = "".join(one for one in text.lower() if one not in string.punctuation)
    words = re.split(r"\s+", re.sub(r"\b(?:a|an|the)\b", " ", text))
    return [word for word in words if word]


def shared_words(gold, answer):
    rest, count = bare(gold), 0
    for word in bare(answer):
        if word in rest:
            rest.remove(word)
            count += 1
    return count


def f1_of(gold, answer, version):
    wanted, got, same = len(bare(gold)), len(bare(answer)), shared_words(gold, answer)
    if version == 2 and 0 in (wanted, got):
        return float(wanted == got)
    if same == 0:
        return 0.0
    precision, recall = same / got, same / wanted
    return 2 * precision * recall / (precision + recall)


def raw_scores(golds, answers, version):
    """(exact, F1) of each question."""
    scores = []
    for own, answer in zip(golds, answers, strict=True):
        if version == 2:
            own = [gold for gold in own if bare(gold)] or [""]
        exact = max(float(bare(gold) == bare(answer)) for gold in own)
        scores.append((exact, max(f1_of(gold, answer, version) for gold in own)))
    return scores


def evaluation(golds, answers, version):
    scores = raw_scores(golds, answers, version)
    parts = {"": scores}
    if version == 2:
        both = list(zip(golds, scores, strict=True))
        parts["HasAns_"] = [score for own, score in both if own]
        parts["NoAns_"] = [score for own, score in both if not own]
    figures = {}
    for prefix, part in parts.items():
        if part:
            figures[f"{prefix}exact"] = 100 * sum(one for one, _ in part) / len(part)
            figures[f"{prefix}f1"] = 100 * sum(one for _, one in part) / len(part)
            figures[f"{prefix}total"] = len(part)
    return figures


def best_threshold(golds, answers, odds, which):
    """(best score, threshold) of ``find_best_thresh``; ``which``: 0 exact, 1 F1."""
    scores = raw_scores(golds, answers, 2)
    current = best = sum(not own for own in golds)
    threshold = 0.0
    for number in sorted(range(len(odds)), key=lambda one: odds[one]):
        if golds[number]:
            current += scores[number][which]
        elif answers[number]:
            current -= 1
        if current > best:
            best, threshold = current, odds[number]
    return 100 * best / len(golds), threshold
