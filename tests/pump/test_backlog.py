"""The backpressure rule: a property test against a plain oracle, and a simulation of a terminal that obeys it."""

from dataclasses import dataclass, field

from hypothesis import example, given
from hypothesis import strategies as st

from vibetunnel._ext.probes import Backlog, Judged, Place

CAPACITY = 57344  # bytes; a ring of 64 KiB
BATCH = CAPACITY // 4
HIGH = CAPACITY // 2
LOW = HIGH // 2
STEP = 4096  # bytes: a compressed frame, smaller than the pump's, so that windows hold several


def rule() -> Backlog:
    return Backlog(capacity=CAPACITY, batch=BATCH, high=HIGH, low=LOW)


# ---------------------------------------------------------------- the oracle


def judged(head: int, p: Place) -> Judged:
    """What docs/pump.md says of one client, written down as plainly as possible."""
    unsent = head - p.cursor
    caught_up = unsent <= HIGH + BATCH
    kept = unsent + BATCH <= CAPACITY
    if p.drawn + p.window >= head:
        sendable = head
    elif p.step and p.window >= 2 * p.step:
        sendable = (p.drawn + p.window) // p.step * p.step
    else:
        sendable = p.drawn + p.window
    frame_left = unsent if p.in_ring else 0
    owed = frame_left if p.closing else head - p.drawn
    return Judged(
        caught_up=caught_up,
        behind=p.latest and not caught_up and not (p.returning and kept),
        sendable=sendable,
        owed=owed,
        blocks=not p.latest and owed > LOW,
        has_room=p.cursor - p.drawn <= p.window // 2,
    )


def decided(head: int, places: list[Place]) -> tuple[bool, list[int]]:
    spilled = [i for i, p in enumerate(places) if p.latest and p.in_ring and head - p.cursor + BATCH > CAPACITY]
    counted = [p for i, p in enumerate(places) if i not in spilled]
    live = [p for p in counted if not p.closing]
    a_lossless_client_lags = any(head - p.drawn >= HIGH for p in live if not p.latest)
    every_client_lags = bool(live) and all(head - p.drawn >= HIGH and not p.is_interrupted for p in live)
    no_room = any(head - p.cursor + BATCH > CAPACITY for p in counted if not p.latest and (p.in_ring or not p.closing))
    return a_lossless_client_lags or every_client_lags or no_room, spilled


HEAD = 1 << 33  # the offsets need more than 32 bits
LAGS = st.one_of(
    st.integers(0, CAPACITY),
    st.sampled_from([0, LOW, LOW + 1, HIGH - 1, HIGH, HIGH + BATCH, HIGH + BATCH + 1, CAPACITY - BATCH, CAPACITY]),
)


@st.composite
def a_place(draw: st.DrawFn) -> Place:
    unsent = draw(LAGS)
    return Place(
        cursor=HEAD - unsent,
        drawn=HEAD - unsent - draw(LAGS),
        window=draw(st.sampled_from([1, 1000, 2 * STEP - 1, 2 * STEP, HIGH])),
        step=draw(st.sampled_from([0, STEP])),
        latest=draw(st.booleans()),
        returning=draw(st.booleans()),
        closing=draw(st.booleans()),
        in_ring=draw(st.booleans()),
        is_interrupted=draw(st.booleans()),
    )


@given(a_place())
def test_one_client_is_judged_as_the_oracle_does(place: Place) -> None:
    assert rule().judge(HEAD, place) == judged(HEAD, place)


@given(st.lists(a_place(), max_size=6))
def test_the_pty_is_paused_when_the_oracle_says_so(all_places: list[Place]) -> None:
    assert rule().decide(HEAD, all_places) == decided(HEAD, all_places)


@given(st.lists(a_place(), min_size=1, max_size=6))
def test_the_fastest_client_is_not_behind_after_the_next_batch(all_places: list[Place]) -> None:
    _, spilled = rule().decide(HEAD, all_places)
    places = [place._replace(in_ring=place.in_ring and i not in spilled) for i, place in enumerate(all_places)]
    paused, _ = rule().decide(HEAD, places)
    waiting = [place for place in places if not place.closing]
    if not paused and waiting and not any(place.is_interrupted for place in waiting):
        fastest = max(waiting, key=lambda place: place.drawn)
        assert not rule().judge(HEAD + BATCH, fastest).behind


# ---------------------------------------------------------------- a simulation


@dataclass(eq=False)
class Client:
    """A client as the pump keeps it; it gets whole frames of at most STEP bytes."""

    latest: bool
    acks: bool
    compressed: bool
    cursor: int
    drawn: int
    frame_end: int
    spilled: bool = False  # the rest of its frame is no longer only in the ring
    returning: bool = False
    blocking: bool = False
    redraws: int = 0

    @property
    def place(self) -> Place:
        return Place(
            cursor=self.cursor,
            drawn=self.drawn if self.acks else self.cursor,
            window=HIGH if self.acks else CAPACITY,  # without acks what is sent counts as drawn
            step=STEP if self.compressed else 0,
            latest=self.latest,
            returning=self.returning,
            in_ring=self.cursor < self.frame_end and not self.spilled,
        )


@dataclass
class Simulation:
    """A terminal that asks the rule what it may do, and fails when the rule lets something go wrong."""

    rule: Backlog = field(default_factory=rule)
    head: int = 0
    clients: list[Client] = field(default_factory=list)

    def attach(self, latest: bool, acks: bool, compressed: bool, missed: int) -> None:
        start = max(0, self.head - min(missed, CAPACITY - BATCH))
        client = Client(latest, acks, compressed, start, start, start, returning=missed > 0)
        self.clients.append(client)
        self.pace()

    def read(self, n: int) -> None:
        """The program prints, and the PTY is read unless it is paused."""
        if self.rule.paused:
            return
        self.head += n
        for client in self.clients:
            if not client.latest:
                assert self.head - client.cursor <= CAPACITY, "a lossless client is lapped"
            if client.place.in_ring:
                assert self.head - client.cursor <= CAPACITY, "a frame under way is lapped"
        self.pace()

    def send(self, client: Client, n: int) -> None:
        """The client's socket takes n bytes."""
        judged = self.rule.judge(self.head, client.place)
        if client.cursor == client.frame_end:
            client.spilled = False
            if judged.behind and judged.has_room:
                client.cursor = client.drawn = client.frame_end = self.head  # the engine is always up to date here
                client.redraws += 1
            else:
                limit = client.cursor if judged.behind else judged.sendable
                client.frame_end = max(client.cursor, min(limit, client.cursor + STEP))
        client.cursor = min(client.frame_end, client.cursor + n)
        assert client.cursor <= self.head
        self.progress(client)

    def acknowledge(self, client: Client) -> None:
        client.drawn = client.cursor
        self.progress(client)

    def keep_up(self, client: Client) -> None:
        """The program prints as much as the others allow, and this client reads all of it."""
        for _ in range(CAPACITY // BATCH):
            self.read(BATCH)
            for _ in range(CAPACITY // STEP):
                self.send(client, STEP)
                self.acknowledge(client)

    def detach(self, client: Client) -> None:
        self.clients.remove(client)
        gone = client.place._replace(closing=True, in_ring=False)
        self.opens(client, gone)

    def progress(self, client: Client) -> None:
        if self.rule.judge(self.head, client.place).caught_up:
            client.returning = False
        self.opens(client, client.place)

    def opens(self, client: Client, place: Place) -> None:
        runs, client.blocking = self.rule.opens(self.head, place, client.blocking)
        if runs:
            self.pace()

    def pace(self) -> None:
        pause, spilled = self.rule.decide(self.head, [client.place for client in self.clients])
        for i in spilled:
            assert self.head - self.clients[i].cursor <= CAPACITY, "a frame is spilled too late"
            self.clients[i].cursor = self.clients[i].frame_end
            self.clients[i].spilled = True
        if spilled:
            pause, spilled = self.rule.decide(self.head, [client.place for client in self.clients])
            assert not spilled
        if pause and not self.rule.paused:
            for client in self.clients:
                client.blocking = self.rule.judge(self.head, client.place).blocks
            self.rule.pause(sum(client.blocking for client in self.clients))
            assert self.clients, "a PTY without clients is paused"


MAX_CLIENTS = 4
CLIENT = st.integers(0, MAX_CLIENTS - 1)
ATTACH = st.tuples(st.just("attach"), st.booleans(), st.booleans(), st.booleans(), st.integers(0, CAPACITY))
STEPS = st.builds(
    lambda first, then: [*first, *then],
    st.lists(ATTACH, min_size=1, max_size=3),
    st.lists(
        st.one_of(
            st.tuples(st.just("read"), st.integers(1, BATCH)),
            st.tuples(st.just("read"), st.just(BATCH)),
            st.tuples(st.just("send"), CLIENT, st.integers(1, STEP)),
            st.tuples(st.just("acknowledge"), CLIENT),
            st.tuples(st.just("keep_up"), CLIENT),
            ATTACH,
            st.tuples(st.just("detach"), CLIENT),
        ),
        max_size=40,
    ),
)


def run(steps: list[tuple[object, ...]]) -> Simulation:
    simulation = Simulation()
    for name, *arguments in steps:
        if name == "read" or (name == "attach" and len(simulation.clients) < MAX_CLIENTS):
            getattr(simulation, str(name))(*arguments)
        elif name != "attach" and simulation.clients:
            index, *rest = arguments
            assert isinstance(index, int)
            client = simulation.clients[index % len(simulation.clients)]
            getattr(simulation, str(name))(client, *rest)
    return simulation


SLOW, FAST = 0, 1
SLOW_AND_FAST: list[tuple[object, ...]] = [
    ("attach", True, True, False, 0),
    ("attach", True, False, False, 0),
    ("read", BATCH),
    ("send", SLOW, 1),  # it is in the middle of a frame
    ("acknowledge", SLOW),
    ("keep_up", FAST),
]


def test_a_slow_latest_client_is_skipped_ahead_while_a_fast_one_goes_on() -> None:
    simulation = run(SLOW_AND_FAST)
    slow, fast = simulation.clients
    assert fast.cursor == simulation.head == BATCH + CAPACITY // BATCH * BATCH
    assert slow.spilled
    assert slow.cursor == STEP
    simulation.acknowledge(slow)
    simulation.send(slow, STEP)
    assert slow.redraws == 1
    assert slow.cursor == simulation.head
    assert fast.redraws == 0


@example(SLOW_AND_FAST)
@given(STEPS)
def test_no_client_is_lapped_that_still_needs_the_ring(steps: list[tuple[object, ...]]) -> None:
    run(steps)


@example(SLOW_AND_FAST)
@given(STEPS)
def test_a_paused_pty_runs_again_when_its_clients_read_on(steps: list[tuple[object, ...]]) -> None:
    simulation = run(steps)
    for _ in range(4 * CAPACITY // STEP):
        for client in simulation.clients:
            simulation.send(client, STEP)
            simulation.acknowledge(client)
    assert not simulation.rule.paused
    assert all(client.cursor == client.drawn == simulation.head for client in simulation.clients)


@example(SLOW_AND_FAST)
@given(STEPS)
def test_a_paused_pty_runs_again_when_its_clients_leave(steps: list[tuple[object, ...]]) -> None:
    simulation = run(steps)
    while simulation.clients:
        simulation.detach(simulation.clients[0])
    assert not simulation.rule.paused


@given(STEPS)
def test_a_lossless_client_is_never_sent_a_redraw_of_its_own(steps: list[tuple[object, ...]]) -> None:
    simulation = run(steps)
    assert all(client.redraws == 0 for client in simulation.clients if not client.latest)
