"""Train, evaluate and predict agree with the coordinate map: a predicted edge lies where the edge is."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

SPEC = """segcompile: 1
model: net
input: {{channels: 3, size: 96}}
layers:
  - score: {{conv: 2, kernel: [{kernel}, 5], stride: [{stride}, 3], pad: [{before}, {after}, 1, 2]}}
"""
SIDE = 96


def mean_net(harness: SimpleNamespace) -> Any:
    """Class 1 where the mean of the window is above one half."""
    model = harness.model.Net().eval()
    with torch.no_grad():
        model.score.weight.zero_()
        model.score.weight[1] = 1 / model.score.weight[1].numel()
        model.score.bias.copy_(torch.tensor([0.5, 0.0]))
    return model


def edge_errors(harness: SimpleNamespace, model: Any, edges: range) -> list[float]:
    """How many pixels below the edge of a half dark, half bright image the predicted edge lies."""
    errors = []
    for edge in edges:
        image = np.zeros((SIDE, SIDE, 3), np.float32)
        image[edge:] = 1
        labels = harness.predict.labels_of(model, image)[:, SIDE // 2]
        assert (np.diff(labels) >= 0).all(), "one edge"
        errors.append(float((labels == 0).sum() - edge))
    return errors


def test_a_block_mean_draws_an_edge_without_bias(from_spec: Any) -> None:
    harness = from_spec(SPEC.format(kernel=8, stride=8, before=0, after=0))
    errors = edge_errors(harness, mean_net(harness), range(40, 48))
    assert abs(np.mean(errors)) <= 0.5 and max(map(abs, errors)) <= 1, errors


@settings(max_examples=12)
@given(data=st.data(), kernel=st.integers(1, 12), stride=st.integers(1, 9))
def test_no_kernel_stride_or_padding_moves_an_edge(from_spec: Any, data: Any, kernel: int, stride: int) -> None:
    before, after = (data.draw(st.integers(0, kernel // 2)) for _ in range(2))
    harness = from_spec(SPEC.format(kernel=kernel, stride=stride, before=before, after=after))
    errors = edge_errors(harness, mean_net(harness), range(40, 40 + stride))
    assert abs(np.mean(errors)) <= 0.5, errors
    assert max(map(abs, errors)) <= 1 + max(0, stride - kernel) / 2 + 0.1 * stride, errors


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(8, 8, 0), (8, 8, 4), (5, 4, 2), (3, 2, 1), (12, 5, 0)])
def test_training_wants_the_edge_where_prediction_draws_it(
    from_spec: Any, kernel: int, stride: int, padding: int
) -> None:
    """Over all phases of an edge the loss is least for labels that lie as the image does."""
    harness = from_spec(SPEC.format(kernel=kernel, stride=stride, before=padding, after=padding))
    model = mean_net(harness)
    losses = dict.fromkeys(range(-4, 5), 0.0)
    for edge in range(40, 40 + stride):
        image = torch.zeros(1, 3, SIDE, SIDE)
        image[:, :, edge:] = 1
        with torch.no_grad():
            outputs = 4 * model(image)
        for shift in losses:
            labels = np.zeros((SIDE, SIDE), int)
            labels[edge + shift :] = 1
            under = torch.from_numpy(harness.batches.under_output(labels))[None]
            scores = harness.predict.at_pixels(outputs, under.shape[1:])
            assert scores.shape[2:] == under.shape[1:]
            losses[shift] += harness.losses.loss_of(scores, under, 255).item()
    assert min(losses, key=lambda shift: losses[shift]) == 0, losses
