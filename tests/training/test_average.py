"""The moving average follows what a model is judged by: its weights, and the statistics of batch norms."""

import pytest
import torch
from torch import nn

from ecgclip.errors import DataError
from ecgclip.training.loop import MovingAverage


def test_running_statistics_are_averaged_with_the_weights_and_given_back():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    average = MovingAverage(model, decay=0.5)
    seen = [model[1].running_mean.clone()]
    for step in range(3):
        model(torch.randn(16, 3) + step)
        average.update(step + 100)
        seen.append(model[1].running_mean.clone())
    expected = seen[0]
    for mean in seen[1:]:
        expected = 0.5 * expected + 0.5 * mean
    with average.applied():
        torch.testing.assert_close(model[1].running_mean, expected)
        held = {name: value.clone() for name, value in average.state().items()}
    assert torch.equal(model[1].running_mean, seen[-1])
    model(torch.randn(16, 3))
    average.update(200)
    average.load(held)
    average.put(average.state())
    torch.testing.assert_close(model[1].running_mean, expected)
    assert {"0.weight", "1.running_mean", "1.running_var"} <= set(held)


def test_a_model_without_batch_norm_is_averaged_by_its_trainable_weights_alone():
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    model[0].bias.requires_grad_(False)
    model.register_buffer("constant", torch.ones(2))
    assert list(MovingAverage(model, 0.9).state()) == ["0.weight", "1.weight", "1.bias"]


def test_a_checkpoint_without_the_averages_of_a_batch_norm_is_told_in_a_sentence():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    average = MovingAverage(model, 0.9)
    before = {name: value.clone() for name, value in average.state().items()}
    older = {name: value + 1 for name, value in before.items() if "running" not in name}
    with pytest.raises(
        DataError, match=r"run/last\.pt: has no moving average of 1\.running_mean \(2 such\)"
    ) as told:
        average.load(older, "run/last.pt")
    assert "\n" not in str(told.value)
    for name, value in average.state().items():
        assert torch.equal(value, before[name])  # nothing was taken of what could not be taken whole
