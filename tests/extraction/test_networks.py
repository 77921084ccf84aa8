"""Networks against plain formulas: the frozen graph with its PCA, VGGish's checkpoint, ONNX files."""

import io
import tarfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_kit.errors import UsageError
from yt8m_kit.extraction.networks.inception import Inception
from yt8m_kit.extraction.networks.onnx_file import OnnxFile
from yt8m_kit.extraction.networks.vggish import Vggish, network

REASON = "onnx or onnxruntime is not installed: pip install -e .[onnx]"


@pytest.fixture
def pca(tmp_path):
    """The path of an archive with random matrices of 6 dimensions, and these."""
    rng = np.random.default_rng(0)
    arrays = {"mean": rng.normal(size=(6, 1)), "eigenvals": rng.uniform(1, 2, (6, 1))}
    arrays["eigenvecs"] = rng.normal(size=(6, 6))
    with tarfile.open(tmp_path / "yt8m_pca.tgz", "w:gz") as archive:
        for name, array in arrays.items():
            file = io.BytesIO()
            np.save(file, array.astype(np.float32))
            entry = tarfile.TarInfo(f"{name}.npy")
            entry.size = file.tell()
            file.seek(0)
            archive.addfile(entry, file)
    return tmp_path / "yt8m_pca.tgz", arrays


def frozen(path):
    """A frozen graph with the published names: mean and largest value of each channel."""
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.uint8, (None, None, 3), name="DecodeJpeg")
        floats = tf.cast(image, tf.float32) / 255
        both = tf.concat([tf.reduce_mean(floats, (0, 1)), tf.reduce_max(floats, (0, 1))], 0)
        tf.reshape(both, (1, 6), name="pool_3/_reshape")
    path.write_bytes(graph.as_graph_def().SerializeToString())


def test_the_frozen_graph_is_followed_by_the_published_pca(tmp_path, pca):
    path, arrays = pca
    frozen(tmp_path / "graph.pb")
    images = np.random.default_rng(1).integers(0, 256, (2, 5, 7, 3), np.uint8)
    pooled = np.hstack([images.mean(axis=(1, 2)), images.max(axis=(1, 2))]) / 255
    expected = (pooled - arrays["mean"][:, 0]) @ arrays["eigenvecs"].T
    expected /= np.sqrt(arrays["eigenvals"][:, 0] + 1e-4)
    np.testing.assert_allclose(Inception(tmp_path / "graph.pb", path)(images), expected, rtol=1e-4, atol=1e-5)


def test_other_files_are_refused(tmp_path, pca):
    (tmp_path / "other").write_bytes(b"nothing of the kind")
    with pytest.raises(UsageError, match="is no frozen graph with the tensors"):
        Inception(tmp_path / "other", pca[0])
    frozen(tmp_path / "graph.pb")
    with pytest.raises(UsageError, match="--pca must be"):
        Inception(tmp_path / "graph.pb", tmp_path / "other")
    pytest.importorskip("onnxruntime", reason=REASON)
    with pytest.raises(UsageError, match="cannot be run by onnxruntime"):
        OnnxFile(tmp_path / "other", 8)


@pytest.mark.parametrize("channels_first", [True, False])
def test_onnx_files_get_pixels_normalized_as_imagenet(tmp_path, channels_first):
    onnx = pytest.importorskip("onnx", reason=REASON)
    pytest.importorskip("onnxruntime", reason=REASON)
    helper, kinds = onnx.helper, onnx.TensorProto
    shape = ["B", 3, 4, 4] if channels_first else ["B", 4, 4, 3]
    node = helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=1)
    axes = helper.make_tensor("axes", kinds.INT64, [2], [2, 3] if channels_first else [1, 2])
    graph = helper.make_graph(
        [node],
        "mean",
        [helper.make_tensor_value_info("x", kinds.FLOAT, shape)],
        [helper.make_tensor_value_info("y", kinds.FLOAT, None)],
        [axes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "mean.onnx")
    net = OnnxFile(tmp_path / "mean.onnx", 8)
    assert (net.size, net.width) == (4, 3)
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), np.uint8)
    expected = (images.mean(axis=(1, 2)) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(net(images), expected, rtol=1e-4, atol=1e-5)


def checkpoint(path, net, version):
    """A checkpoint with the published names."""
    values = {
        f"vggish/{layer.name.replace('__', '/')}/{name}": np.asarray(variable)
        for layer in net.layers
        for variable, name in zip(layer.weights, ("weights", "biases"))
    }
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        kept = {name: tf.compat.v1.Variable(value, use_resource=False) for name, value in values.items()}
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(kept, write_version=version)
        return saver.save(session, str(path), write_meta_graph=False)


def test_vggish_takes_the_weights_of_a_checkpoint(tmp_path):
    net = network()
    sizes = {layer.name: int(np.prod(layer.kernel.shape)) for layer in net.layers if layer.weights}
    assert sizes["conv4__conv4_2"] == 9 * 512 * 512
    assert sizes["fc1__fc1_1"] == 6 * 4 * 512 * 4096  # 96 x 64, halved four times
    path = checkpoint(tmp_path / "vggish_model.ckpt", net, tf.compat.v1.train.SaverDef.V1)
    patches = np.random.default_rng(0).normal(size=(2, 96, 64)).astype(np.float32)
    expected = np.asarray(net(patches))
    np.testing.assert_allclose(Vggish(path)(patches), expected, rtol=1e-4, atol=1e-6)


def test_a_checkpoint_of_another_shape_is_refused(tmp_path):
    net = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3, name="conv1")])
    path = checkpoint(tmp_path / "other.ckpt", net, tf.compat.v1.train.SaverDef.V1)
    with pytest.raises(UsageError, match=r"conv1/weights must be \(3, 3, 1, 64\); got \(3, 3, 1, 2\)"):
        Vggish(path)
