"""A WordPiece vocabulary trained on a corpus.

The pieces are learned here, by joining the commonest pair of neighbours again and again (Sennrich et al. 2016,
"Neural machine translation of rare words with subword units"), because the trainer of `tokenizers` breaks ties
in the order of a randomly seeded hash map, and a vocabulary decides which weights a model ends with.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

from ecgclip.errors import UsageError

__all__ = ["SPECIAL_TOKENS", "train_wordpiece"]

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_FEWEST = 2  # a pair that stands in the corpus once is no piece

Pair = tuple[str, str]


def train_wordpiece(texts: Iterable[str], size: int = 2048) -> str:
    """Train a lower-casing WordPiece tokenizer and give it as `tokenizers` JSON.

    The same texts, in any order, give the same vocabulary. ``[CLS] text [SEP]`` is added on encoding;
    ``[PAD]`` is token 0.

    Args:
        texts: the corpus, one statement or report each.
        size: the largest number of word pieces, special tokens included; letters are never left out.

    Raises:
        UsageError: if the size does not leave room for word pieces.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    if size <= len(SPECIAL_TOKENS):
        raise UsageError(
            f"vocabulary size {size} leaves no word pieces: expected more than {len(SPECIAL_TOKENS)}"
        )
    normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    splitter = pre_tokenizers.BertPreTokenizer()
    words: Counter[str] = Counter()
    for text, times in Counter(texts).items():
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)):
            words[word] += times
    vocabulary = {piece: place for place, piece in enumerate([*SPECIAL_TOKENS, *_pieces(words, size)])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    special = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    return str(tokenizer.to_str())


def _pieces(words: Counter[str], size: int) -> list[str]:
    """Give letters, then joined pieces in the order in which they were joined."""
    spelt = [[word[0], *(f"##{letter}" for letter in word[1:])] for word in sorted(words)]
    counts = [words[word] for word in sorted(words)]
    pieces = dict.fromkeys(sorted({piece for word in spelt for piece in word}))
    totals, places = _pairs(spelt, counts)
    heap = [(-total, pair) for pair, total in totals.items()]
    heapq.heapify(heap)
    while heap and len(pieces) + len(SPECIAL_TOKENS) < size:
        total, pair = heapq.heappop(heap)
        if -total != totals[pair]:
            continue  # counted again since
        if -total < _FEWEST:
            break
        pieces[pair[0] + pair[1][2:]] = None
        for changed in _join(pair, spelt, counts, totals, places):
            heapq.heappush(heap, (-totals[changed], changed))
    return list(pieces)


def _pairs(spelt: list[list[str]], counts: list[int]) -> tuple[Counter[Pair], dict[Pair, set[int]]]:
    totals: Counter[Pair] = Counter()
    places: dict[Pair, set[int]] = defaultdict(set)
    for index, word in enumerate(spelt):
        for pair in pairwise(word):
            totals[pair] += counts[index]
            places[pair].add(index)
    return totals, places


def _join(
    pair: Pair, spelt: list[list[str]], counts: list[int], totals: Counter[Pair], places: dict[Pair, set[int]]
) -> set[Pair]:
    """Join one pair in every word that has it; give the pairs whose totals changed."""
    changed: set[Pair] = set()
    for index in places[pair].copy():
        word = spelt[index]
        for old in pairwise(word):
            totals[old] -= counts[index]
            places[old].discard(index)
            changed.add(old)
        joined: list[str] = []
        for piece in word:
            if joined and (joined[-1], piece) == pair:
                joined[-1] += piece[2:]
            else:
                joined.append(piece)
        spelt[index] = joined
        for new in pairwise(joined):
            totals[new] += counts[index]
            places[new].add(index)
            changed.add(new)
    return {one for one in changed if totals[one] > 0}
