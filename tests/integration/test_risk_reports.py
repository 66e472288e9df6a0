"""Risk reports: made beside the gate, made up for when they were missed, served by period, with alerts of their own."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from actors.names import REPORTER, RISK_MANAGER
from actors.port import UnavailableError
from actors.reporting import Reporting
from gateway import run
from gateway.client import new_order
from gateway.run import _report_rules
from gateway.status import refusal_of
from gateway.testing import RunningGateway, running_gateway
from tests.integration.desk import events_of, open_desk, write_portfolio
from tests.integration.test_archive import journal
from tests.integration.test_cluster import kill, process_id
from tests.integration.test_limits import TIDEGATE
from tidegate.errors import JournalError
from tidegate.journal.location import open_reader
from tidegate.journal.reading import events_of as events_in
from tidegate.journal.reports import ReportFile, beside
from tidegate.journal.segments import open_whole
from tidegate.journal.sqlite_reader import SqliteReader
from tidegate.portfolio.session_end import FollowedBook
from tidegate.portfolio_file import PortfolioFile
from tidegate.reasons import Reason
from tidegate.report_rules import ReportRules
from tidegate.reports_section import ReportsSection
from tidegate.statistics.session_report import session_report
from tidegate.v1 import common_pb2, market_data_pb2, orders_pb2, risk_pb2

DAY_S = 86_400
FIRST_DAY = 1_577_836_800 // DAY_S
UNLIMITED: dict[str, Any] = dict.fromkeys(
    ("max_leverage", "warn_leverage", "max_concentration", "warn_concentration", "max_drawdown", "warn_drawdown")
)
CODED: dict[str, Any] = {"class": "tests:None", "route": "paper", "kind": "margin", "max_leverage": 3}
PORTFOLIO = PortfolioFile.model_validate(
    {
        "name": "reported",
        "currency": "USD",
        "capital": 100_000,
        "clock": "bars",
        "limits": UNLIMITED | {"halt_drawdown": None, "max_price_age_s": 864_000},
        "price_bands": [{"band": 0.9}],
        "instruments": [{"symbol": "A", "sector": "tech"}, {"symbol": "B", "sector": "tech"}, {"symbol": "NEW"}],
        "strategies": [CODED | {"id": "one", "allocation": 0.5}, CODED | {"id": "two", "allocation": 0.4}],
        "adapters": [{"name": "paper"}],
    }
)
RULES = ReportRules(benchmark="B")


def bar(day: int, **closes: str) -> market_data_pb2.PublishBarsRequest:
    """Write the bar of a day, at noon."""
    bars = [market_data_pb2.Bar(symbol=symbol, close=close) for symbol, close in closes.items()]
    return market_data_pb2.PublishBarsRequest(time=stamp(day, DAY_S // 2), bars=bars)


def stamp(day: int, seconds: int = 0) -> Timestamp:
    """Return a time of a day."""
    return Timestamp(seconds=(FIRST_DAY + day) * DAY_S + seconds)


def reports_of(gateway: RunningGateway) -> Path:
    """Name the file of a gateway's reports."""
    return beside(gateway.journal, gateway.journal.parent)


def reporting_of(gateway: RunningGateway, rules: ReportRules = RULES) -> Reporting:
    """Make what makes the reports of a gateway in process, as its actor does."""
    return Reporting(
        gateway.journal, beside(gateway.journal, gateway.journal.parent), rules, gateway.port, structlog.get_logger()
    )


@asynccontextmanager
async def reported() -> AsyncIterator[RunningGateway]:
    """Run a gateway that serves the reports beside its journal."""
    async with running_gateway(PORTFOLIO) as gateway:
        gateway.port._reports = ReportFile(reports_of(gateway))
        yield gateway


async def price(gateway: RunningGateway, day: int, close: str) -> None:
    """Publish the prices of a day: no bar, so nobody has to complete it."""
    prices = [market_data_pb2.Price(symbol=symbol, price=close, time=stamp(day, DAY_S // 2)) for symbol in ("A", "B")]
    await gateway.client.market_data.PublishPrices(market_data_pb2.PublishPricesRequest(prices=prices))


async def hold(gateway: RunningGateway, strategy_id: str, symbol: str, quantity: str) -> None:
    """Give a strategy a position at 100."""
    name = f"{strategy_id}-{symbol}"
    order = new_order(
        strategy_id=strategy_id,
        client_order_id=name,
        symbol=symbol,
        side=common_pb2.SIDE_BUY,
        quantity=quantity,
        route="paper",
    )
    decision = await gateway.client.submit_order(order)
    fill = orders_pb2.Execution(
        execution_id=name,
        execution_type=orders_pb2.EXECUTION_TYPE_TRADE,
        order_id=decision.order_id,
        last_quantity=quantity,
        last_price="100",
    )
    report = orders_pb2.ReportExecutionsRequest(account="acc", adapter="paper", executions=[fill])
    await gateway.client.orders.ReportExecutions(report)


async def live(gateway: RunningGateway, begin: int, end: int) -> None:
    """Let days pass in which A and B move together."""
    for day in range(begin, end):
        up = day % 2
        await gateway.client.market_data.PublishBars(bar(day, A="100" if up else "95", B="100" if up else "96"))


async def reports(gateway: RunningGateway, **fields: Any) -> risk_pb2.ListRiskReportsResponse:
    """Ask for reports."""
    return await gateway.client.risk.ListRiskReports(risk_pb2.ListRiskReportsRequest(**fields))


def day_of(report: risk_pb2.RiskReport) -> int:
    """Return which day a report is of."""
    return report.session.seconds // DAY_S - FIRST_DAY


async def test_a_gate_whose_portfolio_file_asks_for_no_reports_says_so_with_a_code() -> None:
    """There is nothing to wait for, so the answer is not an empty list."""
    async with running_gateway(PORTFOLIO) as gateway:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await reports(gateway)
    refusal = refusal_of(caught.value)
    assert (grpc.StatusCode.FAILED_PRECONDITION, Reason.REPORTS_UNAVAILABLE) == (refusal.code, refusal.reason)


async def test_every_session_has_its_report_and_what_began_to_be_too_much_is_alerted_once() -> None:
    """Positions, parts, headroom and findings of 65 sessions; alerts by code; the digest is that of what is kept."""
    async with reported() as gateway:
        await live(gateway, 1, 2)
        await hold(gateway, "one", "A", "600")
        await hold(gateway, "two", "B", "400")
        await live(gateway, 2, 66)
        await gateway.client.market_data.PublishBars(bar(66, A="70", B="90"))
        await gateway.client.market_data.PublishBars(bar(67, A="70", B="90"))
        reporting = reporting_of(gateway)
        assert 66 == await reporting.catch_up()
        assert 0 == await reporting.catch_up()
        await reporting.close()
        found = list((await reports(gateway)).reports)
        assert list(range(1, 67)) == [day_of(one) for one in found]
        early, calm, fallen = found[10], found[64], found[65]
        assert ["A", "B"] == list(early.without_history)
        assert ("", 0) == (early.var_95, early.sessions)
        assert ("100000", "100000") == (calm.equity, calm.gross_exposure)
        assert (64, "B") == (calm.sessions, calm.benchmark)
        assert float(calm.var_95) == pytest.approx(600 * 5 + 400 * 4, rel=0.06)
        assert ["1", "1"] == [calm.strategy_correlations.upper[0][:1], calm.correlations.upper[0][:1]]
        assert float(calm.var_95) == pytest.approx(sum(float(part.component_var) for part in calm.positions))
        assert ["tech"] == [part.name for part in calm.sectors]
        assert all(float(risk.size_factor) > 0 for risk in calm.position_risks)
        assert float(fallen.drawdown) == pytest.approx(-0.22)
        codes = {one.reason_code for one in fallen.findings}
        wanted = {Reason.POSITION_RISK, Reason.POSITION_CORRELATION, Reason.DRAWDOWN_CRITICAL, Reason.CONCENTRATION}
        assert wanted == codes
        alerts = (await gateway.client.risk.ListAlerts(risk_pb2.ListAlertsRequest(page_size=1_000))).alerts
        raised = [alert.reason_code for alert in alerts]
        assert 1 == raised.count(Reason.DRAWDOWN_CRITICAL)
        assert (1, 2, 2) == tuple(
            raised.count(code) for code in (Reason.POSITION_RISK, Reason.POSITION_CORRELATION, Reason.RISK_UNDEFINED)
        )
        recorded = gateway.events("risk_reported")
        bodies = ReportFile(reports_of(gateway)).read(0, None, None, 100, newest_first=False)
        assert [hashlib.sha256(body).digest() for body in bodies] == [e.risk_reported.digest for e in recorded]


async def test_reports_are_asked_for_by_period_and_page_by_page() -> None:
    """Begin and end, both ways round, the token, and what is no token and no time."""
    async with reported() as gateway:
        await live(gateway, 1, 12)
        assert [] == list((await reports(gateway)).reports)
        reporting = reporting_of(gateway)
        await reporting.catch_up()
        await reporting.close()
        period = {"begin": stamp(3), "end": stamp(7)}
        assert [3, 4, 5, 6] == [day_of(one) for one in (await reports(gateway, **period)).reports]
        newest = await reports(gateway, **period, newest_first=True, page_size=3)
        assert [6, 5, 4] == [day_of(one) for one in newest.reports]
        token = newest.next_page_token
        last = await reports(gateway, **period, newest_first=True, page_size=3, page_token=token)
        assert ([3], "") == ([day_of(one) for one in last.reports], last.next_page_token)
        for wrong, reason in (({"page_token": "x"}, "PAGE_TOKEN_INVALID"), ({"begin": Timestamp()}, "TIME_INVALID")):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await reports(gateway, **wrong)
            assert reason == refusal_of(caught.value).reason
        shown = (await command(gateway, "--from", "2020-01-04", "--to", "2020-01-05")).stdout
        assert ["session", "2020-01-04", "2020-01-05"] == [line.split()[0] for line in shown.splitlines()]
        whole = (await command(gateway)).stdout
        assert whole.startswith("session 2020-01-11: equity 100,000")
        lines = (await command(gateway, "--json")).stdout.splitlines()
        assert ["2020-01-11T00:00:00Z"] == [json.loads(line)["session"] for line in lines]
        none = await command(gateway, "--from", "2030-01-01")
        assert (1, "no session of that time has a report\n") == (none.returncode, none.stderr)


async def command(gateway: RunningGateway, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``tidegate report`` beside the gateway's own event loop."""
    return await asyncio.to_thread(
        subprocess.run,
        [TIDEGATE, "report", *words, "--address", gateway.address],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])},
    )


async def test_a_reporter_that_died_at_any_point_leaves_every_session_reported_once() -> None:
    """Before anything, after the report was kept, and after it was recorded: the next one goes on in each case."""
    async with reported() as gateway:
        await live(gateway, 1, 6)
        first = reporting_of(gateway)
        loop = asyncio.get_running_loop()
        made = [await loop.run_in_executor(first._thread, first._next) for _ in range(3)]  # kept, and nobody told
        assert made[0] is not None
        assert made[0].request is not None
        await first._record(made[0].request)  # recorded, and not noted
        await first.close()
        await live(gateway, 6, 8)
        second = reporting_of(gateway)
        assert 5 == await second.catch_up()
        await second.close()
        third = reporting_of(gateway)
        assert 0 == await third.catch_up()
        await third.close()
        recorded = [event.risk_reported.end_sequence for event in gateway.events("risk_reported")]
        assert [one.end_sequence for one in (await reports(gateway)).reports] == recorded
        assert 6 == len(set(recorded))


async def test_behind_an_archive_a_reporter_goes_on_where_the_one_before_was_killed(tmp_path: Path) -> None:
    """The first events have left the journal: the next sessions have their reports, of everything that was before."""
    async with reported() as gateway:
        await price(gateway, 1, "100")
        await hold(gateway, "one", "A", "900")
        for day in range(2, 64):
            await price(gateway, day, "80" if day >= 62 else "101" if day % 2 else "100")
        first = reporting_of(gateway)
        assert 62 == await first.catch_up()
        await first.close()
        before = (await reports(gateway)).reports[-1]
        assert 62 == day_of(before)
        assert "DRAWDOWN_CRITICAL" in {one.reason_code for one in before.findings}
        await gateway.stop()
        place = ("--journal", str(gateway.journal))
        assert 0 == journal("snapshot", *place)[0]
        last = gateway.events()[-1].sequence
        code, said = journal("archive", str(tmp_path / "archive"), "--until", str(last), *place)
        assert (0, True) == (code, f"events up to {last}" in said), said
        await gateway.start()
        gateway.port._reports = ReportFile(reports_of(gateway))
        for day in range(64, 67):
            await price(gateway, day, "83")
        second = reporting_of(gateway)
        assert 3 == await second.catch_up()
        await second.close()
        found = list((await reports(gateway)).reports)
        assert list(range(1, 66)) == [day_of(one) for one in found]
        whole = open_whole(open_reader(gateway.journal), tmp_path / "archive")
        followed = FollowedBook()
        ends = [end for event in events_in(whole) if (end := followed.take(event)) is not None]
        assert [session_report(end, RULES) for end in ends] == found
        assert before.max_drawdown == found[-1].max_drawdown
        assert all(one.sharpe_ratio for one in found[-3:])
        alerts = (await gateway.client.risk.ListAlerts(risk_pb2.ListAlertsRequest(page_size=1_000))).alerts
        assert 1 == [alert.reason_code for alert in alerts].count(Reason.DRAWDOWN_CRITICAL)
        third = reporting_of(gateway)
        assert 0 == await third.catch_up()
        await third.close()


async def test_reports_of_another_journal_are_refused() -> None:
    """A journal that was begun anew under its old name does not get the reports of the old one."""
    async with reported() as gateway:
        await live(gateway, 1, 4)
        reporting = reporting_of(gateway)
        assert 2 == await reporting.catch_up()
        await reporting.close()
        kept = reports_of(gateway).read_bytes()
    async with reported() as gateway:
        reports_of(gateway).write_bytes(kept)
        with pytest.raises(JournalError, match="it is of another journal; move it away, and reports are made anew"):
            reporting_of(gateway)


async def test_a_reporter_that_begins_anew_reads_the_archive_as_well(tmp_path: Path) -> None:
    """What has left the journal is part of the sessions: each is reported once, before the archive and after it."""
    async with reported() as gateway:
        await quote(gateway, range(1, 4))
        first = reporting_of(gateway)
        assert 2 == await first.catch_up()
        await gateway.stop()
        until = str(SqliteReader(gateway.journal).head().sequence)
        for words in (("snapshot",), ("archive", str(tmp_path / "archive"), "--until", until)):
            assert 0 == (done := journal(*words, "--journal", str(gateway.journal)))[0], done[1]
        await gateway.start()
        gateway.port._reports = ReportFile(reports_of(gateway))
        await quote(gateway, range(4, 6))
        second = reporting_of(gateway)
        assert 2 == await second.catch_up()
        assert 0 == await first.catch_up()
        assert 4 == len((await reports(gateway)).reports)
        for reporting in (first, second):
            await reporting.close()


async def quote(gateway: RunningGateway, days: range) -> None:
    """Let days pass with prices instead of bars."""
    for day in days:
        price = market_data_pb2.Price(symbol="A", price="100", time=stamp(day))
        await gateway.client.market_data.PublishPrices(market_data_pb2.PublishPricesRequest(prices=[price]))


async def test_while_the_risk_manager_is_away_a_report_waits_and_is_recorded_then() -> None:
    """The reporter outlives the RiskManager: what it made meanwhile is told as soon as somebody listens."""
    async with reported() as gateway:
        await live(gateway, 1, 4)
        reporting = reporting_of(gateway)
        await gateway.stop()
        with pytest.raises(UnavailableError):
            await gateway.port.execute([])
        waiting = asyncio.create_task(reporting.catch_up())
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await gateway.start()
        assert 2 == await waiting
        await reporting.close()


async def test_a_report_that_cannot_be_made_is_an_alert_and_the_next_one_follows() -> None:
    """Nothing stands still in silence, and nothing is tried for ever."""
    async with reported() as gateway:
        await live(gateway, 1, 4)
        broken = reporting_of(gateway, ReportRules(method="none"))
        assert 2 == await broken.catch_up()
        await broken.close()
        alerts = (await gateway.client.risk.ListAlerts(risk_pb2.ListAlertsRequest())).alerts
        assert [Reason.INTERNAL] * 2 == [alert.reason_code for alert in alerts]
        assert alerts[1].text.startswith("session 2020-01-02: its risk report failed")
        assert [] == list((await reports(gateway)).reports)


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.timeout(300)
def test_its_process_dies_and_trading_goes_on_and_what_was_missed_is_made_up_for(tmp_path: Path) -> None:
    """On real Ray: killed in between, every session has its report in the end; scipy is in its process only."""
    with open_desk(write_portfolio(tmp_path, reports={"benchmark": "UP"})) as desk:
        desk.replay(0, 10)
        kill(REPORTER)
        desk.replay(10, 20)
        assert 20 == desk.whole().performance.bars
        deadline = time.monotonic() + 60
        listed = risk_pb2.ListRiskReportsRequest()
        while len(desk.client.risk.ListRiskReports(listed).reports) < 19:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        maps = {name: Path(f"/proc/{process_id(name)}/maps").read_text() for name in (REPORTER, RISK_MANAGER)}
        assert (True, False) == ("scipy" in maps[REPORTER], "scipy" in maps[RISK_MANAGER])
        reporter = process_id(REPORTER)
        os.kill(reporter, signal.SIGSTOP)  # one that hangs stops nothing either
        desk.replay(20, 25)
        os.kill(reporter, signal.SIGCONT)
        journal = desk.journal
    kinds = [event for event in events_of(journal) if event.HasField("risk_reported")]
    assert len({event.risk_reported.end_sequence for event in kinds}) == len(kinds) >= 19


def test_without_the_extra_the_run_says_so_and_makes_no_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear line at the start; the method then refuses, as for a file that asks for none."""
    asked = PORTFOLIO.model_copy(update={"reports": ReportsSection()})
    said: list[str] = []
    assert ReportRules() == _report_rules(asked, said.append)
    assert _report_rules(PORTFOLIO, said.append) is None
    assert [] == said
    monkeypatch.setattr(run, "find_spec", lambda _name: None)
    assert _report_rules(asked, said.append) is None
    assert ["reports: no risk reports are made: scipy is missing, install the extra tidegate[statistics]"] == said
