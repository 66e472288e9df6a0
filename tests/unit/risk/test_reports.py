"""Recording the report of a session: once, with its alerts, whoever tells it again."""

from tests.unit.builders import Desk, instrument_scope
from tidegate.v1 import actors_pb2, common_pb2, journal_pb2


def told(end_sequence: int, findings: int = 1) -> actors_pb2.RecordRiskReportRequest:
    """Write what the reporter tells."""
    found = common_pb2.Violation(reason_code="POSITION_RISK", scope=instrument_scope("A"), text="too much")
    report = journal_pb2.RiskReported(end_sequence=end_sequence, digest=b"d", findings=findings)
    return actors_pb2.RecordRiskReportRequest(report=report, begun=[found] * findings)


def record(desk: Desk, end_sequence: int, findings: int = 1) -> bool:
    """Have a report recorded; tell whether this changed anything."""
    return desk.ask("RecordRiskReport", told(end_sequence, findings), actors_pb2.RecordRiskReportResponse).changed


def test_a_report_is_recorded_once_also_across_a_restart(desk: Desk) -> None:
    """Pins that a session that was told is not told again, nor one before it; its findings are alerts."""
    assert record(desk, 2)
    before = desk.kinds(0)
    assert not record(desk, 2)
    back = desk.restarted()
    assert not record(back, 2)
    assert not record(back, 1)
    assert before == back.kinds(0)
    assert ["risk_reported", "alert_raised"] == before[-2:]
    (alert,) = back.alerts()
    assert ("POSITION_RISK", instrument_scope("A"), "too much") == (alert.reason_code, alert.scope, alert.text)
    assert record(back, 3, findings=0)


def test_more_findings_than_a_message_takes_are_refused(desk: Desk) -> None:
    """Pins 100 and 101."""
    assert record(desk, 2, findings=100)
    assert "BATCH_TOO_LARGE" == desk.refusal("RecordRiskReport", told(3, findings=101))
