"""The brake: what a failure costs, and what it can cost the gateway."""

import asyncio

import pytest

from gateway import brake
from gateway.brake import Brake, address_of


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        """Begin at nought."""
        self.now_s = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


def test_each_failure_costs_twice_as_much_up_to_a_bound() -> None:
    """Pins the delays, by address; a million failures cost no more than ten."""
    held = Brake(Clock())
    assert [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 3.2] == [held.fail("a") for _ in range(8)]
    assert 0.05 == held.fail("b")
    assert {3.2} == {held.fail("a") for _ in range(10_000)}


def test_ten_quiet_minutes_are_forgiven_and_nine_are_not() -> None:
    """Pins when an address begins anew."""
    clock = Clock()
    held = Brake(clock)
    held.fail("a")
    clock.now_s = 600
    assert 0.1 == held.fail("a")
    clock.now_s += 600.1
    assert 0.05 == held.fail("a")


def test_the_table_forgets_the_quietest_address_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins the bound on its size: failures from ever new addresses cost no memory."""
    monkeypatch.setattr(brake, "ADDRESSES_MAX", 3)
    held = Brake(Clock())
    for address in ("a", "b", "c", "a", "d"):
        held.fail(address)
    assert ["c", "a", "d"] == list(held._failures)
    assert 0.05 == held.fail("b")


async def test_only_so_many_wait_and_the_others_are_answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins the bound on what waits, and that a caller who has gone frees its place."""
    monkeypatch.setattr(brake, "WAITING_MAX", 2)
    monkeypatch.setattr(brake, "DELAY_FIRST_S", 60.0)
    monkeypatch.setattr(brake, "DELAY_MAX_S", 60.0)
    held = Brake(Clock())
    waiting = [asyncio.create_task(held.hold("a")) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.wait_for(held.hold("a"), 1)
    waiting[0].cancel()
    await asyncio.wait([waiting[0]])
    third = asyncio.create_task(held.hold("b"))
    await asyncio.sleep(0.01)
    assert (False, 2) == (third.done(), held._waiting)
    for task in (waiting[1], third):
        task.cancel()


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.7:5001", "192.0.2.7"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:5001", "2001:db8:1:2::/64"),
        ("ipv6:%5B2001:db8:1:2:ffff::1%5D:5002", "2001:db8:1:2::/64"),
        ("ipv6:%5B::ffff:192.0.2.7%5D:5001", "192.0.2.7"),
        ("ipv6:%5B::1%5D:5001", "::/64"),
        ("unix:", "unix"),
        ("unix:/run/gate.sock", "unix"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5001", "fe80::/64"),
        ("ipv4:nonsense:1", "nonsense"),
        ("", ""),
    ],
)
def test_an_address_is_without_its_port_and_of_ipv6_the_network(peer: str, address: str) -> None:
    """Pins what counts as one sender: a guesser changes its port, and has a whole /64 to itself."""
    assert address == address_of(peer)
