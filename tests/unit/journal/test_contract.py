"""What a journal promises, held against each store: the same tests over SQLite and PostgreSQL."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.builders import BUY, CANCELED, REPLACED, Desk, configuration, strategy_scope
from tests.unit.journal.stores import change, entry
from tidegate.errors import CommitFailedError, EpochFencedError, JournalError
from tidegate.journal.contract import BEGINNING, HASH_OF_NOTHING, Head, Journal, link
from tidegate.journal.location import Location, open_journal, open_reader
from tidegate.journal.reading import events_of, verify
from tidegate.risk.draft import order_key, transfer_key
from tidegate.v1 import admin_pb2, common_pb2, risk_pb2


def test_events_are_read_in_their_order(journal: Journal) -> None:
    """Pins from where and how many; there is nothing behind the head."""
    assert [1, 2, 3, 4, 5] == [event.sequence for event in journal.read(0)]
    assert [3, 4] == [event.sequence for event in journal.read(2, 2)]
    assert [] == list(journal.read(5))
    assert 5 == journal.head().sequence


def test_an_event_is_found_by_its_key_and_its_order(journal: Journal) -> None:
    """Pins both indexes."""
    found = journal.find_all([transfer_key("t1")]).get(transfer_key("t1"))
    assert found is not None
    assert 3 == found.sequence
    assert journal.find_all([transfer_key("t2"), order_key("cash", "t1")]) == {}
    assert [2, 4] == [event.sequence for event in journal.events_of_order(2)]
    assert [] == journal.events_of_order(3)


def test_a_commit_adds_one_link_over_epoch_and_bodies(journal: Journal, location: Location) -> None:
    """Pins the chain's definition, that an empty batch adds nothing, and that it is the same when read again."""
    first = link(HASH_OF_NOTHING, 1, [entry(1).body, entry(2, "2").body, entry(3, key="t1").body])
    expected = Head(5, link(first, 1, [entry(4, "2").body, entry(5, "4").body]))
    assert expected == journal.head() == journal.append([]) == journal.verify()
    batches = list(open_reader(location).stored())
    assert [(3, 1, first), (5, 1, expected.hash)] == [batch[:3] for batch in batches]
    assert [[1, 2, 3], [4, 5]] == [[event.sequence for event in batch.events] for batch in batches]


@pytest.mark.parametrize("sequence", [5, 7])
def test_an_event_that_does_not_follow_is_refused(journal: Journal, sequence: int) -> None:
    """Pins that a journal has no gap and no overlap."""
    with pytest.raises(CommitFailedError, match=f"event {sequence} does not follow 5"):
        journal.append([entry(sequence)])
    assert 5 == journal.verify().sequence


@pytest.mark.control("duplicate-ids")
def test_a_key_is_used_up_for_ever(journal: Journal, location: Location) -> None:
    """Pins that the store itself refuses the second use, and keeps nothing of that batch."""
    with pytest.raises(CommitFailedError, match=r"(?i)unique"):
        journal.append([entry(6), entry(7, key="t1")])
    journal.close()
    with closing(open_journal(location)) as again:
        assert 5 == again.verify().sequence


@pytest.mark.control("one-writer")
def test_a_second_opener_fences_the_first(journal: Journal, location: Location) -> None:
    """Pins that a zombie cannot write, and the newer writer can."""
    with closing(open_journal(location)) as newer:
        assert (1, 2, journal.head()) == (journal.epoch, newer.epoch, newer.head())
        with pytest.raises(EpochFencedError, match="epoch 1 was fenced by epoch 2"):
            journal.append([entry(6)])
        newer.append([entry(6)])
        assert 6 == newer.verify().sequence


def test_any_id_is_a_key_and_any_size_a_batch(journal: Journal) -> None:
    """Pins ids that a database may have its own mind about, and the sizes at which statements change."""
    keys = ["%s", "';--", "\\x41", "NULL", "{}", "".join(map(chr, range(0x21, 0x7F)))]
    journal.append([entry(6 + place, key=key) for place, key in enumerate(keys)])
    found = journal.find_all([transfer_key(key) for key in keys])
    assert [6, 7, 8, 9, 10, 11] == [found[transfer_key(key)].sequence for key in keys]
    for size in (1, 4, 33, 300, 1_200):
        first = journal.head().sequence + 1
        journal.append([entry(first + place, str(first + place), f"k{first + place}") for place in range(size)])
        assert first + size - 1 == journal.verify().sequence
    assert journal.head() == journal.verify()


def test_a_topic_is_read_from_a_place_on(journal: Journal) -> None:
    """Pins that a stream sees its own events only, from where it was, so many at a time."""
    published = [entry(sequence) for sequence in range(6, 16)]
    for one in published:
        one.topic = "bars" if one.sequence % 2 else "alerts"
    journal.append(published)
    assert [9, 11] == [event.sequence for event in journal.read_topic("bars", 7, 2)]
    assert [] == journal.read_topic("bars", 2**64, 2)
    assert [] == list(journal.read(2**64))


@pytest.mark.control("one-writer")
def test_a_reader_takes_no_epoch_and_sees_what_is_committed(journal: Journal, location: Location) -> None:
    """Pins that a writer goes on beside those who read, and that a reading begun goes on as well."""
    reader = open_reader(location)
    reading = events_of(reader)
    assert 1 == next(reading).sequence
    journal.append([entry(6)])
    assert [2, 3, 4, 5, 6] == [event.sequence for event in reading]
    assert journal.head() == reader.head() == verify(reader)
    assert [2, 3, 4] == [event.sequence for event in events_of(reader, until=4)][1:]
    assert [6] == [batch.last_sequence for batch in reader.stored(5)]


def test_a_reading_goes_on_from_a_place_of_the_chain(journal: Journal) -> None:
    """Pins that the place is known by its hash, and that what follows is held against it."""
    (first, one), (second, two) = journal.batches(BEGINNING)
    assert ([1, 2, 3], [4, 5]) == ([event.sequence for event in one], [event.sequence for event in two])
    assert journal.head() == second
    assert [(second, two)] == list(journal.batches(first))
    assert [] == list(journal.batches(second))
    assert all(map(journal.holds, (BEGINNING, first, second)))
    for place in (Head(3, second.hash), Head(4, first.hash), Head(9, second.hash), Head(0, first.hash)):
        assert not journal.holds(place)
        with pytest.raises(JournalError, match=f"no batch of this journal ends at event {place.sequence} with that"):
            list(journal.batches(place))


def test_a_writer_comes_back_to_what_it_wrote(journal: Journal, location: Location) -> None:
    """Pins that a new process goes on behind the head, in an epoch of its own, with every key known."""
    before = journal.head()
    journal.close()
    with closing(open_journal(location)) as again:
        assert (2, before) == (again.epoch, again.head())
        assert [transfer_key("t1")] == list(again.find_all([transfer_key("t1")]))
        assert Head(6, link(before.hash, 2, [entry(6).body])) == again.append([entry(6)]) == again.verify()


@pytest.mark.control("records")
@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        pytest.param(
            "UPDATE events SET body = {0} WHERE sequence = 2", "events 1 and 3: their bytes", id="changed body"
        ),
        pytest.param("DELETE FROM events WHERE sequence = 2", "events 1 and 3: event 2 is missing", id="removed event"),
        pytest.param("DELETE FROM events WHERE sequence = 5", "event 5 is missing", id="removed last event"),
        pytest.param("UPDATE events SET epoch = 2 WHERE sequence = 4", "event 4 is of epoch 2", id="an event's epoch"),
        pytest.param("UPDATE batches SET epoch = 2 WHERE last_sequence = 5", "is of epoch 1", id="a batch's epoch"),
        pytest.param("UPDATE batches SET hash = {1} WHERE last_sequence = 5", "or their hash", id="changed hash"),
        pytest.param("DELETE FROM batches WHERE last_sequence = 3", "between events 1 and 5", id="removed batch"),
        pytest.param("DELETE FROM batches WHERE last_sequence = 5", "events 4 to 5 are in no", id="removed last batch"),
        pytest.param("INSERT INTO events VALUES (6, 0, 1, 'x', NULL, NULL, {0})", "events 6 to 6", id="added event"),
        pytest.param("UPDATE events SET sequence = 9 WHERE sequence = 5", "event 5 is missing", id="moved event"),
    ],
)
def test_a_changed_journal_is_detected(journal: Journal, location: Location, tampering: str, found: str) -> None:
    """Pins that the chain covers bodies, places, epochs and batches, and that the line says where and what to do."""
    change(location, tampering)
    with pytest.raises(JournalError) as caught:
        journal.verify()
    assert found in str(caught.value)
    assert str(caught.value).startswith(str(location))
    assert "go on from a copy, as docs/journal.md says" in str(caught.value)


@pytest.mark.control("one-writer")
def test_what_was_written_behind_the_writers_back_is_not_overwritten(journal: Journal, location: Location) -> None:
    """Pins that the store itself refuses a batch whose place is taken."""
    change(location, "INSERT INTO batches VALUES (6, 1, {1})")
    change(location, "INSERT INTO events VALUES (6, 0, 1, 'x', NULL, NULL, {0})")
    with pytest.raises(CommitFailedError, match="events up to 6 failed"):
        journal.append([entry(6)])


def acknowledged(desk: Desk) -> risk_pb2.AcknowledgeAlertRequest:
    """Write that somebody has seen the newest alert."""
    return risk_pb2.AcknowledgeAlertRequest(alert_sequence=desk.alerts()[0].sequence, operator="ann")


@pytest.mark.control("continuity")
def test_a_restart_gives_the_same_state_to_the_byte(location: Location) -> None:
    """Pins replay over every kind of event; the restarted gate then goes on as the first one would have."""
    desk = Desk(Path(), configuration(), location=location)
    desk.bar(1, A="100", B="50", F="20")
    desk.hold("cash", "100", "99.97")
    desk.hold("margin", "-150", "100.03")
    working = desk.order("cash", BUY, "7", "A")
    order_id = desk.submit(working).order_id
    desk.claim(order_id)
    desk.fill(order_id, "3", "100.5", fee="0.07")
    desk.cancel(working)
    desk.report(desk.execution(desk.buy("cash", "5", "B").order_id, CANCELED))
    desk.buy("cash", "100000")
    orphan = desk.trade("", "2", "19.5")
    orphan.symbol, orphan.side = "F", BUY
    desk.report(orphan, bar_sequence=desk.book.last_bar_sequence)
    pause = admin_pb2.PauseStrategyRequest(strategy_id="margin", operator="ann", reason="odd")
    desk.ask("PauseStrategy", pause, admin_pb2.PauseStrategyResponse)
    move = admin_pb2.TransferCapitalRequest(
        transfer_id="t1", to_strategy_id="cash", amount="123.45", operator="ann", reason="plan"
    )
    desk.ask("TransferCapital", move, admin_pb2.TransferCapitalResponse)
    replaced = desk.order("cash", BUY, "20", "A")
    replaced_id = desk.submit(replaced).order_id
    desk.replace(desk.replacement(replaced, "25"))
    fill = desk.trade(replaced_id, "4", "100.33", fee="0.01")
    desk.report(desk.execution(replaced_id, REPLACED), fill, desk.correction(fill, "3", "100.3"))
    desk.replace(desk.replacement(replaced, "30"))
    desk.report(desk.bust(orphan))
    desk.deposit("77.77")
    desk.withdraw("0.01")
    desk.open_session("s1")
    desk.tick(31)
    desk.close_session("s1")
    desk.ask("AcknowledgeAlert", acknowledged(desk), risk_pb2.AcknowledgeAlertResponse)
    desk.cancel_all(strategy_scope("cash"))
    desk.halt(strategy_scope("margin"), common_pb2.HALT_LEVEL_REDUCE_ONLY)
    desk.price(1.5, A="101.01")
    desk.bar(2, A="97.77", B="51")
    before = desk.state()
    order = desk.order("cash", BUY, "1", "B")
    decided = desk.gate.engine.decide(order, desk.book.time_ns).events
    restarted = desk.restarted()
    assert before == restarted.state()
    assert desk.book.equity == restarted.book.equity
    assert desk.gate.journal.head() == restarted.gate.journal.head()
    assert (desk.book.sessions, desk.book.awaiting.keys()) == (restarted.book.sessions, restarted.book.awaiting.keys())
    assert desk.book.orders == restarted.book.orders
    assert decided == restarted.gate.engine.decide(order, restarted.book.time_ns).events
    for one in (desk, restarted):
        one.gate.journal.close()


@pytest.mark.control("one-writer")
def test_an_old_writer_sees_that_it_is_old_without_writing(journal: Journal, location: Location) -> None:
    """Pins what a lease is renewed by: whoever took the journal last, also once that one is gone."""
    assert journal.epoch == journal.newest_epoch()
    with closing(open_journal(location)) as newer:
        assert [2, 2] == [newer.newest_epoch(), newer.epoch]
    assert [1, 2] == [journal.epoch, journal.newest_epoch()]
