"""The page: its head, what was measured, the figures at a glance, a section a protocol, and the recordings."""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from ecgclip.corpora import Store
from ecgclip.corpora.writing import write_text
from ecgclip.errors import DataError, ECGClipError
from ecgclip.studies.benchmark.results import Results, find_results
from ecgclip.studies.benchmark.telling import unread_text

from .cases import case_section
from .forest import chips, forest, main_rows
from .markup import Markup, joined, slug, tag
from .numbers import count
from .sections import TITLES, protocol_section
from .signals import Signals, open_signals
from .tables import Cell, Column, number_cell, table

__all__ = ["write_report"]

WORDS = {
    "all": "every record of the part; labels with enough positives and negatives count",
    "all-classes": "the same records; labels with a single positive and negative count as well",
    "label-free": "no label of any record was used, for phrases, thresholds or weights",
    "label-supervised": "trained on labels",
    "simulated only": "trained on simulated recordings and reports alone",
    "validation-label-tuned": "phrases or settings were chosen by labels of validation",
    "calibrated on validation labels": "probabilities were fitted on labels of validation",
    "prior": "probabilities follow from a stated prior, without labels",
    "labels of the training part": "a probe was fitted on labels of the training part",
    "peer population": "only records that carry a label of the set, as published split files keep them",
    "outside encoder": "measured through its features alone",
    "untrained": "random weights of the same shape",
}


def write_report(
    run_folder: str | Path, out: str | Path | None = None, data: str | Path | Store | None = None
) -> Path:
    """Write the HTML report of a run's results files: one file that opens from disk and fetches nothing.

    Args:
        run_folder: holds ``evaluation`` with the results files.
        out: the page; by default ``evaluation/report.html`` in the run folder.
        data: the corpus or store that was measured, for drawing recordings; without it, or where it cannot be read,
            the page says that none are drawn.

    Returns:
        Where it was written.

    Raises:
        DataError: there is no results file, one cannot be read, or the page cannot be written.
    """
    folder = Path(run_folder)
    found = [results for _, results in find_results(folder)]
    if not found:
        raise DataError(
            f"{folder / 'evaluation'}: no results file to report on; measure first: ecgclip benchmark RUN --data CORPUS"
        )
    order = list(TITLES)
    found.sort(key=lambda each: order.index(each.protocol) if each.protocol in order else len(order))
    target = Path(out) if out is not None else folder / "evaluation" / "report.html"
    if target.is_dir():
        raise DataError(f"{target}: is a folder: name the page, such as {target / 'report.html'}")
    write_text(target, _page(found, folder, _signals(data, found)))
    return target


def _signals(data: str | Path | Store | None, all_results: Sequence[Results]) -> Signals | str | None:
    """The recordings, or why there are none."""
    if data is None:
        return None
    try:
        return open_signals(data, sorted({each.corpus.hash for each in all_results}))
    except ECGClipError as error:
        return f"Not drawn: {error}"


def _page(all_results: Sequence[Results], folder: Path, signals: Signals | str | None) -> str:
    first = all_results[0]
    title = f"{first.model.name} on {first.corpus.title}"
    identifiers = [_identifier(each) for each in all_results]
    style, script = _resource("report.css"), _resource("report.js")
    policy = f"default-src 'none'; img-src data:; style-src {_allowed(style)}; script-src {_allowed(script)}"
    head = tag(
        "head",
        None,
        tag("meta", {"charset": "utf-8"}),
        tag("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        tag("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        tag("meta", {"name": "color-scheme", "content": "light dark"}),
        tag("title", None, f"Benchmark: {title}"),
        tag("style", None, Markup(style)),
    )
    main = tag(
        "main",
        {"id": "top"},
        tag(
            "header",
            None,
            tag("p", {"class": "kicker"}, "ecgclip benchmark"),
            tag("h1", None, title),
            _facts(all_results),
        ),
        _glance(all_results),
        *(protocol_section(each, name) for each, name in zip(all_results, identifiers, strict=True)),
        case_section(all_results, folder, signals),
        _unread(all_results),
        _made(all_results),
    )
    body = tag("body", None, _contents(all_results, identifiers), main, tag("script", None, Markup(script)))
    return f"<!doctype html>\n{tag('html', {'lang': 'en'}, head, body)}\n"


def _identifier(results: Results) -> str:
    return slug(f"{results.protocol} {results.corpus.name} {results.split}")


def _contents(all_results: Sequence[Results], identifiers: Sequence[str]) -> Markup:
    several = len({(each.corpus.title, each.split) for each in all_results}) > 1
    links = [("glance", "At a glance")]
    for each, name in zip(all_results, identifiers, strict=True):
        said = TITLES.get(each.protocol, each.protocol)
        links.append((name, f"{said}: {each.corpus.name}, {each.split}" if several else said))
    links += [("recordings", "Best and worst recordings"), ("made", "How it was made")]
    items = [tag("li", None, tag("a", {"href": f"#{target}"}, said)) for target, said in links]
    return tag("nav", {"aria-label": "Contents"}, tag("ul", None, *items))


def _facts(all_results: Sequence[Results]) -> Markup:
    """What was measured on what; where files differ, all that they say."""

    def said(values: Sequence[str]) -> str:
        return "; ".join(dict.fromkeys(value for value in values if value)) or "not stated"

    models, corpora = [each.model for each in all_results], [each.corpus for each in all_results]
    rows = [
        row for each in all_results for row in each.rows if row.name == "model" and row.population == "all"
    ]
    marks = [
        mark if all(mark in row.marks for row in rows) else f"some figures: {mark}"
        for mark in dict.fromkeys(mark for row in rows for mark in row.marks)
    ]
    commands = [each.command for each in all_results if each.command]
    command = (
        tag("code", None, commands[0]) if len(set(commands)) == 1 else tag("a", {"href": "#made"}, "several")
    )
    lines: list[tuple[str, str | Markup | None]] = [
        ("Model", said([f"{m.name} ({m.hash}), preprocessor {m.preprocessor}" for m in models])),
        (
            "Recipe",
            said([f"{m.recipe or 'none'}{'' if m.seed is None else f', seed {m.seed}'}" for m in models]),
        ),
        ("Trained on", said([m.trained_on for m in models])),
        (
            "Corpus",
            said([f"{c.title}, {count(c.n)} recordings (table {c.hash}, store {c.store})" for c in corpora]),
        ),
        ("Part", said([each.split for each in all_results])),
        ("Date", said([each.date[:10] for each in all_results])),
        ("Command", command if commands else "not stated"),
        ("Marks", chips(marks) or "none"),
    ]
    items = [joined((tag("dt", None, name), tag("dd", None, value))) for name, value in lines]
    mixed = len({m.hash for m in models}) > 1
    warning = (
        "Results files of different models stand on this page: compare within a section only."
        if mixed
        else None
    )
    return joined((tag("dl", None, *items), tag("p", {"class": "warning"}, warning) if warning else None))


def _glance(all_results: Sequence[Results]) -> Markup:
    parts: list[Markup] = []
    for each in all_results:
        rows = [row for row in main_rows(each.rows) if row.population == "all"]
        means = [row for row in rows if row.labels == "ptbxl-mean"]
        if each.protocol != "zero_shot" and means:
            rows = means
        if each.protocol == "robustness":
            rows = []
        if rows:
            said = TITLES.get(each.protocol, each.protocol)
            parts.append(forest(rows, f"{said}, {each.split}"))
    return tag(
        "section",
        {"id": "glance"},
        tag("h2", None, "At a glance"),
        tag(
            "p",
            {"class": "quiet"},
            "A dot is the figure, a line its 95 % interval by a bootstrap over patients. Where four PTB-XL label "
            "sets were scored, ptbxl-mean gives them equal weight. Sensitivity is at 90 % "
            "specificity. A column's head sorts it.",
        ),
        *parts,
    )


def _unread(all_results: Sequence[Results]) -> Markup:
    """Recordings that no figure rests on, a table a corpus; of two files the later one's word."""
    found = {each.corpus: each for results in all_results for each in results.unread}
    parts: list[Markup] = []
    for each in found.values():
        columns = [Column("recording", "text"), Column("reason", "text")]
        lines = [(out.what, out.why) for out in each.first]
        parts.append(
            tag("p", None, f"{unread_text(each)}; all of them are listed in ", tag("code", None, each.file))
        )
        parts.append(table(columns, lines, f"{each.corpus}: the first {count(len(lines))}"))
    if not parts:
        parts = [tag("p", None, "None: every recording that was given was prepared.")]
    return tag("section", {"id": "unread"}, tag("h2", None, "Recordings that could not be read"), *parts)


def _made(all_results: Sequence[Results]) -> Markup:
    """Files, commands, versions, and what marks mean."""
    columns = [
        Column("protocol", "text"),
        Column("part", "text"),
        Column("figures"),
        Column("draws"),
        Column("seconds"),
        Column("finished", "text"),
        Column("date", "text"),
        Column("model", "text"),
    ]
    lines = [
        [
            each.protocol,
            f"{each.corpus.name}, {each.split}",
            number_cell(count(len(each.rows)), len(each.rows)),
            number_cell(count(each.draws), each.draws),
            number_cell(f"{each.seconds:.0f}", each.seconds),
            "yes" if each.finished else "no",
            each.date.replace("T", " ")[:16],
            Cell(tag("code", None, each.model.hash)),
        ]
        for each in all_results
    ]
    commands = [tag("pre", None, each) for each in dict.fromkeys(r.command for r in all_results) if each]
    versions = ", ".join(
        f"{key} {value}" for key, value in all_results[0].environment.items() if value is not None
    )
    used = dict.fromkeys(
        word for each in all_results for row in each.rows for word in (row.population, *row.marks)
    )
    words = [joined((tag("dt", None, word), tag("dd", None, WORDS.get(word, "")))) for word in used]
    return tag(
        "section",
        {"id": "made"},
        tag("h2", None, "How it was made"),
        table(columns, lines, "Results files"),
        tag("h3", None, "Command") if commands else None,
        *commands,
        tag("h3", None, "Environment"),
        tag("p", {"class": "quiet"}, versions),
        tag("h3", None, "Records and marks") if words else None,
        tag("dl", None, *words) if words else None,
    )


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _allowed(text: str) -> str:
    """The one style or script that the page may run, by its hash: nothing a file says becomes code."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
