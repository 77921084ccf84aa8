"""Start of Keras' backend, first and repeated."""

import gc

from yt8m_kit import backend


def test_repeated_start_freezes_no_garbage():
    backend.start()
    frozen = gc.get_freeze_count()
    backend.start()
    assert gc.get_freeze_count() == frozen
    assert gc.isenabled()
