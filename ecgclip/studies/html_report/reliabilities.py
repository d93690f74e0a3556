"""Reliability diagrams: what was forecast against what was true, a label each."""

from collections.abc import Sequence

from ecgclip.studies.benchmark.results import Reliability, Results, Row

from .charts import diagram, legend
from .forest import forest, row_name
from .markup import Markup, joined, slug, tag
from .numbers import finite, percent

__all__ = ["calibration_section"]


def calibration_section(results: Results, rows: Sequence[Row]) -> Markup:
    """Reliability diagrams, a label each, the prior's and the calibrated curve together."""
    kinds = list(dict.fromkeys(str(row.setting.get("probabilities", "")) for row in rows))
    kinds.sort(key=lambda kind: kind != "calibrated")  # filled and first where it is there
    parts = [
        forest(rows, "Calibration"),
        legend([(kind or "probabilities", k) for k, kind in enumerate(kinds)]),
    ]
    for number, labels in enumerate(dict.fromkeys(row.labels for row in rows)):
        held = [
            (kinds.index(str(row.setting.get("probabilities", ""))), row)
            for row in rows
            if row.labels == labels
        ]
        diagrams, thin = _diagrams(held, kinds, results.minimum)
        note = (
            f"Not drawn, with fewer than {results.minimum} positives or negatives: {', '.join(thin)}."
            if thin
            else None
        )
        summary = tag("summary", None, tag("b", None, row_name(held[0][1])), f" {len(diagrams)} labels")
        body = tag("div", {"class": "reliabilities"}, *diagrams)
        parts.append(
            tag(
                "details",
                {"open": "" if number == 0 else None, "id": f"reliability-{slug(labels)}"},
                summary,
                body,
                tag("p", {"class": "quiet"}, note) if note else None,
            )
        )
    return joined(parts)


def _diagrams(
    rows: Sequence[tuple[int, Row]], kinds: Sequence[str], minimum: int
) -> tuple[list[Markup], list[str]]:
    by_code: dict[str, list[tuple[int, Reliability]]] = {}
    for style, row in rows:
        for each in row.reliability:
            by_code.setdefault(each.code, []).append((style, each))
    shown, thin = [], []
    for code, found in by_code.items():
        held = [(style, _bins(each)) for style, each in found]
        total = sum(n for _, _, n in held[0][1])
        positives = round(sum(share * n for _, share, n in held[0][1]))
        if min(positives, total - positives) < minimum:
            thin.append(code)
            continue
        errors = [f"{kinds[style] or 'ECE'} {_error(bins):.3f}" for style, bins in held]
        note = f"ECE: {', '.join(errors)}; {positives} positives ({percent(positives / max(1, total))})"
        shown.append(diagram(code, note, sorted(held, key=lambda each: -each[0]), total))
    return shown, thin


def _bins(each: Reliability) -> list[tuple[float, float, int]]:
    return [
        (p, share, n)
        for p, share, n in zip(each.probability, each.share, each.count, strict=False)
        if finite(p) and finite(share) and n > 0
    ]


def _error(bins: Sequence[tuple[float, float, int]]) -> float:
    """Expected calibration error of a label: the bins' gaps, weighed by the records in them."""
    total = sum(n for _, _, n in bins)
    return sum(abs(p - share) * n for p, share, n in bins) / max(1, total)
