"""A stand-in for a program with ONNX Runtime alone, without TensorFlow and the kit.

    python tests/fakes/onnx_reader.py MODEL VIDEOS.npz OUT.npz

Videos: frames uint8 (N, T, D) and num_frames int32 (N,). Out: probabilities (N, C), labels, and the names of
the model's inputs and outputs.
"""

import sys

import numpy as np
import onnxruntime


def main(model: str, videos: str, out: str) -> None:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    given = dict(np.load(videos))
    [probabilities] = session.run(None, given)
    labels = session.get_modelmeta().custom_metadata_map["labels"].split("\n")
    loaded = {name.partition(".")[0] for name in sys.modules}
    assert not loaded & {"yt8m_kit", "tensorflow", "keras", "onnx", "tf2onnx"}, loaded
    ends = [each.name for each in [*session.get_inputs(), *session.get_outputs()]]
    np.savez(out, probabilities=probabilities, labels=labels, ends=ends)


if __name__ == "__main__":
    main(*sys.argv[1:])
