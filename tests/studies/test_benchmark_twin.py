"""The supervised twin of the row `supervised`: trained once, kept, and its absence is said."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ecgclip.corpora import label_set
from ecgclip.errors import DataError
from ecgclip.models import StorePart
from ecgclip.studies.benchmark.bench import Bench
from ecgclip.studies.benchmark.cache import Cache
from ecgclip.studies.benchmark.encoders import ModelEncoder, TwinEncoder
from ecgclip.studies.benchmark.intervals import INTERVALS, interval_features, intervals
from ecgclip.studies.benchmark.progress import Progress
from ecgclip.studies.benchmark.twin import labelled_twin, twin_encoder
from ecgclip.studies.supervised import train_supervised
from ecgclip.training.recipe import load_recipe


class Notes:
    """Takes what is left out."""

    def __init__(self):
        self.said = {}

    def leave_out(self, what, why):
        self.said[what] = why


@pytest.fixture
def bench(tiny_run, tiny_model, tiny_store, tmp_path):
    return Bench(
        name="tiny",
        encoder=ModelEncoder(tiny_model),
        model=tiny_model,
        recipe=load_recipe(tiny_run.path / "recipe.yaml"),
        store=tiny_store,
        split="validation",
        sets=("ptbxl-superclass",),
        marks=(),
        cache=Cache(tmp_path / "cache"),
        supervised=True,
        epochs=1,
        progress=Progress(lambda line: None),
    )


def test_it_is_trained_once_and_kept(bench, tiny_store):
    part = StorePart(tiny_store, np.arange(3))
    first = twin_encoder(bench, Notes())
    told = []
    again = twin_encoder(replace(bench, progress=Progress(told.append)), Notes())
    assert told == []
    assert first.hash == again.hash
    assert np.array_equal(first.features(part), again.features(part))
    (file,) = bench.cache.folder.glob("twin-*.pt")
    file.write_bytes(b"damaged")
    with pytest.raises(DataError, match="damaged"):
        twin_encoder(bench, Notes())


def test_a_start_from_the_model_is_another_twin(bench):
    trained = labelled_twin(bench, bench.recipe, start=True, epochs=1)
    assert len(list(bench.cache.folder.glob("twin-*.pt"))) == 1
    labelled_twin(bench, bench.recipe, start=False, epochs=1)
    assert len(list(bench.cache.folder.glob("twin-*.pt"))) == 2
    scores = trained.label_scores(bench.store, np.arange(4), "ptbxl-superclass")
    assert scores.shape == (4, 5)
    assert np.isfinite(scores).all()


def test_a_started_twin_begins_as_a_probe_of_what_it_starts_from(bench, tiny_store):
    still = bench.recipe.model_copy(
        update={"optimizer": bench.recipe.optimizer.model_copy(update={"lr": 1e-12})}
    )
    rows = bench.rows("train")
    trained = train_supervised(still, tiny_store, rows, epochs=1, start=bench.model, shape=bench.model.config)
    features = TwinEncoder(trained).features(StorePart(tiny_store, rows)).astype(np.float64)
    scaled = (features - features.mean(axis=0)) / np.where(features.std(axis=0) > 0, features.std(axis=0), 1)
    scores, truth = (
        trained.scores(tiny_store, rows),
        label_set("ptbxl-all").matrix(tiny_store.table.iloc[rows]),
    )
    carried = truth.sum(axis=0)
    assert ((carried > 0) & (carried < len(rows))).sum() > 10
    for k in range(truth.shape[1]):
        if carried[k] in (0, len(rows)):
            assert abs(scores[:, k].mean()) > 4.0
            assert np.ptp(scores[:, k]) < 1e-3
        else:
            probe = LogisticRegression(C=0.01, tol=1e-8, max_iter=5000).fit(scaled, truth[:, k])
            np.testing.assert_allclose(scores[:, k], probe.decision_function(scaled), atol=1e-2)


def test_its_absence_is_said(bench):
    for changed, reason in (
        (replace(bench, supervised=False), "--supervised"),
        (replace(bench, recipe=None), "no recipe"),
    ):
        notes = Notes()
        assert twin_encoder(changed, notes) is None
        assert reason in notes.said["supervised"]


def test_intervals_of_a_recording_are_near_what_was_drawn(tiny_store):
    found = np.stack([intervals(tiny_store.prepared(k)) for k in range(6)])
    place = {name: k for k, name in enumerate(INTERVALS)}
    beats = [tiny_store.prepared(k).beats for k in range(6)]
    assert np.allclose(found[:, place["rate_per_min"]], [60 / np.median(np.diff(b)) for b in beats])
    known = found[:, place["qrs_s"]]
    known = known[np.isfinite(known)]
    assert known.size
    assert ((known > 0.03) & (known < 0.25)).all()
    length = np.hypot(found[:, place["axis_sin"]], found[:, place["axis_cos"]])
    assert np.allclose(length[np.isfinite(length)], 1.0)


def test_a_recording_without_beats_has_unknown_intervals(tiny_store):
    one = tiny_store.prepared(0)
    silent = replace(one, beats=np.zeros(0, dtype=np.float32))
    assert np.isnan(intervals(silent)).all()


def test_the_features_of_a_store_are_those_of_its_recordings(tmp_path):
    from ecgclip.corpora import prepare, simulate
    from ecgclip.signals import Preprocessor

    store = prepare(simulate(n=4, seed=8, seconds=5.0), Preprocessor(), tmp_path / "store", workers=1)
    rows = np.stack([intervals(store.prepared(k)) for k in range(4)])
    assert np.array_equal(interval_features(store, Cache(tmp_path / "kept")), rows, equal_nan=True)
