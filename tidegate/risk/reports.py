"""Deciding on the report of a session: recorded once, with an alert for each thing that began to be over its limit."""

from tidegate.risk import door
from tidegate.risk.draft import Draft
from tidegate.v1 import actors_pb2, journal_pb2

FINDINGS_MAX = 100


def record_report(draft: Draft, command: actors_pb2.RecordRiskReportRequest) -> actors_pb2.RecordRiskReportResponse:
    """Record that a report was made; one of a session that is recorded, told again after a crash, changes nothing."""
    door.bounded(len(command.begun), FINDINGS_MAX, "begun")
    if command.report.end_sequence <= draft.book.reported_sequence:
        return actors_pb2.RecordRiskReportResponse(changed=False)
    draft.record(risk_reported=command.report)
    for found in command.begun:
        alert = journal_pb2.AlertRaised(reason_code=found.reason_code, scope=found.scope, text=found.text)
        draft.record(alert_raised=alert)
    return actors_pb2.RecordRiskReportResponse(changed=True)
