"""A stand-in for a phone: LiteRT alone, without TensorFlow and the kit.

    python tests/fakes/litert_phone.py MODEL VIDEOS.npz OUT.npz

Videos: frames uint8 (N, T, D) and num_frames (N,). Out: probabilities (N, C), labels, and the names of the
model's inputs.
"""

import sys
import zipfile

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def main(model: str, videos: str, out: str) -> None:
    interpreter = Interpreter(model_path=model, num_threads=1)
    run = interpreter.get_signature_runner("serving_default")
    given = np.load(videos)
    found = [
        run(frames=frames[None], num_frames=np.array([count], np.int32))["probabilities"][0]
        for frames, count in zip(given["frames"], given["num_frames"])
    ]
    with zipfile.ZipFile(model) as archive:
        labels = archive.read("labels.txt").decode().splitlines()
    loaded = {name.partition(".")[0] for name in sys.modules}
    assert not loaded & {"yt8m_kit", "tensorflow", "keras"}, loaded
    np.savez(out, probabilities=found, labels=labels, inputs=sorted(run.get_input_details()))


if __name__ == "__main__":
    main(*sys.argv[1:])
