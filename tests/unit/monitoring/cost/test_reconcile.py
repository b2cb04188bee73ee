"""`python -m monitoring.cost reconcile` with counts from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitoring.cost.command import main

OURS = """\
endpoint,date,seconds,usd
bi-encoder,2026-11-30,3600,0.684
bi-encoder,2026-12-01,7200,1.368
cross-encoder,2026-11-30,1000,0.19
"""
BILL = """\
endpoint,date,gpu,seconds,amount
ep1,2026-11-30,NVIDIA L4,3650,0.6935
ep1,2026-12-01,NVIDIA L4,7100,1.349
ep2,2026-11-30,NVIDIA L4,1010,0.1919
"""
NAMES = ("--endpoint", "ep1=bi-encoder", "--endpoint", "ep2=cross-encoder")


def reconcile(folder: Path, *options: str, bill: str = BILL, ours: str = OURS) -> int:
    (folder / "bill.csv").write_text(bill, encoding="utf-8")
    (folder / "ours.csv").write_text(ours, encoding="utf-8")
    return main(["reconcile", str(folder / "bill.csv"), "--worker-seconds", str(folder / "ours.csv"), *options])


def test_a_bill_of_two_months_agrees_day_by_day_and_is_summed_by_month(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert reconcile(tmp_path, *NAMES) == 0
    lines = capsys.readouterr().out.splitlines()
    day = "bi-encoder 2026-11-30 3600 3650 -1.4% 0.6840 0.6935 -1.4% 0.000190 0.000190"
    assert lines[1].split() == day.split()
    assert [line.split()[:2] for line in lines[4:7]] == [
        ["bi-encoder", "2026-11"],
        ["bi-encoder", "2026-12"],
        ["cross-encoder", "2026-11"],
    ]
    assert lines[-1] == "all 3 endpoint days agree within 5.0% or a cent and a minute"


def test_a_difference_above_the_tolerance_is_marked_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    bill = BILL.replace("7100,1.349", "9000,1.71")
    assert reconcile(tmp_path, *NAMES, bill=bill) == 1
    out = capsys.readouterr().out
    (marked,) = [line for line in out.splitlines() if line.endswith("<-")]
    assert marked.split()[:6] == ["bi-encoder", "2026-12-01", "7200", "9000", "-20.0%", "1.3680"]
    assert "1 of 3 endpoint days differ by more than 5.0%" in out
    assert reconcile(tmp_path, *NAMES, "--tolerance", "0.25", bill=bill) == 0


def test_seconds_that_agree_at_another_price_differ_in_dollars(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert reconcile(tmp_path, *NAMES, bill=BILL.replace("7100,1.349", "7200,2.232")) == 1
    (marked,) = [line for line in capsys.readouterr().out.splitlines() if line.endswith("<-")]
    assert marked.split()[-3:] == ["0.000310", "0.000190", "<-"]


def test_rows_by_the_hour_are_added_up_to_days(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    hours = "".join(f"ep1,2026-11-30T{hour:02}:00:00Z,NVIDIA L4,1800,0.342\n" for hour in (3, 4))
    ours = "endpoint,date,seconds,usd\nbi-encoder,2026-11-30,3600,0.684\n"
    assert reconcile(tmp_path, *NAMES, bill=f"{BILL.splitlines()[0]}\n{hours}", ours=ours) == 0
    assert "bi-encoder     2026-11-30          3600        3600" in capsys.readouterr().out


def test_a_bill_without_seconds_is_compared_in_dollars_and_its_price_by_our_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    bill = "endpoint,date,amount\nep1,2026-11-30,0.684\nep2,2026-11-30,0.19\n"
    assert reconcile(tmp_path, *NAMES, "--machine", "runpod-l4", bill=bill) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [
        "bi-encoder", "2026-11-30", "3600", "-", "-", "0.6840", "0.6840", "+0.0%", "0.000190", "0.000190",
    ]  # fmt: skip


def test_what_was_billed_and_never_counted_is_no_agreement(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    ours = OURS.replace("bi-encoder,2026-12-01,7200,1.368\n", "")
    assert reconcile(tmp_path, *NAMES, ours=ours) == 1
    (marked,) = [line for line in capsys.readouterr().out.splitlines() if line.endswith("<-")]
    assert marked.split()[:5] == ["bi-encoder", "2026-12-01", "-", "7100", "-"]


def test_what_was_counted_and_never_billed_is_no_agreement_unless_it_runs_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    ours = OURS + "gateway,2026-11-30,86400,1.0\n"
    assert reconcile(tmp_path, *NAMES, ours=ours) == 1
    assert " only ours" in capsys.readouterr().out
    assert reconcile(tmp_path, *NAMES, "--endpoint", "=gateway", ours=ours) == 0


def test_a_machine_of_ones_own_that_costs_nothing_needs_no_word(tmp_path: Path):
    assert reconcile(tmp_path, *NAMES, ours=OURS + "gateway,2026-11-30,86400,0\n") == 0


def test_an_endpoint_of_the_bill_that_is_none_of_ours_is_asked_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert reconcile(tmp_path, *NAMES[:2]) == 2
    assert "endpoint ep2 of the bill: is none of bi-encoder, cross-encoder; say which with --endpoint ep2=NAME" in (
        capsys.readouterr().err
    )
    assert reconcile(tmp_path, *NAMES[:2], "--endpoint", "ep2=", "--endpoint", "=cross-encoder") == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--tolerance", "5"), "--tolerance: got 5.0; give a share such as 0.05"),
        (("--endpoint", "ep1"), "--endpoint: got 'ep1'; give ID=NAME"),
        (("--machine", "basement"), "machine: got 'basement'; use one of local, "),
        (("--endpoint", "ep1=", "--endpoint", "ep2=", "--endpoint", "=bi-encoder", "--endpoint", "=cross-encoder"),
         "every endpoint is left out"),
    ],
)  # fmt: skip
def test_a_wrong_option_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], says: str
):
    assert reconcile(tmp_path, *options) == 2
    assert f"{says}" in capsys.readouterr().err


def test_a_prometheus_that_is_away_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "bill.csv").write_text(BILL)
    assert main(["reconcile", str(tmp_path / "bill.csv"), "--prometheus", "http://127.0.0.1:1"]) == 2
    assert "Prometheus at http://127.0.0.1:1: " in capsys.readouterr().err


def test_the_price_table_is_printed(capsys: pytest.CaptureFixture[str]):
    assert main(["table"]) == 0
    assert "runpod-l4" in capsys.readouterr().out
