"""Bills in every form that providers give them, and what is said of files that are none."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from monitoring.cost.bills import BilledRow, read_bill
from retrieval.errors import ConfigError

DAY = date(2026, 11, 30)
V2 = {
    "startTime": "2026-11-30T00:00:00Z",
    "endTime": "2026-12-01T00:00:00Z",
    "serverlessId": "ep1",
    "totalAmount": 1.35,
    "gpuAmount": 1.0,
    "cpuAmount": 0.1,
    "diskAmount": 0.2,
    "feeAmount": 0.05,
}


def written(folder: Path, text: str, name: str = "bill.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


def test_compute_of_todays_api_is_gpu_and_cpu_and_the_rest_is_told_apart(tmp_path: Path):
    path = written(tmp_path, json.dumps({"records": [V2], "metadata": {"recordCount": 1}}), "bill.json")
    (row,) = read_bill(path)
    assert (row.endpoint, row.day, row.seconds, row.machine) == ("ep1", DAY, None, "")
    assert (row.usd, row.other_usd) == (pytest.approx(1.1), pytest.approx(0.25))


def test_the_former_api_gave_milliseconds_and_the_gpu(tmp_path: Path):
    record = {
        "amount": 100.5,
        "diskSpaceBilledGb": 50,
        "endpointId": "ep1",
        "gpuTypeId": "NVIDIA L4",
        "time": "2026-11-30T00:00:00Z",
        "timeBilledMs": 3600000,
    }
    assert read_bill(written(tmp_path, json.dumps([record]), "bill.json")) == [
        BilledRow("ep1", DAY, 100.5, 3600.0, "NVIDIA L4")
    ]


@pytest.mark.parametrize(
    "head",
    [
        "Endpoint ID,Date,Duration (s),Amount (USD)",
        "endpoint,start_time,seconds,cost",
        "ENDPOINT; Time (UTC); Worker Seconds; Total Cost ($)",
        "endpointId\tday\tbilledSeconds\tcharge",
    ],
)
def test_names_of_columns_are_taken_as_people_write_them(tmp_path: Path, head: str):
    separator = next(mark for mark in ("\t", ";", ",") if mark in head)
    row = separator.join(["ep1", "2026-11-30", "3600", "$0.684"])
    assert read_bill(written(tmp_path, f"{head}\n{row}\n")) == [BilledRow("ep1", DAY, 0.684, 3600.0)]


def test_a_byte_order_mark_carriage_returns_and_empty_lines_do_not_matter(tmp_path: Path):
    text = "endpoint,date,hours,amount\r\nep1,2026-11-30,0.5,1.0\r\n\r\n,,,\r\n"
    assert read_bill(written(tmp_path, text, encoding="utf-8-sig")) == [BilledRow("ep1", DAY, 1.0, 1800.0)]


def test_thousands_are_parted_by_commas(tmp_path: Path):
    path = written(tmp_path, 'endpoint,date,seconds,amount\nep1,2026-11-30,"86,400","$1,234.50"\n')
    assert read_bill(path) == [BilledRow("ep1", DAY, 1234.5, 86400.0)]


def test_a_moment_elsewhere_falls_on_its_day_in_utc(tmp_path: Path):
    path = written(tmp_path, "endpoint,time,amount\nep1,2026-12-01T03:00:00+07:00,1\n")
    assert read_bill(path)[0].day == DAY


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"bill\.csv: is empty; export the bill again"),
        (" \n\n", r"bill\.csv: is empty"),
        ("endpoint,date,amount\n", r"bill\.csv: has no rows"),
        ("name,when,amount\na,b,1\n", r"bill\.csv: has name, when, amount; lacks endpoint \(serverlessid, .*; day \("),
        ("endpoint,date\na,2026-11-30\n", r"has endpoint, date; lacks total \(totalamount, amount"),
        ("endpoint,date,amount\nep1,2026-11-30,-1.5\n", r"row 2, column amount: got '-1\.5'; a bill has no negative"),
        ("endpoint,date,amount\nep1,2026-11-30,($2.00)\n", r"row 2, column amount: got '\(\$2\.00\)'; a bill"),
        ("endpoint,date,amount\nep1,2026-11-30,1\nep1,2026-11-29,€3\n", r"row 3, column amount: got '€3'; need"),
        ("endpoint,date,amount\nep1,2026-11-30,\n", r"row 2, column amount: got ''; need a number"),
        ("endpoint,date,amount\nep1,2026-11-30,nan\n", r"row 2, column amount: got 'nan'; need a number"),
        ("endpoint,date,amount\nep1,2026-11-30,1e999\n", r"row 2, column amount: got '1e999'; need a number"),
        ("endpoint,date,amount\nep1,30/11/2026,1\n", r"row 2, column date: got '30/11/2026'; need a date such as"),
        ("endpoint,date,amount\n,2026-11-30,1\n", r"row 2, column endpoint: is empty"),
        ("endpoint,date,amount,currency\nep1,2026-11-30,1,EUR\n", r"row 2, column currency: got 'EUR'; export"),
        ("endpoint,date,amount\nep1,2026-11-30,1,2\n", r"row 2: has more or fewer values than the 3 columns"),
        ("endpoint,date,amount\nep1,2026-11-30\n", r"row 2: has more or fewer values"),
        ('endpoint,date,amount\nep1,2026-11-30,"1\n', r"after row 1: is no CSV"),
        ('{"error": "no such key"}', r"got an object with 'error'; need 'records'"),
        ('{"records": [', r"line 1: is no JSON"),
        ('{"records": [7]}', r"record 1: got 7; need an object"),
        ('{"records": []}', r"has no rows"),
        ('[{"endpointId": "a", "time": "2026-11-30"}]', r"record 1: has endpointId, time; lacks total"),
        ('[{"endpointId": "a", "time": "2026-11-30", "amount": true}]', r"record 1, column amount: got True; need"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_bill_is_told_by_file_row_and_column(tmp_path: Path, text: str, says: str):
    with pytest.raises(ConfigError, match=says):
        read_bill(written(tmp_path, text))


def test_a_bucket_of_a_week_cannot_be_compared_by_day(tmp_path: Path):
    path = written(tmp_path, json.dumps([V2 | {"endTime": "2026-12-07T00:00:00Z"}]), "bill.json")
    with pytest.raises(ConfigError, match=r"record 1: covers 7 days, 0:00:00; export with bucketSize=day or hour"):
        read_bill(path)


def test_what_is_no_text_and_what_is_not_there_is_told(tmp_path: Path):
    (tmp_path / "bill.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("bill.csv", "none.csv"):
        with pytest.raises(ConfigError, match=rf"{name}: cannot be read"):
            read_bill(tmp_path / name)
