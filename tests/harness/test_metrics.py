"""The four metrics against a matrix worked by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest


def test_metrics_of_a_hand_computed_matrix(harness: SimpleNamespace) -> None:
    n = np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]])  # class 2 is absent from truth and prediction
    m = harness.metrics.metrics(n)
    assert m.pixel_accuracy == pytest.approx(7 / 10)
    assert m.mean_accuracy == pytest.approx((3 / 4 + 4 / 6) / 2)
    assert m.mean_iu == pytest.approx((3 / 6 + 4 / 7) / 2)
    assert m.frequency_weighted_iu == pytest.approx(4 / 10 * 3 / 6 + 6 / 10 * 4 / 7)
    assert np.isnan(m.iu[2]) and np.isnan(m.accuracy[2])


def test_a_class_that_is_only_predicted_counts_in_mean_iu_and_not_in_mean_accuracy(harness: SimpleNamespace) -> None:
    m = harness.metrics.metrics(np.array([[3, 1], [0, 0]]))
    assert m.mean_accuracy == pytest.approx(3 / 4)
    assert m.mean_iu == pytest.approx((3 / 4 + 0) / 2)


def test_confusion_counts_truth_by_prediction_without_ignored_pixels(harness: SimpleNamespace) -> None:
    truth, prediction = np.array([[0, 0, 1], [1, 255, 255]]), np.array([[0, 1, 1], [0, 1, 2]])
    n = harness.metrics.confusion(truth, prediction, 3, 255)
    assert n.dtype == np.int64
    assert n.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_nothing_labelled_has_no_metrics(harness: SimpleNamespace) -> None:
    summary = harness.metrics.summary(harness.metrics.metrics(np.zeros((2, 2), np.int64)))
    assert json.loads(json.dumps(summary, allow_nan=False)) == {
        "pixel_accuracy": None, "mean_accuracy": None, "mean_iu": None, "frequency_weighted_iu": None
    }  # fmt: skip


def test_table(harness: SimpleNamespace) -> None:
    text = harness.metrics.table(harness.metrics.metrics(np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]])))
    assert (
        text
        == """\
class      pixels accuracy      IU
    0           4   75.00   50.00
    1           6   66.67   57.14
    2           0       -       -

pixel accuracy           70.00
mean accuracy            70.83
mean IU                  53.57
frequency weighted IU    54.29"""
    )


def test_an_ignored_class_enters_no_mean_and_the_table_says_so(harness: SimpleNamespace) -> None:
    n = np.array([[0, 0, 0], [2, 4, 0], [1, 0, 3]])  # class 0 is ignored, and predicted where others are
    m = harness.metrics.metrics(n, (0,))
    assert m.mean_iu == pytest.approx((4 / 6 + 3 / 4) / 2) and m.mean_accuracy == pytest.approx((4 / 6 + 3 / 4) / 2)
    assert harness.metrics.metrics(n).mean_iu == pytest.approx((0 + 4 / 6 + 3 / 4) / 3)
    assert harness.metrics.table(m).splitlines()[1] == "    0     ignored       -       -"
