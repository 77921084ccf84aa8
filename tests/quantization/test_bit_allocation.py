"""Bit allocation against exhaustive search, on small cases."""

from itertools import product

import numpy as np
import pytest

from yt8m_kit.errors import UsageError
from yt8m_kit.quantization.bit_allocation import Option, allocate


def case(seed, tensors=5):
    """Tensors of different sizes, whose errors fall about fourfold per bit."""
    rng = np.random.default_rng(seed)
    made = []
    for size, weight in zip(rng.integers(10, 1000, tensors), rng.lognormal(0, 2, tensors)):
        noise = rng.lognormal(0, 0.3, 4)
        made.append(
            [Option(str(b), int(size * b), weight * 4.0**-b * n) for b, n in zip((4, 6, 8, 16), noise)]
        )
    return made


def total(chosen):
    return sum(option.size for option in chosen), sum(option.error for option in chosen)


def best_of_all(tensors, budget):
    return min(total(choice)[1] for choice in product(*tensors) if total(choice)[0] <= budget)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.6, 1.0])
def test_allocation_is_close_to_the_optimum(seed, share):
    tensors = case(seed)
    least = sum(options[0].size for options in tensors)
    budget = int(least + share * (sum(options[-1].size for options in tensors) - least))
    size, error = total(allocate(tensors, budget))
    assert size <= budget
    largest_step = max(options[0].error - options[-1].error for options in tensors)
    optimum = best_of_all(tensors, budget)
    assert optimum - 1e-15 <= error <= optimum + largest_step


def test_allocation_is_mostly_optimal():
    ratios = []
    for seed in range(30):
        tensors = case(seed)
        budget = int(1.5 * sum(options[0].size for options in tensors))
        ratios.append(total(allocate(tensors, budget))[1] / best_of_all(tensors, budget))
    assert np.median(ratios) < 1.1


def test_bytes_go_to_the_tensor_that_matters():
    cheap = [Option("int4", 100, 1.0), Option("int8", 200, 0.1)]
    dear = [Option("int4", 100, 50.0), Option("int8", 200, 5.0)]
    assert [option.format for option in allocate([cheap, dear], 300)] == ["int4", "int8"]
    assert [option.format for option in allocate([cheap, dear], 400)] == ["int8", "int8"]


def test_a_larger_and_worse_format_is_never_chosen():
    options = [Option("int4", 100, 1.0), Option("int6", 150, 2.0), Option("int8", 200, 0.5)]
    assert [option.format for option in allocate([options], 199)] == ["int4"]
    assert [option.format for option in allocate([options], 200)] == ["int8"]


def test_too_small_a_budget_is_refused():
    with pytest.raises(UsageError, match=r"the smallest formats take 100 bytes, the limit is 99"):
        allocate([[Option("int4", 100, 1.0)]], 99)
