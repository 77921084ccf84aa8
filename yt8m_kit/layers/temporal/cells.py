"""GRU and LSTM over time, with custom gradients.

A backend's own gradient accumulates that of the recurrent kernel step by step, inside the backward loop. Here
the backward loop carries only the gradient of the state; that of the kernel is one matmul over all steps
afterwards, and only states and gates are kept for it; without training, only states. The caller computes the
input's part of the gates, for all steps at once. States are float32, matmuls in the given dtype. Keras' scan
requires a step's output to have the structure of its carry, so what is saved for the gradient is carried
along.

Shapes: T frames, B batch, H units, G width of all gates (3 H or 4 H). real: (T, B, 1) float32, 1 for frames
and 0 for padding, where the state is kept. before, after: states on either side of a frame. d_x: gradient of
x.
Sources: Cho et al. (2014) for the GRU; Hochreiter, Schmidhuber (1997) for the LSTM.
"""

from collections.abc import Callable

import keras
from keras import ops

from yt8m_kit.layers.layer import Tensor

Saved = tuple[Tensor, ...]


def gru(gates_TBG: Tensor, kernel: Tensor, real: Tensor, dtype: str, training: bool = True) -> Tensor:
    """Run a GRU: states after each frame, (T, B, H) float32.

    gates: (T, B, 3 H), the inputs' part of update, reset and candidate. kernel: recurrent, (H, 3 H).
    h' = z * h + (1 - z) * tanh(x + (r * h) U): reset before the matmul, as in TensorFlow 1's GRUCell.
    training: False for no gradient.
    """
    if not training:
        step, zeros = _gru_step(kernel, dtype), ops.zeros_like(gates_TBG[0, :, : kernel.shape[0]])
        return ops.scan(lambda state, xs: (step(state, *xs)[0],) * 2, zeros, (gates_TBG, real))[1]

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def run(gates_TBG: Tensor, kernel: Tensor, real: Tensor) -> tuple[Tensor, Callable[..., Saved]]:
        saved = _gru_forward(gates_TBG, kernel, real, dtype)

        def gradient(d_after: Tensor) -> Saved:
            return *_gru_backward(d_after, saved, kernel, real, dtype), ops.zeros_like(real)

        return saved[0], gradient

    return run(gates_TBG, kernel, real)


def lstm(gates_TBG: Tensor, kernel: Tensor, real: Tensor, dtype: str, training: bool = True) -> Saved:
    """Run an LSTM: states after each frame (T, B, H) and the last cell state (B, H), float32.

    gates: (T, B, 4 H), the inputs' part of input, candidate, forget and output. kernel: recurrent, (H, 4 H).
    1 is added to the forget gate besides its bias, as in TensorFlow 1's BasicLSTMCell. training: False for no
    gradient.
    """
    if not training:
        step, zeros = _lstm_step(kernel, dtype), ops.zeros_like(gates_TBG[0, :, : kernel.shape[0]])
        (_, last), (after, _) = ops.scan(
            lambda carry, xs: (step(*carry, *xs)[:2],) * 2, (zeros, zeros), (gates_TBG, real)
        )
        return after, last

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def run(gates_TBG: Tensor, kernel: Tensor, real: Tensor) -> tuple[Saved, Callable[..., Saved]]:
        saved = _lstm_forward(gates_TBG, kernel, real, dtype)

        def gradient(*upstream: Tensor) -> Saved:
            # TensorFlow passes two arguments, JAX one pair.
            d_after, d_last = upstream if len(upstream) == 2 else upstream[0]
            return *_lstm_backward(d_after, d_last, saved, kernel, real, dtype), ops.zeros_like(real)

        return (saved[0], saved[1][-1]), gradient

    states: Saved = run(gates_TBG, kernel, real)
    return states


def _gru_step(kernel: Tensor, dtype: str) -> Callable[..., Saved]:
    """Return a step: state (B, H), gates (B, 3 H), real (B, 1) -> state after, both gates, candidate."""
    units, product, kernel = kernel.shape[0], _product(dtype), ops.cast(kernel, dtype)
    gate_kernel, candidate_kernel = kernel[:, : 2 * units], kernel[:, 2 * units :]

    def step(state: Tensor, gates: Tensor, real: Tensor) -> Saved:
        zr = ops.sigmoid(gates[:, : 2 * units] + product(state, gate_kernel))
        z, r = zr[:, :units], zr[:, units:]
        candidate = ops.tanh(gates[:, 2 * units :] + product(r * state, candidate_kernel))
        return state + real * (1.0 - z) * (candidate - state), zr, candidate

    return step


def _gru_forward(gates_TBG: Tensor, kernel: Tensor, real: Tensor, dtype: str) -> Saved:
    """Return states after each frame, both gates, candidates: (T, B, H), (T, B, 2 H), (T, B, H)."""
    units, step = kernel.shape[0], _gru_step(kernel, dtype)
    zeros = ops.zeros_like(gates_TBG[0])
    start = (zeros[:, :units], zeros[:, units:], zeros[:, :units])
    saved: Saved = ops.scan(lambda carry, xs: (step(carry[0], *xs),) * 2, start, (gates_TBG, real))[1]
    return saved


def _gru_backward(d_after: Tensor, saved: Saved, kernel: Tensor, real: Tensor, dtype: str) -> Saved:
    """Return the gradients of the gates (T, B, 3 H) and of the kernel (H, 3 H)."""
    units, product, back = kernel.shape[0], _product(dtype), ops.transpose(ops.cast(kernel, dtype))
    after, zr, candidate = saved
    before = _before(after)
    gate_kernel, candidate_kernel = back[: 2 * units], back[2 * units :]

    def step(carry: Saved, inputs: Saved) -> tuple[Saved, Saved]:
        d_after, state, zr, candidate, real = inputs
        z, r = zr[:, :units], zr[:, units:]
        d_state = carry[0] + d_after
        d_new = real * d_state
        d_candidate = d_new * (1.0 - z) * (1.0 - ops.square(candidate))
        d_reset = product(d_candidate, candidate_kernel)
        d_zr = ops.concatenate([d_new * (state - candidate), d_reset * state], axis=1) * zr * (1.0 - zr)
        d_state = d_state - d_new + d_new * z + d_reset * r + product(d_zr, gate_kernel)
        result = (d_state, ops.concatenate([d_zr, d_candidate], axis=1))
        return result, result

    start = (ops.zeros_like(after[0]), ops.zeros_like(ops.concatenate([zr[0], candidate[0]], axis=1)))
    _, (_, d_gates) = ops.scan(step, start, (d_after, before, zr, candidate, real), reverse=True)
    d_gate_kernel = _outer(before, d_gates[:, :, : 2 * units], dtype)
    d_candidate_kernel = _outer(before * zr[:, :, units:], d_gates[:, :, 2 * units :], dtype)
    return d_gates, ops.concatenate([d_gate_kernel, d_candidate_kernel], axis=1)


def _lstm_step(kernel: Tensor, dtype: str) -> Callable[..., Saved]:
    """Return a step: state and cell (B, H), gates (B, 4 H), real (B, 1) -> state, cell, gates after."""
    product, kernel = _product(dtype), ops.cast(kernel, dtype)

    def step(state: Tensor, cell: Tensor, gates: Tensor, real: Tensor) -> Saved:
        i, j, f, o = ops.split(gates + product(state, kernel), 4, axis=1)
        i, j, f, o = ops.sigmoid(i), ops.tanh(j), ops.sigmoid(f + 1.0), ops.sigmoid(o)
        fresh = f * cell + i * j
        after = state + real * (o * ops.tanh(fresh) - state)
        return after, cell + real * (fresh - cell), ops.concatenate([i, j, f, o], axis=1)

    return step


def _lstm_forward(gates_TBG: Tensor, kernel: Tensor, real: Tensor, dtype: str) -> Saved:
    """Return states and cell states after each frame, and all gates: (T, B, H), (T, B, H), (T, B, 4 H)."""
    units, step, zeros = kernel.shape[0], _lstm_step(kernel, dtype), ops.zeros_like(gates_TBG[0])
    start = (zeros[:, :units], zeros[:, :units], zeros)
    saved: Saved = ops.scan(lambda carry, xs: (step(*carry[:2], *xs),) * 2, start, (gates_TBG, real))[1]
    return saved


def _lstm_backward(
    d_after: Tensor, d_last: Tensor, saved: Saved, kernel: Tensor, real: Tensor, dtype: str
) -> Saved:
    """Return the gradients of the gates (T, B, 4 H) and of the kernel (H, 4 H)."""
    product, back = _product(dtype), ops.transpose(ops.cast(kernel, dtype))
    after, cells, active = saved

    def step(carry: Saved, inputs: Saved) -> tuple[Saved, Saved]:
        d_after, cell, active, real = inputs
        i, j, f, o = ops.split(active, 4, axis=1)
        output = ops.tanh(f * cell + i * j)
        d_state, d_cell = carry[0] + d_after, carry[1]
        d_new = real * d_state
        d_fresh = real * d_cell + d_new * o * (1.0 - ops.square(output))
        d_input, d_forget = d_fresh * j * i * (1.0 - i), d_fresh * cell * f * (1.0 - f)
        d_fresh_input, d_output = d_fresh * i * (1.0 - ops.square(j)), d_new * output * o * (1.0 - o)
        d_gates = ops.concatenate([d_input, d_fresh_input, d_forget, d_output], axis=1)
        d_state = d_state - d_new + product(d_gates, back)
        result = (d_state, d_cell - real * d_cell + d_fresh * f, d_gates)
        return result, result

    start = (ops.zeros_like(d_last), d_last, ops.zeros_like(active[0]))
    _, (_, _, d_gates) = ops.scan(step, start, (d_after, _before(cells), active, real), reverse=True)
    return d_gates, _outer(_before(after), d_gates, dtype)


def _product(dtype: str) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a matmul with a kernel already cast to dtype: a cast in the loop would run once per frame."""

    def product(left: Tensor, kernel: Tensor) -> Tensor:
        return ops.cast(ops.matmul(ops.cast(left, dtype), kernel), "float32")

    return product


def _before(after_TBH: Tensor) -> Tensor:
    """Shift states after each frame to states before it: (T, B, H), zeros first."""
    return ops.concatenate([ops.zeros_like(after_TBH[:1]), after_TBH[:-1]], axis=0)


def _outer(left_TBI: Tensor, right_TBO: Tensor, dtype: str) -> Tensor:
    """Sum left_i * right_o over frames and videos by one matmul: (I, O) float32."""
    if keras.backend.backend() == "jax":  # which flattens by itself where videos are not divided over devices
        product = ops.tensordot(ops.cast(left_TBI, dtype), ops.cast(right_TBO, dtype), [[0, 1], [0, 1]])
        return ops.cast(product, "float32")
    left, right = (ops.reshape(ops.cast(x, dtype), (-1, x.shape[-1])) for x in (left_TBI, right_TBO))
    return ops.cast(ops.matmul(ops.transpose(left), right), "float32")
