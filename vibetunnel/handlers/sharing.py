"""The REST routes of a session's share links and clients."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from vibetunnel.errors import Forbidden, NotStored, RateLimited, UnknownClient, UnknownShare, WrongShare
from vibetunnel.handlers import account_schemas, schemas
from vibetunnel.handlers.auth import public_base
from vibetunnel.handlers.handler import Handler
from vibetunnel.logs.audit import Action
from vibetunnel.security.authority import LOGIN, TOKEN
from vibetunnel.security.principal import Principal, Scope
from vibetunnel.security.shares import Share
from vibetunnel.sessions.attachments import Attachment
from vibetunnel.sessions.model import iso


class SharingHandler(Handler):
    """The base of the routes about a session's share links and clients."""

    def manager(self, session_id: str) -> Principal:
        """Return the principal if it may share the session. Raises UnknownSession, Forbidden."""
        session, principal = self.context.registry.get(session_id), self.require_login()
        if not may_manage(principal, session.record.owner):
            raise Forbidden("Only the owner of the session may do this")
        return principal

    def view(self, share: Share) -> account_schemas.ShareView:
        logins = self.context.authority.logins
        here = self.context.attachments.of_session(share.session_id)
        guests = {each.principal.id.removeprefix(LOGIN) for each in here if each.principal.id.startswith(LOGIN)}
        return account_schemas.ShareView(
            id=share.id,
            session_id=share.session_id,
            role=share.scope,
            name=share.name,
            files=share.files,
            created_at=iso(int(share.created * 1e9)),
            created_by=share.created_by,
            expires_at=None if share.expires is None else iso(int(share.expires * 1e9)),
            uses=share.uses,
            used=share.used,
            people=sum(1 for each in guests if (login := logins.get(each)) is not None and share.id in login.shares),
        )


def may_manage(principal: Principal, owner: str) -> bool:
    """Whether a principal may share a session, disconnect its clients, and let them type or not."""
    return principal.may(Scope.ADMIN) or (principal.may(Scope.CONTROL) and principal.user == owner)


class SharesHandler(SharingHandler):
    """GET and POST /api/sessions/{session_id}/shares."""

    def get(self, session_id: str) -> None:
        self.manager(session_id)
        shares = self.context.authority.shares.of(session_id)
        self.answer([self.view(share) for share in shares])

    async def post(self, session_id: str) -> None:
        principal, wanted = self.manager(session_id), self.read(account_schemas.NewShare)
        if wanted.files:
            self.require(Scope.FILES, session_id)  # a program may have less than its user
        self.require_audit()
        share, code = await self.context.authority.shares.create(
            session_id,
            scope=wanted.role,
            created_by=principal.user,
            expires_s=wanted.expires,
            uses=wanted.uses,
            name=wanted.name,
            token=principal.id.removeprefix(TOKEN) if principal.program else "",
            files=wanted.files,
        )
        await self.record(
            Action.SHARE, by=principal, session=session_id, what=share.id, role=share.scope, files=wanted.files or None
        )
        url = f"{public_base(self)}/share#{code}"
        self.answer(
            account_schemas.CreatedShare(**msgspec.structs.asdict(self.view(share)), url=url, code=code),
            HTTPStatus.CREATED,
        )


class OneShareHandler(SharingHandler):
    """DELETE /api/sessions/{session_id}/shares/{share_id}: also disconnects the guests of the link."""

    async def delete(self, session_id: str, share_id: str) -> None:
        principal, shares = self.manager(session_id), self.context.authority.shares
        share = next((each for each in shares.of(session_id) if each.id == share_id), None)
        if share is None:
            raise UnknownShare
        await shares.revoke(share_id)
        await self.context.authority.logins.drop_share(share_id)
        self.context.attachments.review()
        await self.record(Action.SHARE_REVOKE, by=principal, session=session_id, what=share_id)
        self.check_saved()
        self.answer(schemas.DoneWithMessage(message="Share revoked"))


class EnterHandler(Handler):
    """POST /api/auth/share: exchanges the code of a share link for a guest's login."""

    async def post(self) -> None:
        context, code = self.context, self.read(account_schemas.ShareCodeBody).code
        try:
            counted = self._count_try(code)
            share, cookie = await context.authority.enter(
                code,
                self.principal,
                address=self.client.address,
                agent=self.request.headers.get("User-Agent", ""),
            )
        except (WrongShare, RateLimited) as error:
            why = "too many tries" if isinstance(error, RateLimited) else "wrong code"
            await self.record(Action.SHARE_USE, "refused", why=why)
            raise
        except NotStored:
            if counted:  # the code was right
                context.limits.key_succeeded(self.counted_as, self.principal)
            await self.record(Action.SHARE_USE, "refused", why="the use cannot be stored")
            raise
        if counted:
            context.limits.key_succeeded(self.counted_as, self.principal)
        if cookie is not None:
            self.set_login_cookie(cookie)
        await self.record(Action.SHARE_USE, session=share.session_id, what=share.id)
        self.answer(account_schemas.Entered(session_id=share.session_id, role=share.scope, name=share.name))

    def _count_try(self, code: str) -> bool:
        """Count an attempt, and return True. A guest of this link is not counted: it has nothing to guess."""
        context = self.context
        if context.authority.is_in(code, self.principal):
            return False
        context.limits.key(self.counted_as, self.principal)
        return True


class PeopleHandler(SharingHandler):
    """GET /api/sessions/{session_id}/clients."""

    def get(self, session_id: str) -> None:
        self.context.registry.get(session_id)
        principal = self.require_login()
        admin = principal.may(Scope.ADMIN)
        self.answer(
            [
                account_schemas.Participant(
                    id=person.id,
                    user=person.user,
                    role=person.role,
                    writable=person.writable,
                    guest=person.guest,
                    since=person.since,
                    you=attachment.principal.id == principal.id,
                    address=attachment.address if admin else None,
                )
                for attachment in self.context.attachments.of_session(session_id)
                for person in [attachment.person()]
            ]
        )


class PersonHandler(SharingHandler):
    """PATCH and DELETE /api/sessions/{session_id}/clients/{client_id}."""

    def _find(self, session_id: str, client_id: str) -> Attachment:
        for attachment in self.context.attachments.of_session(session_id):
            if attachment.id == client_id:
                return attachment
        raise UnknownClient

    async def patch(self, session_id: str, client_id: str) -> None:
        principal, wanted = self.manager(session_id), self.read(account_schemas.KeyboardBody)
        attachment = self._find(session_id, client_id)
        if wanted.writable:
            self.require_audit()
        self.context.attachments.rule(attachment, wanted.writable)
        await self.context.authority.mute(attachment.principal, session_id, muted=not wanted.writable)
        await self.record(
            Action.ACCESS,
            by=principal,
            session=session_id,
            user=attachment.principal.user,
            change="keyboard given" if wanted.writable else "keyboard taken",
        )
        self.check_saved()
        self.answer(schemas.Done())

    async def delete(self, session_id: str, client_id: str) -> None:
        principal = self.manager(session_id)
        attachment = self._find(session_id, client_id)
        put_out, attachments = attachment.principal, self.context.attachments
        concerned = [attachment]
        if put_out.guest:  # else the same guest could reconnect with its cookie
            concerned = [each for each in attachments.of_session(session_id) if each.principal.id == put_out.id]
        for each in concerned:
            attachments.put_out(each, "the owner of the session has put you out")
        if put_out.guest:
            await self.context.authority.put_out(put_out, session_id)
        await self.record(Action.PUT_OUT, by=principal, session=session_id, user=attachment.name)
        self.check_saved()
        self.answer(schemas.Done())
