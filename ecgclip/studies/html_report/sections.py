"""What a protocol shows beside its figures: curves, diagrams and comparisons."""

from collections.abc import Callable, Sequence

from ecgclip.studies.benchmark.results import Results, Row

from .comparisons import leads_section, retrieval_section
from .curves import probe_section, robustness_section
from .forest import class_details, forest, left_out_list, main_rows
from .markup import Markup, joined, tag
from .numbers import count
from .reliabilities import calibration_section

__all__ = ["TITLES", "protocol_section"]

TITLES = {
    "zero_shot": "Zero-shot classification",
    "linear_probe": "Linear probe",
    "few_shot": "Few-shot probe",
    "fine_tune": "Fine-tuning",
    "retrieval": "Retrieval",
    "transfer": "Transfer to another corpus",
    "leads": "Fewer leads",
    "robustness": "Robustness",
    "calibration": "Calibration",
}
"""Protocols in the order of the page."""

LEADS = {
    "zero_shot": "Scored by the phrases of the shipped bank alone.",
    "linear_probe": "A logistic regression on frozen features, its strength chosen by cross-validation inside the "
    "drawn labels; a figure is the mean over draws of training patients.",
    "few_shot": "A logistic regression on frozen features of a few positive patients a label.",
    "fine_tune": "The whole encoder trained on labels for a few epochs.",
    "retrieval": "Which report belongs to which recording; identical texts are hits of each other.",
    "transfer": "Trained on one corpus, tested on every record of another.",
    "leads": "Zero-shot with fewer leads: absent ones told by the mask, or handed over as a flat line.",
    "robustness": "Zero-shot as disturbances grow; the leftmost point is the recording as it is.",
    "calibration": "Whether probabilities mean what they say; the dashed diagonal is a forecast that does, and a dot "
    "is the larger the more records lie in its bin.",
}


def protocol_section(results: Results, identifier: str) -> Markup:
    """The section of one results file."""
    title = TITLES.get(results.protocol, results.protocol)
    rows = main_rows(results.rows)
    facts = (
        f"{results.corpus.title}, {results.split}; {count(len(results.rows))} figures, {count(results.draws)} "
        f"bootstrap draws over patients, seed {results.seed}"
    )
    if any(row.n_labels for row in rows):
        facts += f"; a label needs {results.minimum} positives and negatives"
    shown = _SECTIONS.get(results.protocol, _plain)(results, rows) if rows else None
    return tag(
        "section",
        {"id": identifier},
        tag("h2", None, title),
        tag("p", None, LEADS.get(results.protocol), " ", tag("span", {"class": "quiet"}, f"{facts}.")),
        None
        if results.finished
        else tag("p", {"class": "warning"}, "This protocol is not finished: figures are missing."),
        shown,
        left_out_list(results.left_out, "Left out"),
        _rows_left_out(rows),
    )


def _rows_left_out(rows: Sequence[Row]) -> Markup | None:
    lists = [
        tag(
            "li",
            None,
            tag("b", None, row.key),
            ": ",
            "; ".join(f"{out.what} ({out.why})" for out in row.left_out),
        )
        for row in rows
        if row.left_out
    ]
    if not lists:
        return None
    summary = tag("summary", None, f"Labels that {len(lists)} of the figures lack")
    return tag("details", {"class": "left-out"}, summary, tag("ul", None, *lists))


def _plain(results: Results, rows: Sequence[Row]) -> Markup:
    whole = [row for row in rows if row.population == "all"]
    return joined((forest(rows, TITLES.get(results.protocol, results.protocol)), class_details(whole)))


_SECTIONS: dict[str, Callable[[Results, Sequence[Row]], Markup]] = {
    "linear_probe": probe_section,
    "few_shot": probe_section,
    "leads": leads_section,
    "robustness": robustness_section,
    "retrieval": retrieval_section,
    "calibration": calibration_section,
}
