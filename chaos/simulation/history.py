"""One history: peers, a network that loses, repeats and reorders, writers that die, zombies; all from a seed."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol

from google.protobuf.message import Message

from chaos.chain import Link, read_links
from chaos.checker import Finding, check
from chaos.questions import ask_everything
from chaos.records import Record
from chaos.simulation.memory import CRASHES, Crash, MemoryJournal, MemoryRecorded, MemoryStore, failing
from chaos.simulation.peers import Broker, Call, Feed, Market, Officer, Peer, Trader, Watcher
from tidegate.errors import CommitFailedError
from tidegate.gate import Gate, Reply, Request
from tidegate.journal.contract import BEGINNING, Journal, Recorded
from tidegate.journal.recorded import RecordedJournal
from tidegate.journal.sqlite import SqliteJournal
from tidegate.journal.sqlite_reader import SqliteReader
from tidegate.permissions import INTERNAL
from tidegate.portfolio_file import PortfolioFile
from tidegate.state.differences import differences
from tidegate.state.recovery import take_snapshot

NS_PER_MS = 1_000_000
STEPS = 100
_BEGIN_NS = 1_700_000_000_000_000_000
_ROUNDS_TO_HEAL_MAX = 12
_CRASH_SHARE = 0.04

CONFIGURATION = PortfolioFile.model_validate(
    {
        "name": "simulation",
        "currency": "USD",
        "capital": "1000000",
        "limits": {
            "max_leverage": "0.5",
            "max_concentration": "0.3",
            "halt_drawdown": "0.05",
            "max_drawdown": "0.04",
            "warn_drawdown": "0.03",
            "max_price_age_s": 60,
        },
        "instruments": [{"symbol": "ONE"}, {"symbol": "TWO", "multiplier": "3", "tick": "0.01"}],
        "strategies": [
            {"id": "saver", "kind": "cash", "class": "a:B", "route": "paper", "allocation": "0.3"},
            {
                "id": "lever",
                "kind": "margin",
                "class": "a:B",
                "route": "paper",
                "allocation": "0.2",
                "max_leverage": "1.5",
            },
            {"id": "short", "kind": "external", "allocation": "0.2"},
        ],
        "adapters": [{"name": "paper"}],
    }
).to_wire()
_PEERS: tuple[tuple[type[Peer], str], ...] = (
    (Feed, "feed"),
    (Trader, "saver"),
    (Trader, "lever"),
    (Trader, "short"),
    (Broker, "broker"),
    (Officer, "officer"),
    (Watcher, "watcher"),
)
STRATEGIES = tuple(terms.strategy_id for terms in CONFIGURATION.strategies)


class Store(Protocol):
    """Where a history's journal is kept; it outlives every writer."""

    def open(self) -> Journal:
        """Become the journal's one writer."""

    def links(self) -> list[Link]:
        """Return what is durable."""

    def recorded(self) -> Recorded:
        """Look at what is recorded, and take no epoch."""


class InMemory:
    """A store in memory."""

    def __init__(self) -> None:
        """Begin empty."""
        self._store = MemoryStore()

    def open(self) -> Journal:
        """Become the journal's one writer."""
        return MemoryJournal(self._store)

    def links(self) -> list[Link]:
        """Return what is durable."""
        return self._store.links

    def recorded(self) -> Recorded:
        """Look at what is recorded, and take no epoch."""
        return MemoryRecorded(self._store)


class InFile:
    """The real store, in a file."""

    def __init__(self, path: Path) -> None:
        """Begin a file that there is not."""
        self._path = path

    def open(self) -> Journal:
        """Become the journal's one writer."""
        return SqliteJournal(self._path)

    def links(self) -> list[Link]:
        """Return what is durable."""
        return list(read_links(self._path))

    def recorded(self) -> Recorded:
        """Look at what is recorded, and take no epoch."""
        return RecordedJournal(SqliteReader(self._path))


class _Packet(NamedTuple):
    """A request on its way."""

    peer: Peer
    call: Call


class _Answer(NamedTuple):
    """A reply on its way."""

    packet: _Packet
    reply: Reply


class History:
    """
    Runs one history, and has it checked.

    Whatever happens is drawn from the seed: the same seed is the same history. crashes: asked at each append, instead
    of the lot, whether the writer dies there.
    """

    def __init__(self, seed: int, store: Store, crashes: Callable[[], Crash] | None = None) -> None:
        """Begin with one writer and nobody having asked anything."""
        self._rng = Random(seed)  # noqa: S311 -- a simulation that is to be repeated
        self._store = store
        self._healing = False
        self._crash = crashes or self._draw_crash
        self.market = Market({"ONE": Decimal(100), "TWO": Decimal(50)}, now_ns=_BEGIN_NS)
        lots = [Random(f"{seed} {name}") for _, name in _PEERS]  # noqa: S311 -- a simulation that is to be repeated
        self.peers = [kind(name, lot, self.market) for (kind, name), lot in zip(_PEERS, lots, strict=True)]
        self.records: list[Record] = []
        self.findings: list[Finding] = []
        self._requests: list[_Packet] = []
        self._answers: list[_Answer] = []
        self._zombies: list[Gate] = []
        self._gate: Gate | None = None
        self._step = 0
        # Writers that went on from a snapshot.
        self.resumed = 0

    def run(self, steps: int = STEPS) -> list[Finding]:
        """Live through so many steps, heal, and return what the checker found."""
        self._ask()
        for _ in range(steps):
            self._tick()
            self._do_something()
        self._heal()
        gate = self._standing()
        live = ask_everything(lambda method, message: self._read(gate, method, message), STRATEGIES)
        again = self._open(whole=True)
        if differing := differences(gate.engine, again.engine):
            self.findings.append(Finding("replay", f"the state is another one: {differing[0]}"))
        replayed = ask_everything(lambda method, message: self._read(again, method, message), STRATEGIES)
        for one in (gate, again, *self._zombies):
            one.journal.close()
        return self.findings + check(self._store.links(), self.records, live, replayed)

    def _tick(self) -> None:
        self._step += 1
        self.market.now_ns += NS_PER_MS

    def _do_something(self) -> None:
        chances: dict[Callable[[], None], int] = {
            self._ask: 34,
            self._process: 26,
            self._deliver: 22,
            self._retry: 8,
            self._disturb: 6,
            self._wait: 2,
            self._kill: 1,
            self._stop: 1,
            self._take_snapshot: 2,
        }
        (do,) = self._rng.choices(list(chances), list(chances.values()))
        do()

    def _wait(self) -> None:
        """Let time go on, so that prices get old and orders overdue."""
        self.market.now_ns += self._rng.choice((10, 1_000, 40_000)) * NS_PER_MS
        self._decide(self._standing(), [], is_tick=True)

    def _take_snapshot(self) -> None:
        """Take a snapshot beside whoever writes, as a process of its own does."""
        self._standing()
        take_snapshot(self._store.recorded())

    def _kill(self) -> None:
        """End the writer between two batches."""
        self._gate = None

    def _stop(self) -> None:
        """Stop the writer, so that it is thought dead; it goes on later, beside the next one."""
        if self._gate is not None:
            self._zombies.append(self._gate)
            self._gate = None

    def _ask(self) -> None:
        # The feed speaks first: before the first prices nothing is accepted.
        idle = self.peers[:1] if not self._step else [peer for peer in self.peers if peer.open is None]
        peer = self._rng.choice(idle) if idle else None
        call = peer.draw() if peer is not None else None
        if peer is not None and call is not None:
            peer.open = call
            self.records += [Record(is_answer=False, kind=kind, key=key, time_ns=self._step) for kind, key in call.keys]
            self._requests.append(_Packet(peer, call))

    def _retry(self) -> None:
        """Let those who have waited too long ask again; what must not be repeated is given up."""
        waiting = [peer for peer in self.peers if peer.open is not None]
        if waiting:
            peer = self._rng.choice(waiting)
            if peer.open is not None and peer.open.repeats:
                self._requests.append(_Packet(peer, peer.open))
            else:
                peer.open = None

    def _disturb(self) -> None:
        """Lose something on its way, or let it arrive twice."""
        rng = self._rng
        if self._requests and rng.random() < 0.6:
            packet = rng.choice(self._requests)
            if rng.random() < 0.5 and packet.call.repeats:
                self._requests.append(packet)
            else:
                self._requests.remove(packet)
        elif self._answers:
            self._answers.pop(rng.randrange(len(self._answers)))

    def _process(self) -> None:
        """Let some of what is on its way arrive, in any order, at the writer or at a zombie."""
        count = min(self._rng.choice((1, 1, 2, 3, 5)), len(self._requests))
        packets = self._rng.sample(self._requests, count)
        for packet in packets:
            self._requests.remove(packet)
        zombie = self._rng.choice(self._zombies) if self._zombies and self._rng.random() < 0.3 else None
        self._decide(zombie or self._standing(), packets)

    def _decide(self, gate: Gate, packets: list[_Packet], *, is_tick: bool = False) -> None:
        requests = [packet.call.request for packet in packets]
        if is_tick:
            requests.append(Request("AdvanceTime", b"", INTERNAL))
        try:
            batch = gate.process(requests)
        except CommitFailedError:
            gate.journal.close()
            if gate in self._zombies:
                self._zombies.remove(gate)
            else:
                self._gate = None
            return
        self.findings += [Finding("gate", f"{failure!r}") for failure in batch.failures]
        self._answers += [_Answer(*pair) for pair in zip(packets, batch.replies, strict=False)]

    def _deliver(self) -> None:
        if not self._answers:
            return
        packet, reply = self._answers.pop(self._rng.randrange(len(self._answers)))
        if not reply.reason:
            found = packet.peer.acknowledged(packet.call, reply)
            self.records += [record._replace(time_ns=self._step) for record in found]
        if packet.peer.open is packet.call:
            packet.peer.open = None

    def _heal(self) -> None:
        """Let everything arrive, and everybody repeat what was not answered, until nobody waits."""
        self._healing = True
        for _ in range(_ROUNDS_TO_HEAL_MAX):
            while self._requests or self._answers:
                self._tick()
                self._process()
                self._deliver()
            waiting = [peer for peer in self.peers if peer.open is not None]
            for peer in waiting:
                self._retry_of(peer)
            if not waiting:
                return
        self.findings.append(Finding("gate", "somebody was never answered"))

    def _retry_of(self, peer: Peer) -> None:
        if peer.open is not None and peer.open.repeats:
            self._requests.append(_Packet(peer, peer.open))
        else:
            peer.open = None

    def _standing(self) -> Gate:
        """Return the gate that writes; a new one, from the journal, where there is none."""
        if self._gate is None:
            self._gate = self._open()
        return self._gate

    def _open(self, *, whole: bool = False) -> Gate:
        """Begin from the journal; one that dies as it begins an empty journal is begun again."""
        while True:
            journal = self._store.open()
            gate = Gate(failing(journal, self._crash), lambda _command, _newest_ns: self.market.now_ns)
            try:
                gate.start(CONFIGURATION, whole=whole)
            except CommitFailedError:
                journal.close()
            else:
                self.resumed += gate.recovery.head != BEGINNING
                return gate

    def _draw_crash(self) -> Crash:
        if self._healing or self._rng.random() >= _CRASH_SHARE:
            return ""
        return self._rng.choice(CRASHES)

    def _read(self, gate: Gate, method: str, message: Message) -> bytes:
        (reply,) = gate.process([Request(method, message.SerializeToString())]).replies
        if reply.reason:
            self.findings.append(Finding("gate", f"{method}: {reply.reason}"))
        return reply.body
