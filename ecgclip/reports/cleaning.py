"""Taking out of a report what is not the report: leaked labels, boilerplate, broken letters.

`masked` keeps every character's place, so that what is read later points into the text as it came.
"""

import re
from dataclasses import dataclass

__all__ = ["Masked", "clean", "masked"]

# The editor's note with SCP codes ("Edit: LVH 100, ISC, (LVH 100, ISC_)") ends the report; so does the
# consensus ("consensus label derived from: {'ISCAL': 100.0}"), which may be glued to the word before it.
_NOTE = re.compile(r"\bedit\s*:.*|consensus\s+label\s+derived.*", re.IGNORECASE | re.DOTALL)
_CODE = (
    r"(?:NORM(?:AL)?|NDT|NST_?|DIG|LNGQT|I?MI|A[SL]?MI|I?L?MI|I?P?L?MI|PMI|LVH|RVH|SEHYP|L[AP]FB|ISC_?|ISC(?:A[LSN]"
    r"|I[LN]|LA)|INJ(?:A[LSN]|I[LN]|LA)|[IC]?[RL]BBB?|IVC[BD]|[123]AVB|AVB|[LR]A[OE](?:/[LR]AE)?|ANEUR|EL|WPW"
    r"|ABQRS|PVC|STD_|STE_|VCLVH|QWAVE|LOWT|NT_|PAC|LPR|INVT|[LH]VOLT|TAB_|PRC\(S\)|SR|AFIB|AFLT|STACH|SARRH"
    r"|SBRAD|PACE|SVARR|BIGU|TRIGU|SVTAC|PSVT)"
)
_LIKELIHOOD = r"\s?(?:100|[1-9]?[05])(?:\.0)?\b"
_BRACKETED = re.compile(
    rf"[(\[{{]\s*(?:'?{_CODE}'?\s*:?(?:{_LIKELIHOOD})?\s*[,;]?\s*){{2,}}[)\]}}]"
    rf"|[(\[{{]\s*'?{_CODE}'?\s*:?{_LIKELIHOOD}\s*[,;]?\s*[)\]}}]"
    rf"|\b{_CODE}{_LIKELIHOOD}(?=\s*(?:[,;]|$))"
)
_BOILERPLATE = re.compile(
    r"(?<![\d.])\d\.\d\d\s+(?:un(?:b(?:e[stätiger]{0,10})?)?|u|unconfi\w*)(?:\s+(?:b[ericht]{0,6}|report))?(?=\s|$)"
    r"|(?<![\d.])4\.46(?=\s*$)"
    r"|\bunbestätigter bericht\b|\bunconfirmed (?:report|ecg|analysis)\b|\bobekräftad (?:rapport|tolkning)\b",
    re.IGNORECASE,
)
_NO_REPORT = re.compile(r"\s*trace only requested\s*[.!]?\s*", re.IGNORECASE)
_DEBRIS = re.compile(r"[óÓ]?[¬½¿©]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f�]|(?<!\w)[óÓ](?!\w)")
_MOJIBAKE = re.compile(r"Ã[\x80-\xbf¤¶¼„–œŸ…©]|Â(?=[\xa0-\xbf])|â€[™“”]")
_CAPITAL_INSIDE = re.compile(r"(?<=[a-zäöüå])[ÄÖÜÅ]+")
_CAPITAL = re.compile(r"[A-Z]")
_LOWER = str.maketrans("ÄÖÜÅ", "äöüå")


@dataclass(frozen=True)
class Masked:
    """A report with the unwanted blanked out.

    Attributes:
        text: the text, blanks where something was taken out.
        places: for each character of ``text`` its place in the raw text; None where they are equal.
    """

    text: str
    places: list[int] | None

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """Give the place of ``text[start:stop]`` in the raw text."""
        if self.places is None:
            return start, stop
        return self.places[start], self.places[stop - 1] + 1


def masked(text: str) -> Masked:
    """Blank out leaks and boilerplate, mend letters, and keep every character's place."""
    places: list[int] | None = None
    if "Ã" in text or "Â" in text or "â€" in text:
        text, places = _mend(text)
    if _NO_REPORT.match(text) and _NO_REPORT.fullmatch(_blank(_NOTE, text)):
        return Masked(" " * len(text), places)
    text = _blank(_NOTE, text)
    text = _blank(_BRACKETED, text)
    if _CAPITAL.search(text):
        text = _CAPITAL_INSIDE.sub(lambda found: found.group().lower(), text)
    else:
        text = text.translate(_LOWER)
    text = _blank(_BOILERPLATE, text)
    text = _blank(_DEBRIS, text)
    return Masked(text, places)


def clean(text: str, *, collapse: bool = True) -> str:
    """Give the report without leaked labels, boilerplate and broken letters.

    A report that only says that a trace was requested is no report: the answer is empty.

    Args:
        text: the report as it came.
        collapse: make one space of every run of spaces and line ends.
    """
    kept = masked(text).text
    return " ".join(kept.split()) if collapse else kept.strip()


def _blank(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: " " * len(found.group()), text)


def _mend(text: str) -> tuple[str, list[int]]:
    """Undo UTF-8 that was read as Latin-1 or Windows-1252."""
    letters: list[str] = []
    places: list[int] = []
    position = 0
    while position < len(text):
        found = _MOJIBAKE.match(text, position)
        stop = found.end() if found else position + 1
        piece = _decoded(text[position:stop]) if found else text[position]
        letters.append(piece)
        places.extend([position] * len(piece))
        position = stop
    return "".join(letters), places


def _decoded(piece: str) -> str:
    for encoding in ("latin-1", "cp1252"):
        try:
            return piece.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
    return " "
