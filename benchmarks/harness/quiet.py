"""For the benchmarks, nothing to run here: the Keras backend started as yt8m's verbs start it.

To be imported before what imports keras.
"""

from yt8m_kit import backend

backend.start()
