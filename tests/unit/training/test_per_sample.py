import pytest

from anisora.harness.errors import DataError

torch = pytest.importorskip("torch")
from anisora.training.per_sample import at_least_float32, double_levels, mean_of_each, spread  # noqa: E402


def test_a_level_multiplies_all_values_of_its_sample_in_their_type() -> None:
    batch = torch.ones(2, 3, 4, dtype=torch.bfloat16)
    found = spread(torch.tensor([0.5, 2.0], dtype=torch.float64), batch)
    assert (found.shape, found.dtype) == ((2, 1, 1), torch.bfloat16)
    assert (found * batch)[:, 2, 3].tolist() == [0.5, 2.0]
    assert (spread(0.25, batch) * batch).unique().tolist() == [0.25]


def test_as_many_levels_as_samples_are_needed() -> None:
    with pytest.raises(
        DataError, match=r"`level` has shape \(3,\) for a batch of shape \(2, 3\); expected one number or "
    ):
        spread(torch.ones(3), torch.ones(2, 3))


def test_means_are_of_samples_and_half_precision_is_left() -> None:
    assert mean_of_each(torch.arange(12.0).view(2, 3, 2)).tolist() == [2.5, 8.5]
    types = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    assert [at_least_float32(torch.ones(1, dtype=each)).dtype for each in types] == [torch.float32] * 3 + [
        torch.float64
    ]
    assert double_levels(0.1).dtype == torch.float64
