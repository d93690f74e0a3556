"""The probe's regressions equal scikit-learn's, its draws are stratified, and what is absent is listed."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from ecgclip.errors import DataError, UsageError
from ecgclip.evaluation import auroc, few_shot_probe, linear_probe
from ecgclip.evaluation.drawing import draw_patients, draw_shots
from ecgclip.evaluation.logistic import fit_logistic


def _corpus(seed=0, n=600, dim=12, labels=4):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, dim)) @ rng.normal(size=(dim, dim)) + 3.0
    logits = (features - 3.0) @ rng.normal(size=(dim, labels)) * 0.3 - [0.0, 1.0, 2.0, 4.0]
    targets = (rng.random((n, labels)) < 1 / (1 + np.exp(-logits))).astype(int)
    patients = np.array([f"p{i // 2}" for i in range(n)])
    split = np.where(np.arange(n) < n * 2 // 3, "train", "test")
    return features, targets, patients, split


@pytest.mark.parametrize(("n", "dim"), [(300, 10), (40, 80)])
def test_regressions_equal_scikit_learn(n, dim):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, dim)) * rng.uniform(0.1, 3, dim)
    y = np.stack([x[:, 0] + rng.normal(size=n) > 0, x[:, 1] > 1.0], axis=1)
    penalties = np.array([0.5, 0.01])
    fitted = fit_logistic(x, y, penalties, tol=1e-14)
    assert fitted.converged.all()
    for k in range(2):
        reference = LogisticRegression(C=penalties[k], tol=1e-10, max_iter=10000).fit(x, y[:, k])
        np.testing.assert_allclose(fitted.decision(x)[:, k], reference.decision_function(x), atol=1e-4)


def test_zero_weights_leave_records_out():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(60, 5)), rng.random((60, 1)) < 0.4
    weights = (np.arange(60) < 40)[:, None].astype(float)
    part = fit_logistic(x, y, np.array([0.1]), weights=weights, tol=1e-14)
    alone = fit_logistic(x[:40], y[:40], np.array([0.1]), tol=1e-14)
    np.testing.assert_allclose(part.decision(x), alone.decision(x), atol=1e-6)


def test_separable_and_constant_features_stay_finite():
    x = np.concatenate([np.full((20, 1), -1.0), np.full((20, 1), 1.0)])
    fitted = fit_logistic(np.hstack([x, np.zeros((40, 2))]), x > 0, np.array([1.0]))
    assert fitted.converged.all()
    assert np.isfinite(fitted.coefficients).all()


def test_probe_learns_and_reports_every_draw():
    features, targets, patients, split = _corpus()
    result = linear_probe(
        features, targets, patients, split, codes=list("ABCD"), fractions=(0.1, 1.0), draws=2
    )
    frame = result.to_frame()
    assert frame["fraction"].tolist() == [0.1, 0.1, 1.0]
    assert frame["patients"].tolist() == [20, 20, 200]
    assert frame["converged"].all()
    assert result.summary().loc[1.0, "mean"] > 0.75
    assert result.summary().loc[1.0, "mean"] >= result.summary().loc[0.1, "mean"]
    table = result.table(1.0, draws=20)
    assert table.loc["macro", "auroc"] == pytest.approx(frame["macro_auroc"].iloc[-1])
    again = linear_probe(features, targets, patients, split, codes=list("ABCD"), fractions=(0.1,), draws=2)
    np.testing.assert_array_equal(again.draws[1].scores, result.draws[1].scores)


def test_draws_do_not_depend_on_the_features():
    features, targets, patients, split = _corpus()
    a = linear_probe(features, targets, patients, split, codes=list("ABCD"), fractions=(0.1,), draws=1)
    b = linear_probe(
        features[:, :3] ** 2, targets, patients, split, codes=list("ABCD"), fractions=(0.1,), draws=1
    )
    np.testing.assert_array_equal(a.draws[0].records, b.draws[0].records)


def test_a_scorable_label_keeps_a_positive_patient():
    targets = np.zeros((1000, 3), dtype=bool)
    targets[:500, 0] = True
    targets[990:, 1] = True
    targets[999, 2] = True
    patients = np.arange(1000) // 2
    for seed in range(20):
        rows = draw_patients(
            targets, patients, 0.01, np.random.default_rng(seed), np.array([True, True, False])
        )
        assert len(rows) == 10
        assert targets[rows, 1].any()
        assert np.bincount(patients[rows])[patients[rows]].min() == 2


def test_few_positives_take_the_fixed_penalty_and_absent_labels_are_listed():
    features, targets, patients, split = _corpus()
    targets[:, 3] = 0
    targets[-30:, 3] = 1  # only in the test part
    result = linear_probe(
        features, targets, patients, split, codes=list("ABCD"), fractions=(0.02, 1.0), draws=1
    )
    assert result.draws[0].n_patients == 4
    assert all(c == 0.01 for c in result.draws[0].penalties if np.isfinite(c))
    corrected = linear_probe(
        features,
        targets,
        patients,
        split,
        codes=list("ABCD"),
        fractions=(0.02,),
        draws=1,
        prior=targets + 0.0,
    )
    assert all(c == 0.001 for c in corrected.draws[0].penalties if np.isfinite(c))
    assert "D" in result.draws[0].absent
    assert result.draws[1].absent == ("D",)
    assert np.isnan(result.draws[1].scores[:, 3]).all()
    assert result.to_frame()["labels_scored"].iloc[-1] == 3
    assert "D" not in result.table(1.0, draws=5).index


def test_faults_are_refused():
    features, targets, patients, split = _corpus(n=60)
    broken = features.copy()
    broken[7, 0] = np.nan
    with pytest.raises(DataError, match="first: row 7"):
        linear_probe(broken, targets, patients, split, codes=list("ABCD"))
    with pytest.raises(DataError, match="split by patient"):
        linear_probe(features, targets, np.zeros(60), split, codes=list("ABCD"))
    with pytest.raises(DataError, match="needs both"):
        linear_probe(features, targets, patients, ["train"] * 60, codes=list("ABCD"))
    with pytest.raises(UsageError, match="fractions"):
        linear_probe(features, targets, patients, split, codes=list("ABCD"), fractions=(1.5,))
    with pytest.raises(DataError, match="expected"):
        linear_probe(features, targets, patients, split, codes=["A"])


def test_shots_give_each_label_its_patients_or_all_that_it_has():
    rng = np.random.default_rng(3)
    targets = rng.random((400, 4)) < np.array([0.5, 0.1, 0.02, 0.0])
    targets[:2, 2] = True
    patients = np.arange(400) // 2
    for shots in (1, 4, 16):
        rows = draw_shots(targets, patients, shots, np.random.default_rng(0))
        have = [len(np.unique(patients[targets[:, k]])) for k in range(4)]
        drawn = [len(np.unique(patients[rows][targets[rows, k]])) for k in range(4)]
        assert all(d >= min(shots, h) for d, h in zip(drawn, have, strict=True))
        assert set(np.flatnonzero(np.isin(patients, patients[rows]))) == set(rows)
        assert len(np.unique(patients[rows])) <= 3 * shots


def test_a_few_shots_probe_lists_the_label_without_a_positive():
    rng = np.random.default_rng(4)
    targets = (rng.random((300, 3)) < 0.3).astype(int)
    split = np.where(np.arange(300) < 200, "train", "test")
    targets[:200, 2] = 0
    features = targets + rng.normal(0, 0.5, (300, 3))
    found = few_shot_probe(features, targets, np.arange(300), split, codes=list("ABC"), shots=(1, 8), draws=2)
    assert [(d.shots, d.number) for d in found.draws] == [(1, 0), (1, 1), (8, 0), (8, 1)]
    assert all("C" in d.absent for d in found.draws)
    assert found.draws[2].absent == ("C",)
    assert found.draws[2].n_patients <= 16
    with pytest.raises(UsageError, match="shots"):
        few_shot_probe(features, targets, np.arange(300), split, codes=list("ABC"), shots=(0,))


def test_a_share_of_patients_keeps_the_share_of_every_label():
    rng = np.random.default_rng(5)
    targets = rng.random((1000, 4)) < np.array([0.5, 0.2, 0.1, 0.01])
    wanted = np.ones(4, dtype=bool)
    for seed in range(10):
        rows = draw_patients(targets, np.arange(1000), 0.1, np.random.default_rng(seed), wanted)
        assert len(rows) == 100
        counts, whole = targets[rows].sum(axis=0), targets.sum(axis=0)
        assert (counts >= np.maximum(np.round(0.1 * whole), 1) - 1e-9).all()


def test_a_fit_from_scores_is_the_minimum_of_its_objective():
    rng = np.random.default_rng(6)
    n, dim, penalty = 50, 4, 0.05
    x, prior = rng.normal(size=(n, dim)), rng.normal(size=(n, 1))
    y = rng.random((n, 1)) < 1 / (1 + np.exp(-2 * prior - x[:, :1]))

    def objective(theta):
        logits = theta[0] * prior[:, 0] + theta[1] + x @ theta[2:]
        loss = (np.logaddexp(0, logits) - y[:, 0] * logits).sum()
        return loss + (theta[0] - 1) ** 2 / 2 + (theta[2:] ** 2).sum() / (2 * penalty)

    wanted = minimize(objective, np.zeros(dim + 2), tol=1e-12).x
    fitted = fit_logistic(x, y, np.array([penalty]), prior=prior, tol=1e-14)
    assert fitted.converged.all()
    assert fitted.slopes[0] == pytest.approx(wanted[0], abs=1e-4)
    np.testing.assert_allclose(
        fitted.decision(x, prior)[:, 0],
        wanted[0] * prior[:, 0] + wanted[1] + x @ wanted[2:],
        atol=1e-4,
    )


def test_few_labels_keep_good_scores_and_many_overturn_bad_ones():
    features, targets, patients, split = _corpus(n=1200)
    codes, test = list("ABCD"), split == "test"
    rng = np.random.default_rng(7)
    good = targets + rng.normal(0, 0.7, targets.shape)

    def macro(fraction, prior):
        given = {"fractions": (fraction,), "draws": 3, "prior": prior}
        found = linear_probe(features, targets, patients, split, codes=codes, **given)
        return found.summary()["mean"].item()

    alone = float(np.mean(auroc(good[test], targets[test])))
    assert macro(0.02, None) < macro(0.02, good)
    assert macro(0.02, good) > alone - 0.05
    assert macro(1.0, good) > alone
    assert macro(1.0, -good) > macro(1.0, None)  # the slope turns round
    shots, scaled = (
        few_shot_probe(features, targets, patients, split, codes=codes, shots=(1,), draws=3, prior=prior)
        for prior in (good, 1e3 * good + 5.0)
    )
    assert shots.to_frame()["macro_auroc"].mean() > alone - 0.05
    for one, other in zip(shots.draws, scaled.draws, strict=True):  # whatever unit the scores have
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-6)


def test_scores_to_start_from_that_do_not_fit_are_refused():
    features, targets, patients, split = _corpus(n=60)
    given = (features, targets, patients, split)
    with pytest.raises(DataError, match=r"of shape \(60, 2\): expected \(60, 4\)"):
        linear_probe(*given, codes=list("ABCD"), prior=np.zeros((60, 2)))
    scores = np.zeros((60, 4))
    scores[3, 2] = np.nan
    with pytest.raises(DataError, match="scores of C"):
        linear_probe(*given, codes=list("ABCD"), prior=scores)
