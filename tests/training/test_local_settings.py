"""Every setting of the local term is reached from a recipe, trained, saved, and read out."""

import numpy as np
import pytest

from ecgclip.alignment import LocalAlignment
from ecgclip.prompts import score_phrases
from ecgclip.training import load_recipe, pretrain
from ecgclip.training.assembly import build_model, build_objective, build_parts

BANKED = {"kind": "local", "plan": "transport", "text_measure": "bank", "score": "potential", "merge": 0.9}
TOKENS = {"kind": "local", "scale": "token", "text_measure": "report", "mode": "matched", "reg_m_signal": 0.5}


def test_a_local_term_is_transport_among_the_batchs_statements_unless_told(tiny_recipe, tiny_store):
    tiny_recipe["objective"] = [{"kind": "infonce"}, {"kind": "local"}]
    recipe = load_recipe(tiny_recipe)
    model = build_model(recipe, build_parts(recipe, tiny_store).texts)
    objective, (readout,) = build_objective(recipe, model)
    term = objective.parts[1].term
    assert isinstance(term, LocalAlignment)
    assert (term.mode, term.readout) == ("contrastive", readout)
    said = (readout.scale, readout.plan, readout.score, readout.text_measure)
    assert said == ("beat", "transport", "similarity", "batch")


@pytest.mark.parametrize(
    ("local", "terms"),
    [
        ({"width": 32}, [BANKED, {"kind": "local", "text_measure": "report"}]),
        ({"width": 32, "beats": "learned", "queries": 4, "leads": "each"}, [TOKENS, {"kind": "local"}]),
    ],
)
def test_the_settings_train_and_are_read_out(tiny_recipe, tiny_store, simulated, tmp_path, local, terms):
    tiny_recipe["model"]["local"] = local
    tiny_recipe["objective"] = [{"kind": "infonce"}, *terms]
    tiny_recipe["schedule"]["epochs"] = 1
    model = pretrain(tiny_recipe, data=tiny_store.path, out=tmp_path / "run").model()
    assert [readout.text_measure for readout in model.config.readouts] == [
        term.get("text_measure", "batch") for term in terms
    ]
    records = [simulated.record(k) for k in range(3)]
    del model.text_encoder  # the bank that sets the prices is kept with the model
    found = score_phrases(model, records, ["sinus rhythm", "atrial fibrillation"], all_parts=True)
    for part in found.parts[1:]:
        assert part.shape == (3, 2)
        assert bool(np.isfinite(part).all())
        assert part.std() > 0
