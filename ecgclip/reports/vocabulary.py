"""A WordPiece vocabulary trained on a corpus."""

from collections.abc import Iterable

from ecgclip.errors import UsageError

__all__ = ["SPECIAL_TOKENS", "train_wordpiece"]

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def train_wordpiece(texts: Iterable[str], size: int = 2048) -> str:
    """Train a lower-casing WordPiece tokenizer and give it as `tokenizers` JSON.

    The same texts in the same order give the same vocabulary. ``[CLS] text [SEP]`` is added on encoding;
    ``[PAD]`` is token 0.

    Args:
        texts: the corpus, one statement or report each.
        size: the largest number of word pieces, special tokens included.

    Raises:
        UsageError: if the size does not leave room for the special tokens.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    if size <= len(SPECIAL_TOKENS):
        raise UsageError(
            f"vocabulary size {size} leaves no word pieces: expected more than {len(SPECIAL_TOKENS)}"
        )
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL_TOKENS),
        continuing_subword_prefix="##",
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    special = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    return str(tokenizer.to_str())
