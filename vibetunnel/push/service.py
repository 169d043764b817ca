"""Follows the events of sessions, and tells the browsers whose users want to know and may.

Everything is bounded: messages that wait, messages of one session, and the tries of an endpoint that fails.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from vibetunnel.preferences import UserPreferences
from vibetunnel.push.endpoint import parse
from vibetunnel.push.message import News, news
from vibetunnel.push.sender import AT_ONCE, PushOutcome, Reach, Sender
from vibetunnel.push.subscriptions import PushSubscription, Subscriptions
from vibetunnel.security.authority import NO_AUTH, SECRET, Authority
from vibetunnel.security.clock import steady
from vibetunnel.security.limits import bound
from vibetunnel.security.principal import OWNER, VIEWER, Principal, Scope
from vibetunnel.sessions.broadcast import Broadcast
from vibetunnel.sessions.events import SessionEvent

QUEUE = 100  # messages of one user that wait to be sent; more are dropped, and the log says so
FIRST_PAUSE_S = 60.0  # after a failure; it doubles with each, so that dead endpoints do not hold up others
LONGEST_PAUSE_S = 3600.0
LONGEST_UNREACHED_S = 300.0  # instead, without an answer: it may be the server's own network that is down
TEST_S = 15.0  # for what becomes of a test; a user may have 20 browsers, of which each takes up to 10 s

log = logging.getLogger(__name__)


class _Kind(msgspec.Struct):
    type: str


_kind_of = msgspec.json.Decoder(_Kind).decode
_event_of = msgspec.json.Decoder(SessionEvent).decode
_TELLING = {"session-started", "session-exited", "command", "bell", "notification"}


class _Allowance:
    """So many pieces of news at once for a key, then one in `each_s`. Bounded."""

    def __init__(self, burst: int, each_s: float) -> None:
        self._burst, self._each_s = float(burst), each_s
        self._left: dict[str, tuple[float, float]] = {}  # key -> (left, when)

    def take(self, key: str) -> bool:
        now = steady()
        left, since = self._left.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - since) / self._each_s)
        self._left[key] = (left - 1 if left >= 1 else left, now)
        bound(self._left)
        return left >= 1


class Sent(NamedTuple):
    """What has become of a message to several browsers. errors: a sentence for each failure and each missing answer."""

    sent: int
    failed: int
    errors: list[str]


@dataclass
class _Delivery:
    to: PushSubscription
    news: News
    done: asyncio.Future[tuple[PushOutcome, str]] | None


class PushService:
    """The notifications of one server.

    events   of all sessions
    name_of  the name of a session
    """

    def __init__(
        self,
        subscriptions: Subscriptions,
        *,
        contact: str,
        authority: Authority,
        preferences: UserPreferences,
        events: Broadcast,
        name_of: Callable[[str], str | None],
        reach: Reach,
    ) -> None:
        self.subscriptions = subscriptions
        self._reach = reach
        self._sender = Sender(subscriptions.key, contact, reach)
        self._authority = authority
        self._preferences = preferences
        self._events = events
        self._name_of = name_of
        self._any = asyncio.Event()  # there is a subscription: before the first one, no event is looked at
        self._of_session = _Allowance(5, 10.0)  # a program may ring its bell all day
        self._of_user = _Allowance(20, 3.0)
        self._pauses: dict[str, tuple[int, float]] = {}  # endpoint -> (failures, no try before)
        # A user's messages are sent one after the other: one whose push service is slow delays nobody else's.
        self._queues: dict[str, deque[_Delivery]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def public_key(self) -> str:
        return self.subscriptions.key.public

    def start(self) -> None:
        if len(self.subscriptions):
            self._any.set()
        self._own(self._follow())

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        tasks = [*self._tasks]
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._sender.close()
        await self.subscriptions.close()

    # What users do

    async def subscribe(self, principal: Principal, endpoint: str, p256dh: str, auth: str) -> PushSubscription:
        """Raises InvalidField, LimitReached, NotStored."""
        parse(endpoint, self._reach.ports)
        made = await self.subscriptions.add(
            user=principal.user, credential=principal.id, endpoint=endpoint, p256dh=p256dh, auth=auth
        )
        self._any.set()
        return made

    async def test(self, user: str, text: str) -> Sent:
        """Send a message to all browsers of a user, whatever the preferences. Wait TEST_S for what becomes of it."""
        told = News("test-notification", "", "vibetunnel", text)
        waiting: list[asyncio.Future[tuple[PushOutcome, str]]] = []
        for each in self.subscriptions.of(user):
            done: asyncio.Future[tuple[PushOutcome, str]] = asyncio.get_running_loop().create_future()
            if not self._put(_Delivery(each, told, done)):
                done.set_result((PushOutcome.FAILED, "too many notifications wait"))
            waiting.append(done)
        if waiting:
            await asyncio.wait(waiting, timeout=TEST_S)
        results = [each.result() if each.done() else (PushOutcome.UNREACHED, "no answer yet") for each in waiting]
        errors = [why for outcome, why in results if outcome is not PushOutcome.SENT]
        return Sent(len(results) - len(errors), len(errors), errors)

    def login_over(self, credential: str) -> None:
        """Forget the browsers of a login or token that has ended."""
        for each in self.subscriptions.all():
            if each.credential == credential:
                self.subscriptions.drop(each)

    def may_be_told(self, subscription: PushSubscription, session_id: str) -> bool:
        """Whether the credential of this subscription is still valid, and allows its user to view the session."""
        principal = self._authority.still(_principal(subscription))
        if principal is None or (principal.id == NO_AUTH and not self._authority.no_auth):
            self.subscriptions.drop(subscription)
            return False
        return principal.may(Scope.VIEW, session_id or None)

    # Events

    async def _follow(self) -> None:
        """Listen while there is a subscription."""
        while True:
            await self._any.wait()
            listener = self._events.listen()
            try:
                async for message in listener:
                    self._hear(message)
                    if not len(self.subscriptions):
                        self._any.clear()
                        break
            except Exception:  # the edge of a task: the next event is heard
                log.exception("an event was not told")
            finally:
                listener.close()

    def _hear(self, message: bytes) -> None:
        if _kind_of(message).type not in _TELLING:
            return
        event = _event_of(message)
        session_id = event.session_id or ""
        name = event.session.name if event.session else self._name_of(session_id)
        told = news(event, name or "A session")
        if told is None:
            return
        readers = [each for each in self.subscriptions.all() if self._wants(each, told)]
        if not readers or not self._of_session.take(session_id):
            return
        allowed = {user for user in {each.user for each in readers} if self._of_user.take(user)}
        for each in readers:
            if each.user in allowed:
                self._put(_Delivery(each, told, None))

    def _wants(self, subscription: PushSubscription, told: News) -> bool:
        wanted = told.wanted(self._preferences.of(subscription.user).notification_preferences)
        return wanted and self.may_be_told(subscription, told.session_id)

    # Sending

    def _put(self, delivery: _Delivery) -> bool:
        user = delivery.to.user
        queue = self._queues.get(user)
        if queue is None:
            queue = self._queues[user] = deque()
            self._own(self._send_all(user, queue))
        if len(queue) >= QUEUE:
            log.info("a notification for %s is dropped: %d wait already", user, QUEUE)
            return False
        queue.append(delivery)
        return True

    async def _send_all(self, user: str, queue: deque[_Delivery]) -> None:
        try:
            while queue:
                delivery = queue.popleft()
                async with self._room:
                    try:
                        result = await self._deliver(delivery)
                    except Exception:
                        log.exception("a notification for %s is lost", user)
                        result = PushOutcome.FAILED, "an error of the server, which its log explains"
                if delivery.done is not None and not delivery.done.done():
                    delivery.done.set_result(result)
        finally:
            del self._queues[user]

    async def _deliver(self, delivery: _Delivery) -> tuple[PushOutcome, str]:
        """Send a message, unless the user has lost the right to it while it waited."""
        to, told = delivery.to, delivery.news
        if to not in self.subscriptions or not self.may_be_told(to, told.session_id):
            return PushOutcome.GONE, "the browser no longer wants notifications"
        failures, not_before = self._pauses.get(to.endpoint, (0, 0.0))
        if steady() < not_before:
            return PushOutcome.FAILED, "the push service has failed just now; try again later"
        preferences = self._preferences.of(to.user).notification_preferences
        outcome, why = await self._sender.send(to, told.message(preferences, int(time.time() * 1000)), told.topic)
        self._pauses.pop(to.endpoint, None)
        if outcome is PushOutcome.GONE:
            self.subscriptions.drop(to)
        elif outcome is not PushOutcome.SENT:
            longest_s = LONGEST_PAUSE_S if outcome is PushOutcome.FAILED else LONGEST_UNREACHED_S
            pause_s = min(longest_s, FIRST_PAUSE_S * 2**failures)
            self._pauses[to.endpoint] = (failures + (pause_s < longest_s), steady() + pause_s)
            bound(self._pauses)
        return outcome, why


def _principal(subscription: PushSubscription) -> Principal:
    """The principal that subscribed, as it was; Authority.still() has its present rights."""
    whole = subscription.credential in (SECRET, NO_AUTH)
    return Principal(subscription.credential, subscription.user, OWNER if whole else VIEWER)
