"""Rows say what the evaluation protocol asks for, and nothing else than the plain metric does."""

import numpy as np
import pandas as pd
import pytest

from ecgclip.corpora import label_set
from ecgclip.errors import DataError
from ecgclip.evaluation import auroc, macro_interval, patient_weights
from ecgclip.studies.benchmark.mapping import label_mapping
from ecgclip.studies.benchmark.results import LeftOut
from ecgclip.studies.benchmark.rows import Scored, auroc_rows, mean_of_draws, mean_of_sets

HOW = {"minimum": 10, "draws": 60, "seed": 3}


def scored(seed=0, n=200, labels="ptbxl-superclass", codes=("A", "B", "C"), **more):
    rng = np.random.default_rng(seed)
    targets = (
        np.random.default_rng(9).random((n, len(codes))) < np.array([0.3, 0.2, 0.02])[: len(codes)]
    ) * 1
    table = pd.DataFrame({"record_id": np.arange(n), "patient_id": np.arange(n) // 2, "split": "test"})
    scores = targets + rng.normal(0, 1, targets.shape)
    return Scored(
        name="model",
        labels=labels,
        codes=codes,
        titles={"A": "apple"},
        scores=scores,
        targets=targets,
        table=table,
        **more,
    )


def test_rows_of_populations():
    one = scored(marks=("label-free",))
    whole, every, peer = auroc_rows(one, **HOW, populations=("all", "all-classes", "peer population"))
    figures = auroc(one.scores, one.targets)
    assert whole.figure == pytest.approx(figures[:2].mean())
    assert every.figure == pytest.approx(figures.mean())
    carries = one.targets.any(axis=1)
    assert peer.figure == pytest.approx(auroc(one.scores[carries], one.targets[carries])[:2].mean())
    assert (whole.n, peer.n) == (200, int(carries.sum()))
    assert (whole.n_labels, every.n_labels) == (2, 3)
    assert len({row.key for row in (whole, every, peer)}) == 3
    assert "peer population" in peer.marks
    assert "peer population" not in whole.marks
    interval = macro_interval(one.scores, one.targets, one.patients, **HOW)
    assert (whole.low, whole.high) == pytest.approx((interval.low, interval.high))
    assert [(c.code, c.name, c.scored) for c in whole.classes] == [
        ("A", "apple", True),
        ("B", "B", True),
        ("C", "C", False),
    ]
    assert "10 needed" in whole.classes[2].reason


def test_the_mean_over_draws_is_a_plain_mean_on_the_same_patients():
    parts = [scored(seed, setting={"fraction": 0.1, "draw": seed}) for seed in range(3)]
    row = mean_of_draws([parts], "ptbxl-superclass", {"fraction": 0.1}, **HOW)
    points = [auroc(p.scores, p.targets)[:2].mean() for p in parts]
    weights = patient_weights(parts[0].patients, draws=60, seed=3)
    drawn = np.mean([auroc(p.scores[:, :2], p.targets[:, :2], weights).mean(axis=1) for p in parts], axis=0)
    assert row.figure == pytest.approx(np.mean(points))
    assert (row.low, row.high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])))
    assert (row.more["lowest"], row.more["highest"]) == pytest.approx((min(points), max(points)))


def test_a_label_that_a_draw_could_not_learn_is_left_out_and_listed():
    from dataclasses import replace

    first, second = (scored(seed, setting={"fraction": 0.01, "draw": seed}) for seed in range(2))
    scores = second.scores.copy()
    scores[:, 1] = np.nan
    second = replace(second, scores=scores, left_out=(LeftOut(what="B", why="no positive"),))
    row = mean_of_draws([[first, second]], "ptbxl-superclass", {"fraction": 0.01}, **HOW)
    wanted = [auroc(first.scores, first.targets)[:2].mean(), auroc(scores[:, 0], second.targets[:, 0])]
    assert row.figure == pytest.approx(np.mean(wanted))
    assert [out.what for out in row.left_out] == ["B"]
    (alone,) = auroc_rows(second, **HOW, populations=("all",))
    assert [c.code for c in alone.classes] == ["A", "C"]


def test_the_mean_over_sets_weighs_sets_alike():
    parts = [scored(0, codes=("A", "B")), scored(1, codes=("A",), labels="ptbxl-form")]
    row = mean_of_sets(parts, **HOW)
    wanted = np.mean([auroc(p.scores, p.targets).mean() for p in parts])
    assert row.figure == pytest.approx(wanted)
    assert row.labels == "ptbxl-mean"


def test_the_mapping_reads_ptb_xl_as_cpsc():
    mapping = label_mapping("scp", "cpsc2018")
    assert mapping.unmapped == ()
    table = pd.DataFrame({"codes": [["NORM", "SR"], ["NORM", "AFIB"], ["CRBBB", "1AVB"], ["IRBBB"], []]})
    found = mapping.matrix(table)
    codes = label_set("cpsc2018").codes
    named = [{codes[k] for k in np.flatnonzero(row)} for row in found]
    assert named == [{"Normal"}, {"AF"}, {"RBBB", "I-AVB"}, set(), set()]
    with pytest.raises(DataError, match="no mapping from scp codes to csn"):
        label_mapping("scp", "csn")


def test_every_mapped_code_exists():
    from ecgclip.corpora.label_sets import facts

    known = set(label_set("ptbxl-all").codes)
    mapping = label_mapping("scp", "cpsc2018")
    assert set().union(*mapping.codes.values(), *mapping.but.values()) <= known
    assert facts()
