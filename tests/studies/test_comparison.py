"""Comparisons: paired, within folds, and refused where the two sides did not score the same."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ecgclip.errors import DataError, UsageError
from ecgclip.evaluation import holm, paired_bootstrap
from ecgclip.studies.benchmark import Results, Row, write_results
from ecgclip.studies.benchmark.results import FORMAT, CorpusFacts, ModelFacts
from ecgclip.studies.comparison import MEASURES, compare, compare_family
from ecgclip.studies.rotation import SETS, Rotation


def long_scores(rng, *, n=80, folds=2, labels=("A", "B"), skill=1.0, name="ptbxl-form"):
    """Scores of ``folds`` test folds with patients of one or two records; the truth follows from a seed of its own."""
    truth = np.random.default_rng(7)
    rows = []
    for fold in range(1, folds + 1):
        for k in range(n):
            for label in labels:
                target = int(truth.random() < 0.4)
                rows.append(
                    {
                        "record": f"r{fold}-{k:03d}",
                        "patient": f"p{fold}-{k // 2}",
                        "fold": fold,
                        "labels": name,
                        "label": label,
                        "score": np.float32(skill * target + rng.normal() + 100 * fold),
                        "target": np.int8(target),
                    }
                )
    return pd.DataFrame(rows)


def write_run(folder, table, split="validation"):
    """A run folder with these scores and nothing else."""
    (folder / "scores").mkdir(parents=True)
    for name, part in table.groupby("labels"):
        part.drop(columns=["fold", "labels"]).to_parquet(folder / "scores" / f"{split}-{name}.parquet")
    return folder


def write_rotation(folder, name, table, probe=None):
    """A rotation with these scores and nothing else."""
    cells = {}
    for fold, part in table.groupby("fold"):
        cell = folder / "cells" / f"{name}-{fold}"
        cell.mkdir(parents=True)
        part.to_parquet(cell / "scores.parquet")
        if probe is not None:
            probe[probe["fold"] == fold].to_parquet(cell / "probe.parquet")
        cells[str(fold)] = f"cells/{name}-{fold}"
    file = folder / f"{name}.rotation.json"
    file.write_text(json.dumps({"rotation": name, "cells": cells}))
    return Rotation.open(file)


def macro(table, minimum=10):
    """The figure by its definition: AUROC within folds, mean over labels, sets and folds."""
    folds = []
    for _, fold in table.groupby("fold"):
        sets = []
        for _, one in fold.groupby("labels"):
            values = [
                roc_auc_score(each["target"], each["score"])
                for _, each in one.groupby("label")
                if minimum <= each["target"].sum() <= len(each) - minimum
            ]
            sets += [np.mean(values)] if values else []
        folds += [np.mean(sets)] if sets else []
    return np.mean(folds)


@pytest.fixture
def two():
    """A good model's scores and a worse one's."""
    return long_scores(np.random.default_rng(0), skill=1.5), long_scores(np.random.default_rng(1), skill=0.5)


def test_the_difference_is_that_of_the_definition_and_of_the_bootstrap(two, tmp_path):
    a, b = (write_rotation(tmp_path, name, table) for name, table in zip("ab", two, strict=True))
    found = compare(a, b, draws=200, seed=3)
    row = found.sets[0]
    assert row.a == pytest.approx(macro(two[0]), abs=1e-12)
    assert row.b == pytest.approx(macro(two[1]), abs=1e-12)
    wide = [t.pivot(index=["fold", "record"], columns="label", values=["score", "target"]) for t in two]
    direct = paired_bootstrap(
        wide[0]["score"].to_numpy(),
        wide[1]["score"].to_numpy(),
        wide[0]["target"].to_numpy(),
        [f"p{fold}-{int(record[3:]) // 2}" for fold, record in wide[0].index],
        folds=[fold for fold, _ in wide[0].index],
        draws=200,
        seed=3,
    )
    assert (row.difference, row.low, row.high, row.p) == (
        direct.difference,
        direct.low,
        direct.high,
        direct.p,
    )
    assert row.low > 0
    assert row.folds == 2
    again = compare(b, a, draws=200, seed=3).sets[0]
    assert again.difference == pytest.approx(-row.difference)
    assert (again.low, again.high) == (pytest.approx(-row.high), pytest.approx(-row.low))


def test_scores_of_folds_are_not_pooled(two, tmp_path):
    shifted = two[1].assign(score=two[1]["score"] + 1000 * (two[1]["fold"] == 2))
    a, b = write_rotation(tmp_path, "a", two[1]), write_rotation(tmp_path, "b", shifted)
    row = compare(a, b, draws=50).sets[0]
    assert (row.difference, row.low, row.high) == (0, 0, 0)


def test_a_label_counts_in_the_folds_where_it_is_frequent_enough(two, tmp_path):
    tables = []
    for table in two:
        rare = (table["label"] == "B") & (table["fold"] == 1)
        keep = rare & (table["record"].str[-3:].astype(int) < 4)
        tables.append(table.assign(target=np.where(rare, keep, table["target"]).astype(np.int8)))
    a, b = (write_rotation(tmp_path, name, table) for name, table in zip("ab", tables, strict=True))
    found = compare(a, b, draws=50)
    assert found.sets[0].a == pytest.approx(macro(tables[0]), abs=1e-12)
    assert found.sets[0].labels == 3
    folds = {row.name.split(": ")[1]: row.folds for row in found.labels}
    assert folds == {"A": 2, "B": 1}
    with pytest.raises(DataError, match="no label has 79 positives"):
        compare(a, b, minimum=79)


def test_labels_are_listed_by_the_size_of_their_difference(two, tmp_path):
    a, b = (write_run(tmp_path / name, t[t["fold"] == 1]) for name, t in zip("ab", two, strict=True))
    found = compare(a, b, draws=50)
    sizes = [abs(row.difference) for row in found.labels]
    assert sizes == sorted(sizes, reverse=True)
    assert {row.name for row in found.labels} == {"ptbxl-form: A", "ptbxl-form: B"}
    assert found.mean is None
    frame = found.to_frame()
    assert len(frame) == 3
    assert json.loads(json.dumps(found.to_dict()))["n"] == 80


def test_label_sets_are_a_family(tmp_path):
    tables = []
    for k, skill in enumerate((1.5, 0.5)):
        rng = np.random.default_rng(k)
        tables.append(pd.concat([long_scores(rng, skill=skill, name=name) for name in SETS]))
    runs = [write_run(tmp_path / n, t[t["fold"] == 1]) for n, t in zip("ab", tables, strict=True)]
    found = compare(*runs, draws=100)
    assert [row.p_holm for row in found.sets] == pytest.approx(holm([row.p for row in found.sets]))
    assert found.mean.difference == pytest.approx(np.mean([row.difference for row in found.sets]))
    some = compare(*runs, labels=SETS[:2], draws=100)
    assert len(some.sets) == 2


def test_what_was_not_scored_alike_is_refused(two, tmp_path):
    a = write_run(tmp_path / "a", two[0][two[0]["fold"] == 1])
    part = two[1][two[1]["fold"] == 1]
    cases = {
        "other recordings": (part[part["record"] != "r1-003"], r"different recordings .*r1-003"),
        "other truth": (part.assign(target=1 - part["target"]), "different labels"),
        "fewer labels": (part[part["label"] == "A"], "--labels"),
        "twice": (pd.concat([part, part]), "twice"),
        "in part": (
            part[(part["record"] != "r1-003") | (part["label"] == "A")],
            "no score of recording r1-003",
        ),
    }
    for name, (table, words) in cases.items():
        b = write_run(tmp_path / name, table)
        with pytest.raises(DataError, match=words) as caught:
            compare(a, b)
        assert "\n" not in str(caught.value)
    rotation = write_rotation(tmp_path, "r", two[0])
    with pytest.raises(DataError, match="different recordings"):
        compare(a, rotation)
    with pytest.raises(UsageError, match="--split"):
        compare(rotation, rotation, split="test")
    with pytest.raises(DataError, match="no scores of the test split"):
        compare(a, a, split="test")
    with pytest.raises(DataError, match="no scores of ptbxl-rhythm; there is ptbxl-form"):
        compare(a, a, labels=["ptbxl-rhythm"])
    with pytest.raises(DataError, match="neither a run folder"):
        compare(a, tmp_path / "absent")
    (a / "scores" / "validation-ptbxl-form.parquet").write_bytes(b"half")
    with pytest.raises(DataError, match="cannot be read"):
        compare(a, a)


def test_a_family_is_adjusted_over_its_comparisons(tmp_path):
    tables = {
        name: long_scores(np.random.default_rng(k), skill=skill, labels=("PVC", "PAC", "STD_"))
        for k, (name, skill) in enumerate({"ours": 1.5, "good": 1.45, "bad": 0.3}.items())
    }
    made = {name: write_rotation(tmp_path, name, table) for name, table in tables.items()}
    others = {name: made[name] for name in ("good", "bad")}
    rows = compare_family(made["ours"], others, "beat", draws=200)
    assert [row.p_holm for row in rows] == pytest.approx(holm([row.p for row in rows]))
    assert rows[1].low > 0
    beats = {k: t[t["label"].isin(["PVC", "PAC"])] for k, t in tables.items()}
    for row in rows:
        assert row.a == pytest.approx(macro(beats["ours"], 5), abs=1e-12)
        assert row.b == pytest.approx(macro(beats[row.name], 5), abs=1e-12)
    with pytest.raises(UsageError, match="unknown measure"):
        compare_family(made["ours"], others, "beats")


def test_a_probe_averages_its_draws_and_leaves_out_labels_that_a_draw_lacks(tmp_path):
    made, tables = {}, {}
    for k, name in enumerate(("ours", "other")):
        rng = np.random.default_rng(k)
        draws = [long_scores(rng, skill=1.0 + k).assign(fraction=0.1, draw=d) for d in range(3)]
        draws[1] = draws[1][~((draws[1]["label"] == "B") & (draws[1]["fold"] == 2))]
        tables[name] = pd.concat(draws)
        made[name] = write_rotation(tmp_path, name, draws[0].drop(columns=["fraction", "draw"]), tables[name])
    row = compare_family(made["ours"], {"other": made["other"]}, "probe-10", draws=50)[0]
    folds = []
    for _, fold in tables["ours"].groupby("fold"):
        folds.append(np.mean([macro(draw) for _, draw in fold.groupby("draw")]))
    assert row.a == pytest.approx(np.mean(folds), abs=1e-12)


def benchmarked(folder, table, split):
    """A run folder as the benchmark leaves it: a results file whose rows name their scores."""
    empty = dict(setting={}, metric="macro AUROC", low=None, high=None, bank="", marks=[], more={})
    empty |= dict(classes=[], reliability=[], left_out=[], n=80, patients=40, n_labels=2, figure=0.5)
    one = Row(
        key="a", name="model", labels="ptbxl-form", population="all", scores="scores/z/a.parquet", **empty
    )
    other = replace(one, key="b", population="all-classes")
    mean = replace(one, key="c", labels="ptbxl-mean", scores="")
    facts = ModelFacts(name="run", hash="1", preprocessor="2", recipe="", seed=None, trained_on="")
    corpus = CorpusFacts(name="ptb-xl", title="", hash="3", store="4", n=80)
    head = dict(format=FORMAT, protocol="zero_shot", split=split, model=facts, corpus=corpus, draws=9, seed=0)
    head |= dict(minimum=10, command="", date="", seconds=0.0, environment={}, finished=True, left_out=[])
    head |= dict(unread=[])
    write_results(folder / "evaluation" / "zero_shot.json", Results(rows=[one, other, mean], **head))
    (folder / "scores" / "z").mkdir(parents=True)
    table.drop(columns=["fold", "labels"]).to_parquet(folder / "scores" / "z" / "a.parquet")
    return folder


def test_scores_of_a_benchmark_are_found(two, tmp_path):
    runs = [benchmarked(tmp_path / n, t[t["fold"] == 1], "test") for n, t in zip("ab", two, strict=True)]
    found = compare(*runs, split="test", draws=20)
    assert [row.name for row in found.sets] == ["ptbxl-form"]
    assert found.sets[0].a == pytest.approx(macro(two[0][two[0]["fold"] == 1]), abs=1e-12)
    with pytest.raises(DataError, match="no scores of the validation split"):
        compare(*runs)


def test_a_mean_over_recordings_is_paired_too(tmp_path):
    rng = np.random.default_rng(0)
    base = long_scores(rng, n=20, labels=("A",))
    made = {}
    for name, shift in (("ours", 2.0), ("other", 0.0)):
        made[name] = write_rotation(tmp_path, name, base)
        for fold, cell in made[name].cells.items():
            rows = base[base["fold"] == fold]
            value = np.arange(len(rows)) * 0.1 + shift + rng.normal(scale=0.1, size=len(rows))
            rows[["record", "patient", "fold"]].assign(value=value, study="real").to_parquet(
                cell.folder / "localisation.parquet"
            )
    row = compare_family(made["ours"], {"other": made["other"]}, "localisation", draws=200)[0]
    assert row.difference == pytest.approx(2.0, abs=0.1)
    assert row.difference == pytest.approx(row.a - row.b)
    assert 1.8 < row.low < row.difference < row.high < 2.2
    assert row.p_holm == row.p
    empty = made["other"].cells[1].folder / "localisation.parquet"
    pd.read_parquet(empty).iloc[:0].to_parquet(empty)
    with pytest.raises(DataError, match="in different recordings"):
        compare_family(made["ours"], {"other": made["other"]}, "localisation")


def test_measures_name_what_is_there():
    for measure in MEASURES.values():
        assert set(measure.sets) <= set(SETS)
        assert measure.table in ("scores", "probe", "localisation")
        assert (measure.table == "probe") == (measure.fraction is not None)


def test_each_study_of_localisation_is_compared_by_its_own_rows(tmp_path):
    base = long_scores(np.random.default_rng(0), n=20, labels=("A",))
    made = {}
    for name, right in (("ours", 1.0), ("other", 0.5)):
        made[name] = write_rotation(tmp_path, name, base)
        for fold, cell in made[name].cells.items():
            rows = base.loc[base["fold"] == fold, ["record", "patient", "fold"]]
            both = [rows.assign(value=5.0, study="real"), rows.assign(value=right, study="competing")]
            pd.concat(both).to_parquet(cell.folder / "localisation.parquet")
    found = {
        measure: compare_family(made["ours"], {"other": made["other"]}, measure, draws=50)[0].difference
        for measure in ("localisation", "competing")
    }
    assert found == {"localisation": 0.0, "competing": 0.5}
