"""The reviewed list: checks of the product, each with a way to take it out and the attacks that must notice.

A text has to be in its file exactly once; who changes a check changes its line here. `vibetunnel/` is left out of the
files' paths, `tests/attack/` out of the tests'.
"""

from __future__ import annotations

from typing import NamedTuple


class Check(NamedTuple):
    """One check.

    what   is no longer checked
    file   of the product
    text   as it stands there
    instead  what takes it out
    tests  pytest's names; at least one of them has to fail
    """

    what: str
    file: str
    text: str
    instead: str
    tests: tuple[str, ...]


def _cross(name: str) -> str:
    return f"test_cross_site.py::{name}"


def _walk(name: str) -> str:
    return f"test_route_walk.py::{name}"


def _jwt(name: str) -> str:
    return f"test_jwt_attacks.py::{name}"


def _login(name: str) -> str:
    return f"test_session_attacks.py::{name}"


def _guess(name: str) -> str:
    return f"test_guessing.py::{name}"


def _frames(name: str) -> str:
    return f"test_frame_attacks.py::{name}"


def _slow(name: str) -> str:
    return f"test_slow.py::{name}"


def _v3(name: str) -> str:
    return f"test_v3_attacks.py::{name}"


def _git(name: str) -> str:
    return f"test_hostile_repositories.py::{name}"


def _mux(name: str) -> str:
    return f"../multiplexers/test_multiplexer_routes.py::{name}"


def _files(name: str) -> str:
    return f"test_files.py::{name}"


def _logs(name: str) -> str:
    return f"test_logs.py::{name}"


def _push(name: str) -> str:
    return f"test_push_endpoints.py::{name}"


def _loss(name: str) -> str:
    return f"../sessions/test_keeper_loss.py::{name}"


def _over(name: str) -> str:
    return f"test_oversized.py::{name}"


def _inject(name: str) -> str:
    return f"test_injection.py::{name}"


def _hog(name: str) -> str:
    return f"test_hogging.py::{name}"


CHECKS: tuple[Check, ...] = (
    # HostPolicy
    Check(
        "Host: only this server's names",
        "security/hosts.py",
        '        if name == "localhost" or name in self.names:\n            return None\n',
        "        return None\n",
        (_cross("test_dns_rebinding"),),
    ),
    Check(
        "Host: an address literal is a loopback one",
        "security/hosts.py",
        "if address is not None and (self.any_ip or _is_loopback(address)):",
        "if address is not None:",
        (_cross("test_dns_rebinding_to_the_address_that_means_all"),),
    ),
    Check(
        "Host: it is there at all",
        "security/hosts.py",
        '        if authority is None:\n            return f"{header}: expected',
        '        if authority is None:\n            return None and f"{header}: expected',
        (_cross("test_dns_rebinding"),),
    ),
    Check(
        "Origin: one that is none is refused",
        "security/hosts.py",
        '        if parsed is None:\n            return f"Origin:',
        '        if parsed is None:\n            return None and f"Origin:',
        (_cross("test_cross_site_websocket_hijacking"),),
    ),
    Check(
        "Origin: the scheme",
        "security/hosts.py",
        "theirs == (scheme or self.scheme) and authority == ours:",
        "authority.host == ours.host:",
        (_cross("test_cross_site_websocket_hijacking_without_logins"),),
    ),
    Check(
        "Origin: host and port",
        "security/hosts.py",
        "(scheme or self.scheme) and authority == ours:",
        "(scheme or self.scheme) and authority.host == ours.host:",
        (_cross("test_cross_site_websocket_hijacking_without_logins"),),
    ),
    Check(
        "Origin at all",
        "handlers/access.py",
        'or context.host_policy.refuse_origin(headers.get("Origin"), host or "", client.scheme)',
        "",
        (_cross("test_cross_site_websocket_hijacking_with_a_stolen_ticket"),),
    ),
    Check(
        "Sec-Fetch-Site",
        "security/hosts.py",
        'if site in (None, "same-origin", "none") or (page and mode == "navigate"):',
        "if True:",
        (_cross("test_sec_fetch_site_counts_without_an_origin"),),
    ),
    Check(
        "allow list of a request",
        "handlers/access.py",
        "        if refusal is not None:\n            raise Refused(HTTPStatus.FORBIDDEN, refusal)\n        host =",
        "        host =",
        (_guess("test_a_trusted_proxy_is_believed_about_its_own_peer_only"),),
    ),
    Check(
        "allow list: an unknown proxy on this machine is not this machine",
        "security/allow_list.py",
        "if client.local and is_forwarded(headers):",
        "if False:",
        (_guess("test_forged_addresses_do_not_pass_the_allow_list"),),
    ),
    Check(
        "forwarding headers: of trusted proxies only",
        "security/addresses.py",
        "found = None if peer in self.trusted else direct(peer, context.protocol)",
        "found = None",
        (_guess("test_forged_scheme_and_host"),),
    ),
    Check(
        "forwarding headers: no further than the first that is not trusted",
        "security/addresses.py",
        "found = _node(hop) if address in trusted else None",
        "found = _node(hop)",
        (_guess("test_a_trusted_proxy_is_believed_about_its_own_peer_only"),),
    ),
    Check(
        "no other site frames the pages",
        "security/headers.py",
        "; frame-ancestors 'none'",
        "",
        (_cross("test_nothing_is_shared_with_other_origins"),),
    ),
    Check(
        "Referer",
        "security/headers.py",
        '    "Referrer-Policy": "no-referrer",\n',
        "",
        (_login("test_no_credential_reaches_an_address_or_a_referer"),),
    ),
    Check(
        "the redirect to HTTPS leads to a name of ours",
        "http/redirect.py",
        "        if refusal is not None:\n            self._say(HTTPStatus.FORBIDDEN, refusal)\n        elif",
        "        if",
        (_login("test_the_redirect_to_https_leads_nowhere_else"),),
    ),
    # Forged requests
    Check(
        "CSRF token: is it there",
        "handlers/access.py",
        'if not self.context.authority.csrf_valid(self.principal, self.request.headers.get(CSRF_HEADER, "")):',
        "if False:",
        (_cross("test_csrf_every_write_wants_the_token"),),
    ),
    Check(
        "CSRF token: its signature",
        "security/csrf.py",
        "return hmac.compare_digest(_mac(key, login_id, data[:NONCE_BYTES]), data[NONCE_BYTES:])",
        "return True",
        (_cross("test_csrf_tokens_are_bound_to_their_login"),),
    ),
    Check(
        "CSRF token: whose it is",
        "security/csrf.py",
        "_PURPOSE + nonce + login_id.encode()",
        "_PURPOSE + nonce",
        (_cross("test_csrf_tokens_are_bound_to_their_login"),),
    ),
    Check(
        "Content-Type of a browser's request",
        "handlers/access.py",
        'if given.partition(";")[0].strip().lower() != "application/json":',
        "if False:",
        (_cross("test_csrf_a_form_is_no_json"), _cross("test_login_csrf")),
    ),
    # Who is it
    Check(
        "a login at all",
        "handlers/access.py",
        "        if principal is None:\n            challenge =",
        "        if principal is None:\n"
        "            return Principal('secret', 'root', Scope(15))\n"
        "        if principal is None:\n            challenge =",
        (_walk("test_missing_authentication"),),
    ),
    Check(
        "the secret",
        "security/authority.py",
        "if same(credentials, self.secret):",
        'if credentials == "wrong" or same(credentials, self.secret):',
        (_walk("test_missing_authentication"),),
    ),
    Check(
        "no token in an address",
        "handlers/access.py",
        'if self.context.settings.token_in_url and ("token" in query or "auth" in query):',
        'if "token" in query or "auth" in query:',
        (_login("test_token_in_url"),),
    ),
    Check(
        "tickets: for sockets only",
        "handlers/access.py",
        "if self.route.tickets and self.request.query:",
        "if self.request.query:",
        (_login("test_one_time_means_once"),),
    ),
    Check(
        "tickets: once",
        "security/tickets.py",
        "ticket = self._drop(_hash(text))",
        "ticket = self._tickets.get(_hash(text))",
        (_login("test_one_time_means_once"),),
    ),
    Check(
        "tickets: for their session",
        "security/tickets.py",
        " or ticket.session_id != session_id:",
        ":",
        (_login("test_one_time_means_once"),),
    ),
    Check(
        "tickets: no more than was asked for",
        "security/tickets.py",
        "may = (principal.scopes | principal.grants.get(session_id, NOTHING)) & scope",
        "may = principal.scopes | principal.grants.get(session_id, NOTHING)",
        (_frames("test_a_ticket_for_viewing_does_not_type"),),
    ),
    Check(
        "codes: once",
        "security/codes.py",
        "return self._codes.pop(found[0]).user",
        "return self._codes[found[0]].user",
        (_login("test_one_time_means_once"),),
    ),
    Check(
        "cookies: HttpOnly",
        "handlers/handler.py",
        '"httponly": "yes", ',
        "",
        (_login("test_cookie_flags"),),
    ),
    Check(
        "cookies: SameSite",
        "handlers/handler.py",
        '"samesite": "Strict"',
        '"samesite": "Lax"',
        (_login("test_cookie_flags"),),
    ),
    Check(
        "cookies: __Host-",
        "handlers/access.py",
        'return f"__Host-{name}" if tls else name',
        "return name",
        (_login("test_cookie_flags_under_tls"),),
    ),
    Check(
        "Clear-Site-Data",
        "handlers/auth.py",
        '        self.set_header("Clear-Site-Data", CLEAR_SITE_DATA)\n',
        "",
        (_login("test_logging_out_ends_everything_of_the_login"),),
    ),
    Check(
        "a new login ends the one before it",
        "handlers/auth.py",
        "            await self.end_login(self.principal)\n",
        "            pass\n",
        (_login("test_a_login_is_rotated_at_login"),),
    ),
    Check(
        "an unused login ends",
        "security/logins.py",
        "return login.last_used + self._idle_s <= now or login.created + self._max_s <= now",
        "return login.created + self._max_s <= now",
        (_login("test_a_login_that_is_over_is_not_accepted"),),
    ),
    Check(
        "an old login ends",
        "security/logins.py",
        "return login.last_used + self._idle_s <= now or login.created + self._max_s <= now",
        "return login.last_used + self._idle_s <= now",
        (_login("test_a_login_that_is_over_is_not_accepted"),),
    ),
    Check(
        "no hash of a password tells who has an account",
        "security/passwords.py",
        '    _argon2id(_NO_SALT).derive(password or b"")  # so that the answer takes as long as for a wrong password\n',
        "",
        (_guess("test_user_enumeration"),),
    ),
    Check(
        "a disabled user",
        "security/users.py",
        "or user is None or user.disabled or",
        "or user is None or",
        (_guess("test_user_enumeration"),),
    ),
    Check(
        "a right password only",
        "security/users.py",
        "if not right or before is None",
        "if before is None",
        (_guess("test_user_enumeration"),),
    ),
    Check(
        "SSH keys: the signature",
        "security/signatures.py",
        "    public = public_key(name, blob)\n    if public is None",
        "    return True\n    public = public_key(name, blob)\n    if public is None",
        (_guess("test_ssh_key_logins"),),
    ),
    Check(
        "SSH keys: a challenge is good once",
        "security/ssh_login.py",
        " or challenge_id in self._used:",
        ":",
        (_guess("test_ssh_key_logins"),),
    ),
    Check(
        "SSH keys: a used challenge that was forgotten is not valid again",
        "security/ssh_login.py",
        " or end <= self._forgotten",
        "",
        ("../security/test_ssh_keys.py::test_used_challenges_are_remembered_up_to_a_bound",),
    ),
    Check(
        "SSH keys: whose it is",
        "security/ssh_keys.py",
        "return found[0] if found else None\n\n\ndef _parse(",
        "return key\n\n\ndef _parse(",
        (_guess("test_ssh_key_logins"),),
    ),
    # Tokens
    Check(
        "JWT: the header is one that we write",
        "security/tokens.py",
        '        key = self._headers.get(header)\n        if key is None:\n            raise InvalidToken("header")\n',
        "        key = self._headers.get(header) or self._keys.current\n",
        (_jwt("test_headers_that_point_elsewhere"),),
    ),
    Check(
        "JWT: the signature",
        "security/tokens.py",
        "data = cast(bytes, self._jws[algorithm].decode(token, key.verifies, [algorithm]))",
        'data = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))',
        (_jwt("test_almost_a_token"),),
    ),
    Check(
        "JWT: typ",
        "security/tokens.py",
        "if claims.typ != typ:",
        "if False:",
        (_jwt("test_every_kind_of_token_is_of_its_kind_only"), _jwt("test_claims")),
    ),
    Check("JWT: iss", "security/tokens.py", "if claims.iss != self._issuer:", "if False:", (_jwt("test_claims"),)),
    Check("JWT: aud", "security/tokens.py", "if claims.aud != self._audience:", "if False:", (_jwt("test_claims"),)),
    Check(
        "JWT: exp",
        "security/tokens.py",
        "if claims.exp <= now and not allow_expired:",
        "if False:",
        (_jwt("test_claims"),),
    ),
    Check(
        "JWT: nbf and iat",
        "security/tokens.py",
        "if claims.nbf > now + LEEWAY_S or claims.iat > now + LEEWAY_S:",
        "if False:",
        (_jwt("test_claims"),),
    ),
    Check(
        "JWT: nothing that we do not know",
        "security/tokens.py",
        "class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):",
        "class Claims(msgspec.Struct, frozen=True, omit_defaults=True):",
        (_jwt("test_claims"),),
    ),
    Check(
        "JWT: a retired key signs nothing new",
        "security/tokens.py",
        "if key.retired is not None and claims.iat > key.retired + LEEWAY_S:",
        "if False:",
        (_jwt("test_rotated_keys_log_no_user_out_and_old_keys_sign_nothing"),),
    ),
    Check(
        "JWT: its login is there",
        "security/authority.py",
        "        if login is None or self.logins.is_revoked(claims.jti):\n            return None\n",
        "        if login is None:\n            return Principal('secret', self.user, OWNER)\n",
        (_login("test_logging_out_ends_everything_of_the_login"), _jwt("test_claims")),
    ),
    Check(
        "JWT: whose it is",
        "security/authority.py",
        "if principal is None or principal.user != claims.sub:",
        "if principal is None:",
        (_jwt("test_claims"),),
    ),
    Check(
        "refresh: a spent token ends the family",
        "security/logins.py",
        "            await self.revoke(sid)\n            raise ReusedRefresh(sid, login.user)\n",
        "            raise ReusedRefresh(sid, login.user)\n",
        (_jwt("test_refresh_replay"),),
    ),
    Check(
        "refresh: once",
        "security/logins.py",
        "if not login.refresh_jti or not same(login.refresh_jti, jti):",
        "if False:",
        (_jwt("test_refresh_replay"),),
    ),
    Check(
        "tokens of programs: the list",
        "security/api_tokens.py",
        "        del self._tokens[token_id]\n        return await",
        "        return await",
        (_jwt("test_a_revoked_token_of_a_program"),),
    ),
    Check(
        "tokens of programs: no more than their user",
        "security/authority.py",
        "scopes = role.scopes & found.scopes",
        "scopes = found.scopes | role.scopes",
        (_walk("test_missing_authorization"),),
    ),
    Check(
        "tokens of programs: one session",
        "security/authority.py",
        "        if found.session:\n            return Principal(",
        "        if False:\n            return Principal(",
        (_walk("test_one_session_only"),),
    ),
    Check(
        "tokens of programs: no wider than their maker",
        "handlers/users.py",
        "if scope & ~role.scopes or (user == principal.user and scope & ~principal.scopes):",
        "if False:",
        (_walk("test_a_token_gets_nothing_that_it_has_not"), _walk("test_a_user_cannot_raise_itself")),
    ),
    Check(
        "tokens of programs: of others by an owner only",
        "handlers/users.py",
        "if user != principal.user and not principal.may(Scope.ADMIN):",
        "if False:",
        (_walk("test_a_user_cannot_raise_itself"),),
    ),
    Check(
        "tokens of programs: removed by their user only",
        "handlers/users.py",
        "if found is None or not (found.user == principal.user or principal.may(Scope.ADMIN)):",
        "if found is None:",
        (_walk("test_one_user_is_not_another"),),
    ),
    Check(
        "tokens of programs: they make no others",
        "handlers/users.py",
        "        if principal.program:\n            raise Forbidden(",
        "        if False:\n            raise Forbidden(",
        (_walk("test_a_token_gets_nothing_that_it_has_not"),),
    ),
    Check(
        "links to log in: of whole logins only",
        "handlers/auth.py",
        "            if principal.narrow or principal.program:\n",
        "            if False:\n",
        (_walk("test_a_token_gets_nothing_that_it_has_not"),),
    ),
    # What may they do
    Check(
        "the permission of a route",
        "handlers/access.py",
        "        if not allowed:\n            raise errors.Forbidden",
        "        if False:\n            raise errors.Forbidden",
        (_walk("test_missing_authorization"),),
    ),
    Check(
        "what a route cannot declare",
        "handlers/access.py",
        "        if not principal.may(scope, session_id):\n",
        "        if False:\n",
        (_walk("test_one_session_only"), _walk("test_a_guest_subscribes_to_nothing_else")),
    ),
    Check(
        "grants are for their session",
        "security/principal.py",
        "allowed |= self.grants.get(session_id, NOTHING)",
        "allowed |= next(iter(self.grants.values()))",
        (_walk("test_one_session_only"),),
    ),
    Check(
        "/ws: typing is for who may type",
        "handlers/attach.py",
        "may_type = wish.types and (principal.may(Scope.TYPE, session.id) if ruling is None else ruling)",
        "may_type = wish.types",
        (_frames("test_not_one_byte_of_a_viewer"),),
    ),
    Check(
        "/ws: the pump is told",
        "handlers/attach.py",
        "            writable=may_type,\n            since=",
        "            writable=True,\n            since=",
        (_frames("test_not_one_byte_of_a_viewer"),),
    ),
    Check(
        "/buffers: each session",
        "handlers/buffers.py",
        "            self.opener.require(Scope.VIEW, session_id)\n",
        "",
        (_walk("test_a_guest_subscribes_to_nothing_else"),),
    ),
    Check(
        "/api/events: each session",
        "handlers/events.py",
        "    if principal.may(Scope.VIEW):\n",
        "    if True:\n",
        (_walk("test_a_guest_hears_of_nothing_else"),),
    ),
    Check(
        "a session is its owner's to share",
        "handlers/sharing.py",
        "if not may_manage(principal, session.record.owner):",
        "if False:",
        (_walk("test_one_user_is_not_another"),),
    ),
    Check(
        "logins of others: revoking a user",
        "handlers/auth.py",
        "if not admin and wanted.user != principal.user:",
        "if False:",
        (_walk("test_one_user_is_not_another"),),
    ),
    Check(
        "logins of others: the list",
        "handlers/auth.py",
        "if admin or (login.user == principal.user and not login.guest)",
        "if True",
        (_walk("test_one_user_is_not_another"),),
    ),
    Check(
        "a change of rights reaches open sockets",
        "sessions/attachments.py",
        "                attachment.principal = now\n                self._permit(attachment)\n",
        "                attachment.principal = now\n",
        (_login("test_a_right_that_an_owner_takes_away_ends_at_once"),),
    ),
    Check(
        "the end of a right closes sockets",
        "sessions/attachments.py",
        '                    self._close(attachment, CLOSE_LOGIN_OVER if now is None else lost, "access has ended")\n',
        "",
        (_login("test_an_expired_share_disconnects_its_guests"),),
    ),
    Check(
        "shares: used up",
        "security/shares.py",
        "if share.used_up:",
        "if False:",
        (_login("test_a_share_is_used_as_often_as_it_says"),),
    ),
    Check(
        "shares: withdrawn",
        "security/shares.py",
        "        self._remove(share)\n        return await self._file.write_or_remove()\n",
        "        return await self._file.write_or_remove()\n",
        (_login("test_a_revoked_share_disconnects_its_guests"),),
    ),
    Check(
        "shares: for viewing unless typing is asked for",
        "security/shares.py",
        '(TYPIST if self.scope == "type" else VIEWER)',
        "TYPIST",
        (_walk("test_a_share_is_for_viewing_unless_typing_is_asked_for"), _walk("test_one_session_only")),
    ),
    # Limits
    Check(
        "this machine has a budget of its own for tries to log in",
        "security/addresses.py",
        "return HERE if self.local and not is_forwarded(headers) else self.address",
        "return self.address",
        (_guess("test_a_guesser_with_many_networks_cannot_keep_the_owner_out"),),
    ),
    Check(
        "a client of a proxy that is not trusted is not this machine",
        "security/addresses.py",
        "return HERE if self.local and not is_forwarded(headers) else self.address",
        "return HERE if self.local else self.address",
        (_guess("test_clients_of_a_proxy_that_is_not_trusted_are_not_this_machine"),),
    ),
    Check(
        "a browser that is logged in has a budget of its own for tries to log in",
        "security/limits.py",
        "    if principal is not None and not (principal.guest or principal.program):\n",
        "    if False:\n",
        (_guess("test_a_guesser_with_many_networks_cannot_keep_the_owner_out"),),
    ),
    Check(
        "guesses of all strangers together are bounded",
        "security/limits.py",
        "        if guessed and stranger:\n",
        "        if False:\n",
        (_guess("test_a_guesser_with_many_networks_cannot_keep_the_owner_out"),),
    ),
    Check(
        "tries to log in",
        "security/limits.py",
        "        if wait_s > 0:\n",
        "        if False:\n",
        (_guess("test_brute_force"),),
    ),
    Check(
        "codes: tries",
        "handlers/auth.py",
        "            return self.context.limits.login(account, self.counted_as, self.principal)\n",
        "            return False\n",
        (_guess("test_brute_force"),),
    ),
    Check(
        "share links: tries",
        "handlers/sharing.py",
        "        context.limits.key(self.counted_as, self.principal)\n",
        "",
        (_guess("test_brute_force"),),
    ),
    Check(
        "requests without a login",
        "handlers/access.py",
        "            limits.api(self.principal, self.counted_as)\n",
        "            pass\n",
        (_guess("test_forged_addresses_do_not_lift_the_rate_limit"), _over("test_requests_of_a_user_are_limited")),
    ),
    Check(
        "upgrades",
        "handlers/access.py",
        "            limits.upgrade(self.principal, self.counted_as)\n",
        "            pass\n",
        (_over("test_connections_of_a_user_are_bounded"),),
    ),
    Check(
        "connections at once",
        "handlers/access.py",
        "if limit and self.context.attachments.of_user(principal, self.client.address) >= limit:",
        "if False:",
        (_over("test_connections_of_a_user_are_bounded"),),
    ),
    Check(
        "sessions at once",
        "handlers/sessions.py",
        "if own and registry.living(principal.user) >= own:",
        "if False:",
        (_over("test_sessions_of_a_user_are_bounded"),),
    ),
    Check(
        "new sessions",
        "handlers/sessions.py",
        "        context.limits.create(self.require_login())\n",
        "",
        (_over("test_sessions_of_a_user_are_bounded"),),
    ),
    Check(
        "rights: looked at again after the wait for a start",
        "handlers/sessions.py",
        "        return self.typist(session.id)  # again: ",
        "        return self.required(self.principal)  # ",
        ("../sessions/test_rights_that_end.py::test_no_request_uses_a_right_that_ended_while_the_program_was_started",),
    ),
    Check(
        "a body's size, before the rest of it",
        "handlers/access.py",
        "if not operation.takes and max(len(self.request.body), declared_length(self.request.headers)) > MAX_BODY:",
        "if False:",
        (_over("test_oversized_bodies"),),
    ),
    # What was answered
    Check(
        "the audit has a line before the client has its answer",
        "handlers/handler.py",
        "await self.context.audit.keep(",
        "self.context.audit.record(",
        ("../logs/test_answered.py::test_no_answer_comes_before_its_line_and_the_event_loop_goes_on",),
    ),
    Check(
        "no access is given that the audit cannot record",
        "handlers/handler.py",
        "if not self.context.audit.writable:",
        "if False:",
        ("../logs/test_answered.py::test_on_a_full_disk_work_goes_on_and_no_access_is_given_without_a_record",),
    ),
    Check(
        "a change of an account that gives anything needs the audit",
        "handlers/users.py",
        "        if gives(users.get_or_raise(name), changes):\n",
        "        if False:\n",
        ("../logs/test_answered.py::test_on_a_full_disk_work_goes_on_and_no_access_is_given_without_a_record",),
    ),
    Check(
        "a change of an account that gives anything is made whole or not at all",
        "security/users.py",
        "        or after.role.scopes & ~user.role.scopes\n",
        "",
        ("../security/test_unstored.py::test_a_change_that_gives_and_takes_is_made_whole_or_not_at_all",),
    ),
    Check(
        "what cannot be stored is not given",
        "security/state_file.py",
        "                raise NotStored(self._what)\n",
        "",
        ("../security/test_unstored.py::test_what_cannot_be_stored_is_not_given",),
    ),
    Check(
        "time does not go back",
        "security/clock.py",
        "        if wall <= now:\n",
        "        if False:\n",
        (
            "../security/test_clock.py::test_access_tokens_that_expired_or_were_revoked_stay_so_while_their_login_goes_on",
        ),
    ),
    Check(
        "the next server starts no earlier than the last one was",
        "server.py",
        "        clock.not_before(logins.seen)\n",
        "",
        (
            "../security/test_clock.py::test_access_tokens_that_expired_or_were_revoked_stay_so_while_their_login_goes_on",
        ),
    ),
    # The wire
    Check(
        "the request line is what the grammar says",
        "http/connection.py",
        "if not self._headers_complete or version not in _VERSIONS or not head.startswith(line):",
        "if False:",
        ("test_smuggling.py::test_malformed_request_lines",),
    ),
    Check(
        "one coding",
        "http/connection.py",
        'if version != "HTTP/1.1" or headers["Transfer-Encoding"].lower() != "chunked":',
        "if False:",
        ("test_smuggling.py::test_request_smuggling",),
    ),
    Check(
        "a chunk ends where it says",
        "http/chunked.py",
        """                if line:
                    raise MalformedChunks("expected the end of a chunk")
""",
        "",
        ("test_smuggling.py::test_malformed_chunks",),
    ),
    Check(
        "header fields are bounded in number",
        "http/connection.py",
        "if len(self._fields) > MAX_FIELDS:",
        "if False:",
        (_over("test_oversized_headers"),),
    ),
    Check(
        "half a request ends",
        "http/server.py",
        "        self._deadlines.sweep(now)\n",
        "",
        (_slow("test_a_client_that_dribbles_is_disconnected"),),
    ),
    Check(
        "connections with a deadline make room",
        "http/deadlines.py",
        "            if len(peers) >= self.per_network:\n                self._abort(next(iter(peers)))\n",
        "            if False:\n                self._abort(next(iter(peers)))\n",
        (_slow("test_slow_loris"),),
    ),
    Check(
        "who never reads is hung up on",
        "http/server.py",
        "            if connection.is_stuck(now):\n                connection.abort()\n                continue\n",
        "",
        (_slow("test_a_client_that_never_reads_is_disconnected"),),
    ),
    Check(
        "a WebSocket's message is bounded",
        "handlers/websocket.py",
        "        return MAX_MESSAGE\n",
        "        return 1 << 40\n",
        (_frames("test_messages_on_other_sockets_are_bounded"),),
    ),
    Check(
        "a pasted text presses no key",
        "sessions/paste.py",
        '    clean = _CONTROLS.sub("", text)\n',
        "    clean = text\n",
        (_inject("test_paste_injection"),),
    ),
    # Names
    Check(
        "logs: what cannot be seen is spelt out",
        "logs/redact.py",
        "return text if text.isprintable() else",
        "return text if True else",
        (_inject("test_log_injection"),),
    ),
    Check(
        "names of accounts",
        "security/users.py",
        '_PATTERN = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$"',
        '_PATTERN = "(?s)^.*$"',
        (_inject("test_names_of_accounts"),),
    ),
    Check(
        "unknown fields",
        "handlers/validation.py",
        "class Given(msgspec.Struct, forbid_unknown_fields=True):",
        "class Given(msgspec.Struct):",
        (_walk("test_a_share_is_for_viewing_unless_typing_is_asked_for"),),
    ),
    Check(
        "secrets in errors",
        "handlers/validation.py",
        "None if secret or found is UNSET else",
        "None if found is UNSET else",
        ("test_logs.py::test_no_error_repeats_a_password_or_a_code",),
    ),
    Check(
        "names of sessions",
        "sessions/model.py",
        '_SEEN = f"[^',
        '_SEEN = "[^-]*" or f"[^',
        ("test_smuggling.py::test_names_do_not_become_headers_or_markup",),
    ),
    Check(
        "files: only those that were found",
        "handlers/client_files.py",
        "        return self._other.get(name) or self._own.get(name)\n",
        "        path = Path(__file__).parent.parent / 'web' / 'static' / name\n"
        "        found = self._other.get(name) or self._own.get(name)\n"
        "        return found or (File('text/plain', False, forms={'': path}) if path.is_file() else None)\n",
        (_inject("test_path_tricks_in_files"),),
    ),
    Check(
        "environment: NUL",
        "sessions/launch.py",
        'pattern=r"^[^=\\x00]+$"',
        'pattern=""',
        (_inject("test_environment_injection"),),
    ),
    Check(
        "environment: settings of the server stay here",
        "sessions/environment.py",
        "name.startswith(SETTINGS) or ",
        "",
        (_inject("test_sessions_know_nothing_of_the_server"),),
    ),
    Check(
        "a command starts once: a record with a start is not `created`",
        "sessions/registry.py",
        "            elif session.record.started_ns:\n",
        "            elif False:\n",
        (_loss("test_what_happens_to_sessions_after_the_loss_of_their_keeper_outlives_the_server"),),
    ),
    Check(
        "a command starts once: a start without an answer is not repeated",
        "keeper/link.py",
        "            if not await self._unstarted(reason, client.pid, order.session_id):\n",
        "            if False:\n",
        (_loss("test_a_program_whose_keeper_dies_as_it_starts_is_not_started_again"),),
    ),
    Check(
        "a removed session stays removed",
        "sessions/registry.py",
        "            elif each.session_id in removed:\n",
        "            elif False:\n",
        (_loss("test_what_is_removed_or_renamed_while_a_living_keeper_is_disconnected_stays_so"),),
    ),
    Check(
        "ends: what a session has left is ended with it",
        "sessions/registry.py",
        "        await session.kill(self._kill_grace_s)\n",
        "        if not had_ended:\n            await session.kill(self._kill_grace_s)\n",
        (_inject("test_processes_that_outrun_their_session"),),
    ),
    # One client's work
    Check(
        "searches: one of a user at a time",
        "sessions/searches.py",
        "searcher = self._searchers.setdefault(user, Searcher(self._threads))",
        "searcher = Searcher(self._threads)",
        (_hog("test_a_guest_with_patterns_occupies_one_thread"),),
    ),
    Check(
        "searches: how many patterns a user has",
        "sessions/searches.py",
        "if pattern and searcher.patterns >= PATTERNS_OF_USER:",
        "if False:",
        (_hog("test_a_guest_with_patterns_occupies_one_thread"),),
    ),
    Check(
        "patterns: Unicode classes",
        "sessions/patterns.py",
        "if len(_CLASS.findall(text)) > CLASSES_LIMIT:",
        "if False:",
        (_hog("test_no_pattern_is_expensive_to_compile"),),
    ),
    Check(
        "patterns: groups are work",
        "sessions/patterns.py",
        "steps * size * (1 + groups)",
        "steps * size",
        ("../sessions/test_patterns.py::test_groups_count_as_work_and_only_in_the_match",),
    ),
    Check(
        "screens: large ones beside the loop",
        "sessions/rendering.py",
        "if cells <= AT_ONCE:",
        "if True:",
        (_hog("test_large_screens_are_turned_into_text_beside_the_loop"),),
    ),
    Check(
        "notices: a program's variables are bounded",
        "sessions/notices.py",
        "if len(self.variables) > VARIABLES_LIMIT:",
        "if False:",
        ("../sessions/test_notices.py::test_the_variables_of_a_session_are_bounded",),
    ),
    Check(
        "events: few notifications at once",
        "sessions/events.py",
        "deque(maxlen=NOTIFICATIONS_AT_ONCE)",
        "deque()",
        ("../sessions/test_notices.py::test_of_a_flood_of_notifications_few_are_told",),
    ),
    Check(
        "/ws/input: only for who may type",
        "handlers/input_socket.py",
        "        self.require(Scope.TYPE, self.session_id or None)\n",
        "",
        (_walk("test_one_session_only"),),
    ),
    Check(
        "v3: each session",
        "handlers/v3.py",
        "            self.opener.require(Scope.VIEW, session_id)\n",
        "",
        (_walk("test_a_guest_subscribes_to_nothing_else_on_a_v3_socket"),),
    ),
    Check(
        "v3: only who may end a session ends it",
        "handlers/v3.py",
        "            self.opener.require(Scope.CONTROL, session_id)\n",
        "",
        ("../http/test_v3.py::test_a_client_that_may_only_view_types_nothing",),
    ),
    Check(
        "v3: a refusal is written before the next message is read",
        "handlers/v3.py",
        "            await self._refuse(said.session_id, str(error))\n",
        "            self._start(self._refuse(said.session_id, str(error)))\n",
        (_v3("test_answers_to_a_client_that_does_not_read_do_not_pile_up"),),
    ),
    Check(
        "v3: a subscription begins when all else was written",
        "handlers/v3.py",
        "                await self._all_written()\n",
        "",
        (_v3("test_a_client_that_subscribes_again_and_again_and_does_not_read_is_not_read"),),
    ),
    Check(
        "v3: the sessions that one socket is ending",
        "handlers/v3.py",
        "        if len(self._kills) >= KILLS:\n",
        "        if False:\n",
        (_v3("test_a_socket_ends_only_some_sessions_at_the_same_time"),),
    ),
    Check(
        "v3: the subscriptions of a socket",
        "handlers/v3.py",
        "        if len(self._followed) >= MOST:\n",
        "        if False:\n",
        (_v3("test_a_socket_has_only_some_subscriptions"),),
    ),
    Check(
        "v3: a length that lies",
        "handlers/v3_frames.py",
        "    if len(payload) < size:\n",
        "    if False:\n",
        ("../http/test_v3.py::test_any_bytes_are_read_as_the_table_says_or_dropped",),
    ),
    Check(
        "a list shows what has changed",
        "sessions/session.py",
        "        if shown != self._summarised:\n",
        "        if self._summarised is None:\n",
        ("../sessions/test_listing.py::test_the_list_shows_each_change_of_a_running_session",),
    ),
    Check(
        "an expired token in an address needs the cookie of its own login",
        "security/authority.py",
        'return login.id == f"{LOGIN}{claims.sid}" and not self.logins.is_revoked(claims.jti)',
        "return True",
        ("../security/test_clock.py::test_an_expired_token_in_an_address_is_ignored_with_the_cookie_of_its_own_login",),
    ),
    Check(
        "git: the child process is confined",
        "git/worker.py",
        "    return sandbox.confine(roots.folders, readable, write=change)\n",
        "    return True\n",
        (_git("test_no_part_of_a_repository_leads_out_of_the_permitted_folders"),),
    ),
    Check(
        "git: no program in the child process",
        "git/sandbox.py",
        "    handled = (1 << _RIGHTS[min(known, max(_RIGHTS))]) - 1\n",
        "    handled = (1 << _RIGHTS[min(known, max(_RIGHTS))]) - 2\n",
        (_git("test_the_child_process_has_no_rights_beyond_its_folders"),),
    ),
    Check(
        "git: a .git file names what names it back",
        "git/repository.py",
        "    elif not _names_back(git_dir, folder):",
        "    elif False:",
        (_git("test_a_repository_does_not_borrow_from_another_one_that_may_be_reached"),),
    ),
    Check(
        "git: the worktree is the repository's folder",
        "git/repository.py",
        "    if workdir != (None if place.bare else place.root):",
        "    if False:",
        (_git("test_a_repository_does_not_borrow_from_another_one_that_may_be_reached"),),
    ),
    Check(
        "git: alternates stay in the permitted folders",
        "git/repository.py",
        '    _check_alternates(f"{place.common}/objects", roots, ALTERNATE_DEPTH)\n',
        "",
        (_git("test_a_repository_does_not_borrow_from_another_one_that_may_be_reached"),),
    ),
    Check(
        "git: a removed worktree is one of the repository",
        "git/worktrees.py",
        "if os.path.islink(named) or find(folder, roots) != Repository(folder, git_dir, place.common):",
        "if False:",
        (_git("test_a_worktree_that_the_repository_only_claims_is_not_removed"),),
    ),
    Check(
        "git: a submodule is not opened from outside",
        "git/reading.py",
        "DiffOption.INCLUDE_UNTRACKED | DiffOption.IGNORE_SUBMODULES |",
        "DiffOption.INCLUDE_UNTRACKED |",
        ("../git/test_repositories.py::test_a_submodule_is_a_repository_of_its_own_and_is_not_opened_from_outside",),
    ),
    Check(
        "git: a request has a time limit",
        "git/worker.py",
        "        signal.setitimer(signal.ITIMER_REAL, setup.limit_s)",
        "        signal.setitimer(signal.ITIMER_REAL, 0)",
        (_git("test_a_child_process_that_hangs_ends_itself"),),
    ),
    Check(
        "git: a slow repository is left alone",
        "git/service.py",
        "SLOW_S if isinstance(failed, GitTooSlow) else FRESH_S",
        "FRESH_S",
        (_git("test_a_repository_that_was_too_slow_is_not_tried_again_at_once"),),
    ),
    Check(
        "git: a slow repository is left alone by any path",
        "git/child.py",
        "                slow = self._slow.get(place, 0) > time.monotonic()\n",
        "                slow = False\n",
        (_git("test_a_repository_that_was_too_slow_is_left_alone_by_any_of_its_paths"),),
    ),
    Check(
        "git: a file that libgit2 follows is read whole or refused",
        "git/repository.py",
        "    if len(found) > POINTER:",
        "    if False:",
        (_git("test_a_file_that_libgit2_may_read_in_another_way_than_the_check_is_refused"),),
    ),
    Check(
        "git: a huge object is not unpacked",
        "git/reading.py",
        "    if longest > DIFFED:",
        "    if False:",
        (_git("test_an_object_that_unpacks_to_gigabytes_ends_no_server"),),
    ),
    Check(
        "git: a list is bounded",
        "git/reading.py",
        "        return self._left >= 0 and self._left_bytes >= 0\n",
        "        return True\n",
        ("../git/test_repositories.py::test_long_names_make_no_long_answers",),
    ),
    Check(
        "git: a changed file is not read through a link",
        "git/changes.py",
        "_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW",
        "_FOLDER = os.O_RDONLY | os.O_DIRECTORY",
        ("../git/test_changes.py::test_no_link_leads_out_of_the_worktree",),
    ),
    Check(
        "git: a name of two worktrees removes neither",
        "git/worktrees.py",
        "    if len(found) > 1:\n",
        "    if False:\n",
        ("../git/test_worktrees.py::test_a_name_of_two_worktrees_removes_neither_and_a_path_removes_one",),
    ),
    Check(
        "git: lines that take long to compare are not counted",
        "git/changes.py",
        " or _takes_long(*versions)",
        "",
        ("../git/test_changes.py::test_very_many_lines_are_neither_counted_nor_compared",),
    ),
    Check(
        "git: the commit of a submodule is not sought",
        "git/changes.py",
        " if file.mode != FileMode.COMMIT]",
        "]",
        ("../git/test_changes.py::test_a_submodule_is_listed_and_hides_no_other_change",),
    ),
    Check(
        "git: a changed file is one below the worktree",
        "git/changes.py",
        '    if "\\0" in path or any(each in',
        "    if False and any(each in",
        ("../git/test_changes.py::test_a_file_outside_of_the_worktree_is_refused",),
    ),
    Check(
        "git: the server's own files are no changes",
        "git/changes.py",
        "        if not self.holds(path):",
        "        if False:",
        ("../git/test_changes.py::test_private_folders_and_special_files_are_not_read",),
    ),
    Check(
        "git: paths stay in the permitted folders",
        "git/roots.py",
        "        if not self.holds(found):",
        "        if False:",
        (_git("test_paths_that_name_more_than_a_path_are_refused"),),
    ),
    Check(
        "files: `..` of a link stops at the root",
        "files/walk.py",
        "if len(way) == 1:",
        "if False:",
        (_files("test_no_link_leaves_the_root"),),
    ),
    Check(
        "files: a folder that becomes a link is not entered",
        "files/walk.py",
        "os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC\n_FOLDER",
        "os.O_DIRECTORY | os.O_CLOEXEC\n_FOLDER",
        ("../files/test_roots.py::test_what_becomes_a_link_after_it_was_looked_at_is_not_followed",),
    ),
    Check(
        "files: a path is below a root",
        "files/roots.py",
        '            raise OutsideRoots(f"path: expected one below {roots} (--file-root)")',
        '            return FilePlace(_chosen(b"/"), tuple(split(path)))',
        (_files("test_no_spelling_of_a_path_leaves_the_root"),),
    ),
    Check(
        "files: a root's name ends at a slash",
        "files/roots.py",
        'path.startswith(each.rstrip(b"/") + b"/")',
        "path.startswith(each)",
        ("../files/test_roots.py::test_a_folder_whose_name_begins_like_a_root_is_outside",),
    ),
    Check(
        "files: only files and folders are opened",
        "files/walk.py",
        "not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode))",
        "False",
        (_files("test_what_is_no_file_is_never_opened"),),
    ),
    Check(
        "files: the kernel's files are no files",
        "files/walk.py",
        "found.st_dev in self._kernel",
        "False",
        (_files("test_the_kernels_files_and_devices_are_refused_even_below_a_root"),),
    ),
    Check(
        "files: the server's own folders are closed",
        "files/walk.py",
        "if (found.st_dev, found.st_ino) in self._private:",
        "if False:",
        (_files("test_the_servers_own_folders_are_closed"),),
    ),
    Check(
        "files: an upload is bounded",
        "files/storing.py",
        "if self.size + len(data) > self._limit:",
        "if False:",
        (_files("test_an_upload_is_no_larger_than_is_allowed"),),
    ),
    Check(
        "files: uploads belong to their users",
        "files/uploads.py",
        "if upload is None or upload.owner != owner:",
        "if upload is None:",
        (_files("test_the_uploads_of_a_user_are_few_and_belong_to_it"),),
    ),
    Check(
        "files: names of uploads are made safe",
        "files/storing.py",
        "    name = safe_name(given)\n",
        "    name = given\n",
        (_files("test_the_name_of_an_upload_is_made_safe"),),
    ),
    Check(
        "files: a right that ends during an upload ends it",
        "handlers/transfers.py",
        "            self.require_permission()\n            if folder is not None:",
        "            self.require_login()\n            if False:",
        ("../http/test_file_routes.py::test_an_upload_whose_right_ends_meanwhile_stores_nothing",),
    ),
    Check(
        "files: the server's own files are not removed",
        "files/storing.py",
        "            self._walk.check_own(found)\n",
        "",
        ("../files/test_storing.py::test_a_private_file_is_neither_read_nor_removed",),
    ),
    Check(
        "files: a folder that is exchanged for a link is not emptied",
        "files/storing.py",
        "self._walk.enter_folder(folder, name)",
        "self._walk.open(folder, [name])",
        ("../files/test_storing.py::test_a_folder_that_becomes_a_link_before_its_removal_is_not_entered",),
    ),
    Check(
        "files: the rest of a refused body is read up to a bound",
        "handlers/streamed.py",
        "await self.body.skip(DRAIN_LIMIT)",
        "await self.body.skip(1 << 62)",
        (_files("test_a_form_without_a_part_ends_at_a_bound"),),
    ),
    Check(
        "files: a piece begins where the last one ended",
        "files/uploads.py",
        "        if offset is not None and upload.offset != offset:\n",
        "        if False:\n",
        (_files("test_an_upload_in_pieces_has_no_holes_and_takes_any_number_of_pieces"),),
    ),
    Check(
        "files: the type of a file runs nothing",
        "files/reading.py",
        "    if found in SHOWN:\n        return found\n",
        "    if found:\n        return found\n",
        (_files("test_nothing_that_is_stored_can_run_in_the_browser"),),
    ),
    Check(
        "files: a file has a policy that runs nothing",
        "handlers/transfers.py",
        '        self.set_header("Content-Security-Policy", INERT)\n',
        "",
        (_files("test_nothing_that_is_stored_can_run_in_the_browser"),),
    ),
    Check(
        "files: the name of a download keeps its order",
        "handlers/transfers.py",
        "quote(in_order(name), safe",
        "quote(name, safe",
        (_files("test_nothing_that_is_stored_can_run_in_the_browser"),),
    ),
    Check(
        "files: the server's key is closed by any name",
        "files/walk.py",
        "        self.check(found)\n        opened = os.open(name, _FILE, dir_fd=folder)\n",
        "        opened = os.open(name, _FILE, dir_fd=folder)\n        return opened\n",
        (_files("test_the_servers_key_and_configuration_are_closed"),),
    ),
    Check(
        "files: a form of another site stores nothing",
        "handlers/access.py",
        'if self.request.method == "POST" and not (named or self._forgeable):',
        "if False:",
        (_files("test_a_form_of_another_site_uploads_nothing"),),
    ),
    Check(
        "logs: control characters of clients are escaped",
        "logs/redact.py",
        "    text = visible(text)\n",
        "",
        (_logs("test_a_line_of_a_client_is_one_line_and_moves_no_cursor"),),
    ),
    Check(
        "logs: a client's module has no brackets",
        "logs/recent.py",
        '_NO_NAME.sub("_", clean(module, LONGEST_NAME))',
        "clean(module, LONGEST_NAME)",
        (_logs("test_a_line_of_a_client_is_one_line_and_moves_no_cursor"),),
    ),
    Check(
        "logs: secrets of clients are removed",
        "logs/redact.py",
        "lambda found: found[1] or REMOVED",
        "lambda found: found[0]",
        (_logs("test_a_line_of_a_client_is_bounded_and_keeps_no_secret"),),
    ),
    Check(
        "logs: clients have room of their own",
        "logs/recent.py",
        "self._add(self._clients, level",
        "self._add(self._own, level",
        (_logs("test_a_flood_of_a_client_hides_no_line_of_the_server"),),
    ),
    Check(
        "logs: lines of clients are limited",
        "handlers/logs.py",
        "if context.limits.client_line(principal, self.counted_as):",
        "if True:",
        (_logs("test_a_log_flood_is_dropped_before_it_is_read"),),
    ),
    Check(
        "logs: owners alone read the log",
        "handlers/log_routes.py",
        "_ADMIN = Permission.ADMIN",
        "_ADMIN = Permission.VIEW",
        ("../logs/test_recent.py::test_a_writer_adds_lines_and_reads_none",),
    ),
    Check(
        "files: a slow upload is cut off",
        "http/server.py",
        "if connection.arrived >= MIN_TAKEN:",
        "if True:",
        (_files("test_a_slow_upload_keeps_no_connection"),),
    ),
    Check(
        "files: a token with `files` stores nothing",
        "handlers/route.py",
        "Permission.STORE: Scope.FILES | Scope.CONTROL",
        "Permission.STORE: Scope.FILES",
        ("../http/test_file_routes.py::test_a_token_with_files_reads_and_stores_only_with_control",),
    ),
    Check(
        "files: a guest reads its session's folder alone",
        "handlers/files.py",
        "        if principal.may(needed):",
        "        if True:",
        ("../http/test_file_routes.py::test_a_share_link_with_files_shows_those_of_its_session",),
    ),
    Check(
        "files: pages and scripts go out as plain text",
        "files/reading.py",
        "    if found in SHOWN:\n        return found",
        "    return found",
        ("../http/test_file_routes.py::test_a_download_runs_nothing",),
    ),
    Check(
        "files: a share link has none unless they are asked for",
        "security/shares.py",
        "(Scope.FILES if self.files else NOTHING)",
        "Scope.FILES",
        ("../http/test_file_routes.py::test_a_share_link_with_files_shows_those_of_its_session",),
    ),
    Check(
        "csrf: the browser's word counts where a route says so, and for this origin",
        "handlers/access.py",
        'if self.operation.same_origin and self.request.headers.get("Sec-Fetch-Site") == "same-origin":',
        "if self.operation.same_origin:",
        (_cross("test_csrf_where_the_browsers_word_is_enough_it_has_to_be_this_origins"),),
    ),
    Check(
        "multiplexers: tmux expands no name",
        "multiplexers/tmux.py",
        '    return text.replace("#", "##")\n',
        "    return text\n",
        (_mux("test_nothing_that_a_client_names_is_run"),),
    ),
    Check(
        "multiplexers: a semicolon begins no command of tmux",
        "multiplexers/tmux.py",
        'return f"{text[:-1]}\\\\;" if text.endswith(";") else text',
        "return text",
        (_mux("test_a_name_means_itself_whatever_is_in_it"),),
    ),
    Check(
        "multiplexers: attached is the session of exactly this name",
        "multiplexers/tmux.py",
        'else f"={name}"',
        "else name",
        (_mux("test_a_name_means_itself_whatever_is_in_it"),),
    ),
    Check(
        "multiplexers: the environment of sessions",
        "server.py",
        "Multiplexers(registry.environment, home)",
        "Multiplexers(dict(os.environ), home)",
        (_mux("test_a_multiplexer_around_the_server_is_not_around_its_sessions"),),
    ),
    Check(
        "multiplexers: a program that does not answer is ended",
        "multiplexers/commands.py",
        "        process.kill()\n",
        "",
        ("../multiplexers/test_commands.py::test_a_program_that_does_not_answer_is_killed",),
    ),
    Check(
        "multiplexers: a pane is one of the session that is named",
        "multiplexers/tmux.py",
        '        if place["session"] not in (None, name, name.translate(_RENAMED)):',
        "        if False:",
        ("../multiplexers/test_multiplexer_routes.py::test_a_wrong_request_is_refused_before_anything_is_asked",),
    ),
    Check(
        "v3: a client that lags behind the events is told so",
        "handlers/v3.py",
        "            self.close(CLOSE_AWAY, LISTENER_GONE)\n",
        "",
        ("../http/test_v3.py::test_a_client_that_lags_behind_global_events_is_disconnected_after_those_that_waited",),
    ),
    Check(
        "push: an endpoint is matched whole",
        "push/endpoint.py",
        "_URL.fullmatch(url)",
        "_URL.match(url)",
        (_push("test_an_endpoint_that_no_push_service_has_is_refused"),),
    ),
    Check(
        "push: ports are those of push services",
        "push/endpoint.py",
        "    if port not in ports:",
        "    if False:",
        (_push("test_an_endpoint_that_no_push_service_has_is_refused"),),
    ),
    Check(
        "push: addresses are public",
        "push/endpoint.py",
        "return address.is_global and not address.is_multicast and not inside",
        "return True",
        (_push("test_an_address_that_is_not_public_is_none_of_a_push_service"),),
    ),
    Check(
        "push: no v4-mapped, NAT64 and site-local addresses",
        "push/endpoint.py",
        "if address.version == 6 and address not in _UNICAST:",
        "if False:",
        (_push("test_an_address_that_is_not_public_is_none_of_a_push_service"),),
    ),
    Check(
        "push: no 6to4 and Teredo addresses",
        "push/endpoint.py",
        " and not inside",
        "",
        (_push("test_an_address_that_is_not_public_is_none_of_a_push_service"),),
    ),
    Check(
        "push: each address of a name is checked",
        "push/sender.py",
        "            if not self._reach.allowed(",
        "            if False and not self._reach.allowed(",
        (_push("test_a_name_that_leads_into_this_machine_is_not_followed"),),
    ),
    Check(
        "push: all addresses of a name are checked",
        "push/sender.py",
        "        for _, address in found:",
        "        for _, address in found[:1]:",
        (_push("test_a_name_with_one_bad_address_among_good_ones_is_not_followed"),),
    ),
    Check(
        "push: the connection goes to the address that was checked",
        "push/sender.py",
        "        return found\n\n\nclass",
        "        return await self._reach.look_up(host, port)\n\n\nclass",
        (_push("test_a_name_whose_address_changes_after_the_check_leads_nowhere_else"),),
    ),
    Check(
        "push: redirects are not followed",
        "push/sender.py",
        "follow_redirects=False",
        "follow_redirects=True",
        (_push("test_a_redirect_is_not_followed"),),
    ),
    Check(
        "push: answers are bounded",
        "push/sender.py",
        "            max_buffer_size=2 * MAX_ANSWER,\n            max_body_size=MAX_ANSWER,\n",
        "",
        (_push("test_a_huge_answer_is_not_read"),),
    ),
    Check(
        "push: the push service has its certificate",
        "push/sender.py",
        "ssl_options=self._reach.tls",
        "validate_cert=False",
        (_push("test_a_machine_that_is_not_the_push_service_gets_nothing"),),
    ),
    Check(
        "push: endpoints that fail are left alone",
        "push/service.py",
        "        if steady() < not_before:",
        "        if False:",
        (_push("test_an_endpoint_that_never_answers_is_given_up"),),
    ),
    Check(
        "push: users end their own subscriptions alone",
        "push/subscriptions.py",
        "if found is None or found.user != user:",
        "if found is None:",
        (_push("test_no_user_learns_or_ends_what_another_has_subscribed"),),
    ),
    Check(
        "push: a session sends few messages",
        "push/service.py",
        "if not readers or not self._of_session.take(session_id):",
        "if not readers:",
        (_push("test_a_program_that_rings_all_day_sends_few_messages"),),
    ),
    Check(
        "push: a user sends few messages on purpose",
        "security/limits.py",
        "        self._hit(self._push_tests, _who(principal, address))",
        "        pass",
        (_push("test_a_user_sends_few_messages_on_purpose"),),
    ),
    Check(
        "push: nothing is told after the right has gone",
        "push/service.py",
        "        if principal is None or (",
        "        if principal is None:\n            return True\n        if (",
        ("../push/test_push.py::test_nothing_is_told_after_the_right_has_gone",),
    ),
    Check(
        "activity: of the sessions that one may see",
        "handlers/activity.py",
        "            if not session.removed and principal.may(Scope.VIEW, session.id):\n",
        "            if not session.removed:\n",
        ("../sessions/test_activity.py::test_a_guest_is_told_of_its_own_session_alone",),
    ),
    Check(
        "the end does not wait for a thread that a dead file system holds",
        "server.py",
        "            _end_in_time(code)\n",
        "            pass\n",
        ("../http/test_server_process.py::test_a_thread_that_a_dead_file_system_holds_does_not_hold_up_the_end",),
    ),
)
