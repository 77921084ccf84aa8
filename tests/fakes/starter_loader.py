"""A stand-in for the 2018 starter's inference.py --input_model_tgz, written from what that script does.

    python tests/fakes/starter_loader.py ARCHIVE RECORDS OUT.npz [BATCH]

Builds a reader with queues under the name scope input/, imports the archive's graph beside it, restores the
global variables, initialises the local ones, and runs batches until the records end. It knows nothing of
codes and imports nothing of the kit.
"""

import json
import os
import sys
import tarfile
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow.compat.v1 as tf

FRAMES = 300


def dequantized(strings, width, frames):
    """Frames as strings to (frames, width) float32 and their number; cut, or padded with zeros."""
    values = tf.reshape(tf.cast(tf.decode_raw(strings, tf.uint8), tf.float32), [-1, width])
    count = tf.minimum(tf.shape(values)[0], frames)
    values = values[:frames] * (4.0 / 255) + (4.0 / 512 - 2)
    padded = tf.concat([values, tf.zeros([frames - count, width])], 0)
    padded.set_shape([frames, width])
    return padded, count


def reader(path, names, widths, frames, batch):
    """Ids, features and numbers of frames of a batch, by queues and a single pass."""
    with tf.name_scope("input"):
        files = tf.train.string_input_producer([path], num_epochs=1, shuffle=False)
        _, record = tf.TFRecordReader().read(files)
        context, lists = tf.parse_single_sequence_example(
            record,
            context_features={"id": tf.FixedLenFeature([], tf.string)},
            sequence_features={name: tf.FixedLenSequenceFeature([], tf.string) for name in names},
        )
        parts = [dequantized(lists[name], width, frames) for name, width in zip(names, widths)]
        features = tf.concat([part for part, _ in parts], 1)
        return tf.train.batch(
            [context["id"], features, parts[0][1]], batch, capacity=4 * batch, allow_smaller_final_batch=True
        )


def local_init(variables):
    """As the starter does it: one named train_input is set to 1, the others are initialised."""
    assigned = [tf.assign(v, 1) for v in variables if "train_input" in v.name]
    others = [v for v in variables if "train_input" not in v.name]
    return [*assigned, tf.variables_initializer(others)]


def main(archive, records, out, batch=7):
    """Predict all records of a file and keep ids and probabilities."""
    with tempfile.TemporaryDirectory() as train_dir:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", None)  # not before Python 3.11.4
            tar.extractall(train_dir)
        with open(os.path.join(train_dir, "model_flags.json"), encoding="utf-8") as file:
            flags = json.load(file)
        assert flags["frame_features"] is True
        names = flags["feature_names"].split(",")
        widths = [int(size) for size in flags["feature_sizes"].split(",")]
        checkpoint = os.path.join(train_dir, "inference_model")
        with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as session:
            ids, features, counts = reader(records, names, widths, FRAMES, batch)
            with tf.device("/cpu:0"):
                saver = tf.train.import_meta_graph(checkpoint + ".meta", clear_devices=True)
            saver.restore(session, checkpoint)
            fed = [tf.get_collection(name)[0] for name in ("input_batch_raw", "num_frames")]
            predictions = tf.get_collection("predictions")[0]
            session.run(local_init(tf.get_collection_ref(tf.GraphKeys.LOCAL_VARIABLES)))
            coordinator = tf.train.Coordinator()
            threads = tf.train.start_queue_runners(sess=session, coord=coordinator)
            found = []
            try:
                while not coordinator.should_stop():
                    names_B, *values = session.run([ids, features, counts])
                    found.append((names_B, session.run(predictions, dict(zip(fed, values)))))
            except tf.errors.OutOfRangeError:
                coordinator.request_stop()
            coordinator.join(threads)
            shape = predictions.shape.as_list()
    np.savez(out, ids=np.concatenate([f[0] for f in found]).astype(str), shape=np.array([-1, shape[1]]),
             probabilities=np.concatenate([f[1] for f in found]))  # fmt: skip


if __name__ == "__main__":
    tf.disable_v2_behavior()
    main(*sys.argv[1:4])
