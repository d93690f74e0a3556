"""Lanes: the same answers in the same order, however many batches are computed at once."""

import threading

import numpy as np
import pytest
import torch

from ecgclip.models import in_lanes, lanes_of


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_order_is_kept_and_items_are_not_read_far_ahead(two_threads):
    read = []
    first = threading.Event()

    def items():
        for k in range(20):
            read.append(k)
            yield k

    def work(k):
        if k == 0:
            first.wait(10)  # the first is ready last
        else:
            first.set()
        return k * k

    found = in_lanes(work, items(), 2)
    assert next(found) == (0, 0)
    assert len(read) <= 4
    assert list(found) == [(k, k * k) for k in range(1, 20)]


@pytest.mark.parametrize("close", [True, False])
def test_threads_are_as_before_also_after_a_fault(two_threads, close):
    seen = []

    def work(k):
        seen.append(torch.get_num_threads())
        if k == 3 and not close:
            raise ValueError("three")
        return k

    found = in_lanes(work, range(8), 2)
    if close:
        next(found)
        found.close()
    else:
        with pytest.raises(ValueError, match="three"):
            list(found)
    assert set(seen) == {1}
    assert torch.get_num_threads() == 2
    late = []
    thread = threading.Thread(target=lambda: late.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert late == [2]


def test_one_item_has_all_threads_and_the_callers_thread(two_threads):
    where = []
    assert list(in_lanes(lambda k: where.append((threading.get_ident(), torch.get_num_threads())), [0], 2))
    assert where == [(threading.get_ident(), 2)]


def test_embeddings_do_not_depend_on_the_lanes(build, noise, two_threads):
    from ecgclip import ECGRecord
    from ecgclip.records import LEADS

    model = build().eval()
    parts = [noise(1000 - 10 * k, beats=(1.0, 2.0, 3.0)).signal for k in range(9)]
    records = [ECGRecord(np.asarray(part), fs=100, lead_names=LEADS) for part in parts]
    assert lanes_of(model) == 2
    side_by_side = model.encode_ecg(records, batch_size=2)
    assert lanes_of(model.train()) == 1
    torch.set_num_threads(1)
    assert lanes_of(model.eval()) == 1
    np.testing.assert_allclose(model.encode_ecg(records, batch_size=2), side_by_side, atol=1e-6)
