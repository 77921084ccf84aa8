"""How weights are stored in the exported graph: encoded in numpy, decoded by graph operations.

A codec says for every tensor of a model which form it takes; a form says how one tensor is stored.
"""

from yt8m_kit.codecs.forms import FORMS, LARGE, Encoded, Form, fitting, form_of, stored_bytes
from yt8m_kit.codecs.storage import decode, encode

__all__ = ["FORMS", "LARGE", "Encoded", "Form", "decode", "encode", "fitting", "form_of", "stored_bytes"]
