"""Prices of machines."""

from __future__ import annotations

import pytest

from monitoring.cost import PRICED_ON, price_of
from monitoring.cost.prices import LIST_PRICES, listed, price_table
from retrieval.errors import ConfigError


def test_worker_seconds_times_the_list_price():
    price = price_of("runpod-l4")
    assert price.usd(100) == pytest.approx(0.019)
    assert price.priced_on == PRICED_ON


def test_a_price_of_ones_own_goes_before_the_table_and_has_no_date():
    price = price_of("basement", usd_per_hour=3.6)
    assert (price.usd(1), price.priced_on) == (pytest.approx(0.001), "")


def test_a_machine_without_a_price_is_refused():
    with pytest.raises(ConfigError, match="machine: got 'basement'; use one of local, "):
        price_of("basement")


def test_every_listed_machine_can_be_priced_and_is_in_the_table():
    lines = price_table()
    for price in LIST_PRICES:
        assert price_of(price.machine).usd_per_second == price.usd_per_second
        assert any(line.startswith(price.machine) and f"{price.usd_per_second:.5f}" in line for line in lines)
    assert any(PRICED_ON in line and "docs.runpod.io" in line for line in lines)


@pytest.mark.parametrize(
    ("billed", "machine"),
    [
        ("NVIDIA L4", "runpod-l4"),
        ("NVIDIA L40S", "runpod-l40s"),
        ("NVIDIA GeForce RTX 4090", "runpod-4090"),
        ("NVIDIA A100-SXM4-80GB", "runpod-a100"),
        ("NVIDIA RTX A4000", "runpod-16gb"),
        ("runpod-h100", "runpod-h100"),
    ],
)
def test_what_a_bill_calls_a_gpu_is_found_in_the_table(billed: str, machine: str):
    found = listed(billed)
    assert found is not None
    assert found.machine == machine


@pytest.mark.parametrize("billed", ["", "NVIDIA L40", "cpu3c-2-4", "NVIDIA RTX 5000 Ada Generation"])
def test_a_machine_without_a_list_price_is_given_none(billed: str):
    assert listed(billed) is None
