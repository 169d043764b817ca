"""What the programs of one session have told people and other programs: the newest notification, and variables."""

from __future__ import annotations

from vibetunnel._ext import vt

VARIABLES_LIMIT = 50  # of a session; the variable that was set longest ago is dropped


class Notices:
    """Kept in this server only: the next one knows neither. A shell sets its variables again at its next prompt."""

    # Thousands of sessions have one each.
    __slots__ = ("newest", "variables")

    def __init__(self) -> None:
        self.newest: vt.Notification | None = None
        self.variables: dict[str, str] = {}

    def notified(self, notification: vt.Notification) -> bool:
        """Returns whether the newest notification is another one, or none, after this."""
        if notification.title or notification.body:
            self.newest = notification
            return True
        withdrawn = self.newest is not None and notification.id != "" and self.newest.id == notification.id
        if withdrawn:
            self.newest = None
        return withdrawn

    def set(self, variable: vt.Variable) -> None:
        """An empty value removes it."""
        self.variables.pop(variable.name, None)
        if variable.value:
            self.variables[variable.name] = variable.value
        if len(self.variables) > VARIABLES_LIMIT:
            del self.variables[next(iter(self.variables))]
