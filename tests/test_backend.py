"""Starting Keras' backend, once and again."""

import gc

from yt8m_kit import backend


def test_to_start_again_keeps_no_garbage():
    backend.start()
    frozen = gc.get_freeze_count()
    backend.start()
    assert gc.get_freeze_count() == frozen
    assert gc.isenabled()
