"""Prices of machines."""

from __future__ import annotations

import pytest

from monitoring.cost import PRICED_ON, price_of
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
