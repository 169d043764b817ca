"""The pump's intrusive lists do what Python's lists do, whatever is put, removed and moved."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from vibetunnel._ext.probes import Lists

WHICH, THINGS = st.integers(0, 1), st.integers(0, 11)


class ListMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.lists = Lists()
        self.model: list[list[int]] = [[], []]

    def free(self, thing: int) -> bool:
        return not any(thing in each for each in self.model)

    @rule(which=WHICH, thing=THINGS)
    def put_first(self, which: int, thing: int) -> None:
        if self.free(thing):
            self.lists.put_first(which, thing)
            self.model[which].insert(0, thing)

    @rule(which=WHICH, thing=THINGS)
    def put_last(self, which: int, thing: int) -> None:
        if self.free(thing):
            self.lists.put_last(which, thing)
            self.model[which].append(thing)

    @rule(which=WHICH, thing=THINGS)
    def remove(self, which: int, thing: int) -> None:
        if thing in self.model[which]:
            self.lists.remove(which, thing)
            self.model[which].remove(thing)

    @rule(which=WHICH)
    def take_first(self, which: int) -> None:
        expected = self.model[which].pop(0) if self.model[which] else None
        assert self.lists.take_first(which) == expected

    @rule(which=WHICH)
    def take_all(self, which: int) -> None:
        if not self.model[1 - which]:
            self.lists.take_all(which)
            self.model.reverse()

    @rule(which=WHICH, leave=st.sets(THINGS))
    def remove_while_a_loop_walks(self, which: int, leave: set[int]) -> None:
        assert self.lists.walk(which, leave) == self.model[which]
        self.model[which] = [thing for thing in self.model[which] if thing not in leave]

    @invariant()
    def both_are_alike(self) -> None:
        assert [self.lists.walk(which, set()) for which in (0, 1)] == self.model
        assert [self.lists.linked(thing) for thing in range(12)] == [not self.free(thing) for thing in range(12)]


TestLists = ListMachine.TestCase
