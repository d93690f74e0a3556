"""Results files as the HTML report is given them: one of each protocol, with what a page must escape."""

import numpy as np
import pandas as pd

from ecgclip.studies.benchmark.results import (
    FORMAT,
    ClassRow,
    CorpusFacts,
    LeftOut,
    ModelFacts,
    Reliability,
    Results,
    Row,
)

NASTY = """<script>alert('1')</script>"x" & Ä"""
CODES = ("NORM", "MI", "STTC")


def class_row(code, auroc, **changes):
    given = {"code": code, "name": f"name of {code}", "n": 40, "positives": 12, "auroc": auroc, "auprc": 0.5}
    given |= {"low": auroc and auroc - 0.05, "high": auroc and auroc + 0.04, "sensitivity": 0.4}
    return ClassRow(**(given | {"skipped_draws": 0, "scored": True, "reason": ""} | changes))


def row(key, setting=None, figure=0.8, **changes):
    given = {
        "key": key,
        "name": "model",
        "labels": "ptbxl-superclass",
        "setting": setting or {},
        "metric": "macro AUROC",
    }
    given |= {
        "population": "all",
        "figure": figure,
        "low": figure and figure - 0.03,
        "high": figure and figure + 0.03,
    }
    given |= {
        "n": 40,
        "patients": 38,
        "n_labels": 3,
        "bank": "",
        "marks": ["label-free"],
        "more": {},
        "classes": [],
    }
    return Row(**(given | {"reliability": [], "left_out": [], "scores": ""} | changes))


def results(protocol, rows, corpus="0", **changes):
    model = ModelFacts(
        name="seed<1>", hash="abc", preprocessor="p", recipe="r&d", seed=1, trained_on="ptb-xl"
    )
    held = CorpusFacts(name="simulated", title="Simulated (200)", hash=corpus, store="s", n=200)
    given = {"format": FORMAT, "protocol": protocol, "split": "validation", "model": model, "corpus": held}
    given |= {"draws": 50, "seed": 0, "minimum": 2, "command": "ecgclip benchmark 'a <b>'", "finished": True}
    given |= {"date": "2026-01-02T03:04:05+00:00", "seconds": 1.0, "environment": {"python": "3.11"}}
    return Results(**(given | {"rows": rows, "left_out": [], "unread": []} | changes))


def zero_shot(corpus):
    classes = [class_row(code, auroc) for code, auroc in zip(CODES, (0.9, 0.7, 0.8), strict=True)]
    absent = class_row(
        NASTY, None, positives=0, scored=False, reason="0 positives", auprc=None, sensitivity=None
    )
    scored = row("model/s", classes=[*classes, absent], scores="scores/z.parquet", more={"auprc": 0.5})
    empty = row("model/t", labels="ptbxl-form", figure=None)
    return results("zero_shot", [scored, empty], corpus, left_out=[LeftOut(what=NASTY, why="not read")])


def everything(corpus):
    """A results file of each protocol."""
    bins = Reliability(code="MI", probability=[0.1, None, 0.8], share=[0.2, None, 0.7], count=[30, 0, 10])
    curves = [
        row(f"{name}/{f}", {"fraction": f}, 0.6 + 0.1 * k, name=name)
        for name in ("model", "untrained")
        for k, f in enumerate((0.01, 0.1, 1.0))
    ]
    fills = [row(f"l/{fill}", {"leads": "I, II", "fill": fill}) for fill in ("mask", "zero")]
    harms = [
        row("d/0", {"disturbance": "none", "severity": 0.0}),
        row("d/1", {"disturbance": "noise", "severity": 0.1}),
    ]
    recall = row("r", {"direction": "ecg to text"}, labels="", metric="recall@10", more={"recall@1": 0.2})
    kinds = [
        row(f"c/{kind}", {"probabilities": kind}, 0.1, metric="macro calibration error", reliability=[bins])
        for kind in ("prior", "calibrated")
    ]
    return [
        zero_shot(corpus),
        results("linear_probe", curves, corpus),
        results("few_shot", [row("f", {"shots": 4})], corpus, finished=False),
        results("retrieval", [recall], corpus),
        results(
            "transfer",
            [row("t", {"to": "cpsc2018", "by": "zero-shot"}, classes=[class_row("AF", 0.9)])],
            corpus,
        ),
        results("leads", fills, corpus),
        results("robustness", harms, corpus),
        results("calibration", kinds, corpus),
        results("of_tomorrow", [row("n")], corpus),
    ]


def scores(store):
    """Scores of the first 40 recordings, the first three labels in turn."""
    ids = list(store.table["record_id"][:40])
    frame = pd.DataFrame([(name, code) for name in ids for code in CODES], columns=["record", "label"])
    return frame.assign(
        patient="p",
        split="validation",
        score=np.random.default_rng(0).normal(size=len(frame)).astype(np.float32),
        target=[int(i % 3 == j) for i in range(len(ids)) for j in range(len(CODES))],
    )
