"""Retrieval: a recording finds its report among the part's reports, and a report its recording."""

import numpy as np

from ecgclip.evaluation import patient_weights, retrieval_ranks
from ecgclip.evaluation.bootstrap import percentiles
from ecgclip.evaluation.retrieval import DIRECTIONS
from ecgclip.models import StorePart, join_statements, readable_texts
from ecgclip.studies.benchmark.bench import Bench
from ecgclip.studies.benchmark.ledger import Ledger
from ecgclip.studies.benchmark.results import Row
from ecgclip.studies.benchmark.rows import row_key

__all__ = ["retrieval"]

_AT = (1, 5, 10)


def retrieval(bench: Bench, ledger: Ledger) -> None:
    """Recall at 1, 5 and 10 and the median rank in both directions; identical texts are hits of each other."""
    assert bench.model is not None
    there = all(ledger.has(row_key("model", "", {"direction": direction})) for direction in DIRECTIONS)
    bench.progress.start(1)
    if not bench.progress.begins("reports and recordings", there):
        return
    table, findings = bench.table(), bench.model.config.findings
    reports = [text if str(text).strip() else "" for text in table["report"]]
    named = [k for k, text in enumerate(reports) if text]
    read = [join_statements(readable_texts(reports[k], findings)) or reports[k] for k in named]
    rows = bench.rows(bench.split)[named]
    ecg = bench.model.encode_ecg(StorePart(bench.store, rows))
    ranks, _ = retrieval_ranks(ecg, bench.model.encode_text([reports[k] for k in named]), read)
    who = table["patient_id"].to_numpy()[named]
    weights = patient_weights(who, draws=bench.draws, seed=bench.seed).astype(np.float64)
    for direction, rank in ranks.items():
        hit = (rank[None, :] <= np.array(_AT)[:, None]).astype(np.float64)
        drawn = weights @ hit.T / weights.sum(axis=1, keepdims=True)
        low, high = percentiles(drawn[:, -1])
        more: dict[str, float | None] = {f"recall@{k}": float(hit[i].mean()) for i, k in enumerate(_AT)}
        more |= {"median_rank": float(np.median(rank)), "distinct_texts": float(len(set(read)))}
        setting: dict[str, str | int | float | bool] = {"direction": direction}
        ledger.add(
            [
                Row(
                    key=row_key("model", "", setting),
                    name="model",
                    labels="",
                    setting=setting,
                    population="all",
                    metric="recall@10",
                    figure=float(hit[-1].mean()),
                    low=low,
                    high=high,
                    n=len(named),
                    patients=len(np.unique(who)),
                    n_labels=0,
                    bank="",
                    marks=list(bench.marks),
                    more=more,
                    classes=[],
                    reliability=[],
                    left_out=[],
                    scores="",
                )
            ]
        )
    if len(named) < len(table):
        ledger.leave_out("recordings", f"{len(table) - len(named)} of {len(table)} have no report")
