"""Logins, roles, share links and the right to type, and the pages that a user sees when they end, in a real browser."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator, expect
from served import PASSWORD, Serve, Served
from visitor import PHONE, Visit, Visitor

PROMPT = r"^ready\$$"
REFUSED = r"status of (401|403)|HTTP Authentication failed"  # refusals that Chromium logs
EVERYWHERE = "() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"


def log_in(visitor: Visitor, name: str, password: str = PASSWORD) -> None:
    """Fill in the form of the login page, which is open."""
    visitor.at("login-user").fill(name)
    visitor.at("login-password").fill(password)
    visitor.at("login-submit").click()


def ada(server: Served, visit: Visit, session: str, role: str = "writer") -> Visitor:
    """A new user on the session's page, logged in with the password on the way."""
    server.user("ada", role)
    visitor = visit(server, logged_in=False)
    visitor.allow_complaint(REFUSED)
    visitor.open(f"/session/{session}")
    log_in(visitor, "ada")
    visitor.until_connected()
    return visitor


def enter(visit: Visit, server: Served, session: str, role: str = "view", **order: object) -> Visitor:
    """A guest who has opened a share link to a started session."""
    guest = visit(server, logged_in=False)
    guest.page.goto(server.share(session, role, **order))
    guest.until_connected()
    return guest


def person(visitor: Visitor, name: str) -> Locator:
    """A row of the list of clients, which is open."""
    return visitor.at("person").filter(has_text=name)


def types_nothing(visitor: Visitor) -> None:
    """The visitor's input does not arrive, and the page says so."""
    visitor.type("z")
    expect(visitor.at("hint")).to_have_text("View only: your typing is not sent.")


# Logging in


def test_a_password_leads_to_the_page_that_was_wanted(server: Served, visit: Visit) -> None:
    session = server.session("exec cat")
    visitor = ada(server, visit, session)
    assert visitor.page.url == f"{server.url}/session/{session}"
    visitor.at("back").click()
    visitor.at("account").click()
    expect(visitor.at("account-name")).to_have_text("ada")
    expect(visitor.at("account-role")).to_have_text("Writer")


def test_a_wrong_password_is_said_and_the_name_stays(server: Served, visit: Visit) -> None:
    server.user("ada")
    visitor = visit(server, logged_in=False)
    visitor.allow_complaint(REFUSED)
    visitor.open("/login")
    log_in(visitor, "ada", "not this one")
    expect(visitor.at("error")).to_have_text("Wrong user name or password.")
    expect(visitor.at("login-user")).to_have_value("ada")
    expect(visitor.at("login-password")).to_have_value("")
    expect(visitor.at("login-password")).to_be_focused()


def test_a_code_still_logs_in_when_there_are_accounts(server: Served, visit: Visit) -> None:
    server.user("ada")
    visitor = visit(server, logged_in=False)
    visitor.open("/login")
    visitor.at("login-other").click()
    visitor.at("login-code").fill(server.ask("POST", "/api/auth/link")["code"])
    visitor.press("Enter")
    expect(visitor.at("empty")).to_be_visible()


def test_passwords_that_are_switched_off_are_not_asked_for(serve: Serve, visit: Visit) -> None:
    server = serve("--disallow-user-password")
    server.user("ada")
    visitor = visit(server, logged_in=False)
    visitor.open("/login")
    expect(visitor.at("login-code")).to_be_visible()
    expect(visitor.at("login-password")).to_have_count(0)
    expect(visitor.page.get_by_text("This server accepts no passwords.")).to_be_visible()


def test_after_too_many_tries_the_page_says_how_long_to_wait(server: Served, visit: Visit) -> None:
    server.user("ada")
    visitor = visit(server, logged_in=False)
    visitor.allow_complaint(r"status of (401|429)")
    visitor.open("/login")
    for _ in range(20):
        log_in(visitor, "ada", "not this one")
        visitor.until(lambda: visitor.at("error").count())
        if "Too many" in visitor.at("error").inner_text():
            break
    expect(visitor.at("error")).to_have_text("Too many attempts. Wait before you try again.")
    expect(visitor.at("login-submit")).to_be_disabled()
    expect(visitor.at("login-submit")).to_have_text(re.compile(r"Try again in \d+ (s|min)"))
    expect(visitor.at("login-submit")).to_have_text("Log in", timeout=120_000)  # of a delay that grows from 1 s
    expect(visitor.at("error")).to_have_count(0)
    visitor.until(lambda: visitor.at("login-submit").is_enabled())


def test_no_secret_stays_where_a_script_can_read_it(server: Served, visit: Visit) -> None:
    session = server.session("exec cat")
    visitor = ada(server, visit, session)
    visitor.page.reload()
    visitor.until_connected()
    local, tab, cookie, address = json.loads(visitor.page.evaluate(EVERYWHERE))
    assert (local, cookie, address) == ({}, "", f"{server.url}/session/{session}")
    assert all(key.startswith("vibetunnel.client.") for key in tab)
    cookies = visitor.context.cookies()
    assert [(each["httpOnly"], each["sameSite"]) for each in cookies] == [(True, "Strict")]


def test_the_login_page_sends_a_logged_in_user_on_at_once(visitor: Visitor) -> None:
    session = visitor.server.session("exec cat")
    visitor.open(f"/login?next=/session/{session}")
    visitor.until_connected()
    assert visitor.page.url == f"{visitor.server.url}/session/{session}"


def test_a_login_link_that_works_on_this_machine_only_says_so(visitor: Visitor) -> None:
    visitor.open()
    visitor.choose_in_account("link-open")
    expect(visitor.at("link-url")).to_be_visible()
    expect(visitor.at("link-warning")).to_contain_text("this machine only")


# Logging out, and being logged out


def test_logging_out_in_one_tab_ends_the_other_which_leads_back_after_a_login(server: Served, visit: Visit) -> None:
    session = server.session("exec cat")
    visitor = ada(server, visit, session)
    terminal, visitor.page = visitor.page, visitor.context.new_page()
    visitor.open()
    visitor.choose_in_account("logout")
    expect(visitor.at("login-user")).to_be_visible()
    visitor.page = terminal
    expect(visitor.at("access-ended")).to_contain_text("You have been logged out")
    expect(visitor.at("terminal")).to_have_count(0)
    visitor.at("log-in-again").click()
    log_in(visitor, "ada")
    visitor.until_connected()
    assert visitor.page.url == f"{server.url}/session/{session}"


def test_a_login_that_is_revoked_ends_every_open_page(server: Served, visit: Visit) -> None:
    session = server.session("exec cat")
    visitor = ada(server, visit, session)
    terminal, visitor.page = visitor.page, visitor.context.new_page()
    visitor.open()
    expect(visitor.card(session)).to_be_visible()
    server.ask("POST", "/api/auth/revoke", {"user": "ada"})
    for each in (visitor.page, terminal):
        expect(each.get_by_test_id("access-ended")).to_contain_text("You have been logged out")


def test_logging_out_asks_for_nothing_more(server: Served, visit: Visit) -> None:
    for _ in range(5):  # the answer and the end of the event stream come in any order
        visitor = visit(server)
        visitor.open()
        expect(visitor.at("empty")).to_be_visible()
        visitor.choose_in_account("logout")
        expect(visitor.at("login-code")).to_be_visible()


def test_a_page_goes_on_after_another_tab_has_logged_in_anew(visitor: Visitor) -> None:
    visitor.allow_complaint(REFUSED)
    session = visitor.server.session("exec cat")
    visitor.open()
    visitor.at("session-rename").click()
    visitor.at("rename-field").fill("first")
    visitor.press("Enter")
    expect(visitor.at("session-open")).to_have_text("first")
    visitor.log_in()  # the page's CSRF token belongs to the previous login
    visitor.at("session-rename").click()
    visitor.at("rename-field").fill("second")
    visitor.press("Enter")
    visitor.until(lambda: visitor.server.ask("GET", f"/api/sessions/{session}")["name"] == "second")
    expect(visitor.at("error")).to_have_count(0)


# Roles


def test_a_viewer_sees_every_session_and_changes_none(server: Served, visit: Visit) -> None:
    server.user("vera", "viewer")
    session = server.session("echo shown; exec cat", spawn="now")
    visitor = visit(server, logged_in=False)
    visitor.allow_complaint(REFUSED)
    visitor.open()
    log_in(visitor, "vera")
    expect(visitor.card(session)).to_be_visible()
    for control in ("session-create", "session-rename", "session-kill", "session-share"):
        expect(visitor.at(control)).to_have_count(0)
    visitor.at("session-open").click()
    visitor.until_shows(r"^shown$")
    expect(visitor.at("view-only")).to_be_visible()
    types_nothing(visitor)
    assert server.text(session) == "shown"


def test_a_page_that_is_open_follows_a_new_name(visitor: Visitor) -> None:
    session = visitor.server.session("exec cat", name="before")
    visitor.open_session(session)
    visitor.until(lambda: "before" in visitor.page.title())
    visitor.server.ask("PATCH", f"/api/sessions/{session}", {"name": "after"})
    expect(visitor.page.get_by_role("heading", name="after")).to_be_visible()
    visitor.until(lambda: "after" in visitor.page.title())


# Links


def test_a_link_made_in_the_dialog_lets_a_guest_watch_and_not_type(visitor: Visitor, visit: Visit) -> None:
    server = visitor.server
    session = server.session("echo shown; exec cat", name="build")
    visitor.open_session(session)
    visitor.at("share-open").click()
    visitor.at("share-name").fill("Grace")
    visitor.at("share-create").click()
    link = visitor.at("share-url").inner_text()
    visitor.at("share-copy").click()
    assert visitor.page.evaluate("() => navigator.clipboard.readText()") == link
    expect(visitor.at("share")).to_contain_text("Grace · watch")
    expect(visitor.at("share")).to_contain_text("not used")
    visitor.at("share-done").click()

    guest = visit(server, logged_in=False)
    guest.page.goto(link)
    guest.until_shows(r"^shown$")
    assert guest.page.url == f"{server.url}/session/{session}"
    expect(guest.at("view-only")).to_be_visible()
    types_nothing(guest)
    visitor.type("seen by both\n")
    guest.until_shows(r"^seen by both$")
    assert "z" not in server.text(session)
    for nowhere in ("back", "share-open"):
        expect(guest.at(nowhere)).to_have_count(0)
    guest.open()
    guest.until_shows(r"^seen by both$")
    assert guest.page.url == f"{server.url}/session/{session}"
    guest.page.go_back()
    assert "#" not in guest.page.url


def test_the_code_of_a_link_is_nowhere_after_its_use(server: Served, visit: Visit) -> None:
    session = server.session("exec cat", spawn="now")
    link = server.share(session)
    guest = visit(server, logged_in=False)
    guest.page.goto(link)
    guest.until_connected()
    assert link.partition("#")[2] not in guest.page.evaluate(EVERYWHERE)
    guest.open(f"/session/{session}")
    guest.until_connected()


def test_a_link_that_is_used_up_says_so(server: Served, visit: Visit) -> None:
    session = server.session("exec cat", spawn="now")
    link = server.share(session, uses=1)
    first = visit(server, logged_in=False)
    first.page.goto(link)
    first.until_connected()
    late = visit(server, logged_in=False)
    late.allow_complaint(REFUSED)
    late.page.goto(link)
    expect(late.page.get_by_role("heading")).to_have_text("This link no longer works")


def test_a_dead_link_leads_a_guest_to_the_session_that_they_may_still_see(server: Served, visit: Visit) -> None:
    session = server.session("exec cat", spawn="now")
    old, new = server.share(session), server.share(session)
    guest = visit(server, logged_in=False)
    guest.allow_complaint(REFUSED)
    guest.page.goto(new)
    guest.until_connected()
    shares = server.ask("GET", f"/api/sessions/{session}/shares")
    server.ask("DELETE", f"/api/sessions/{session}/shares/{next(each['id'] for each in shares if not each['used'])}")
    guest.page.goto(old)
    guest.at("share-way").click()
    guest.until_connected()
    assert guest.page.url == f"{server.url}/session/{session}"


def test_a_link_without_its_end_says_so(server: Served, visit: Visit) -> None:
    visitor = visit(server, logged_in=False)
    visitor.open("/share")
    expect(visitor.page.get_by_role("heading")).to_have_text("This link is incomplete")


def test_a_revoked_link_takes_the_last_screen_of_an_exited_session_away_too(server: Served, visit: Visit) -> None:
    session = server.session("echo last words; exit 3", spawn="now")
    guest = visit(server, logged_in=False)
    guest.allow_complaint(REFUSED)
    guest.page.goto(server.share(session))
    guest.until_shows(r"^last words$")
    expect(guest.at("exit-banner")).to_be_visible()
    for share in server.ask("GET", f"/api/sessions/{session}/shares"):
        server.ask("DELETE", f"/api/sessions/{session}/shares/{share['id']}")
    expect(guest.at("access-ended")).to_be_visible()


def test_a_user_with_more_rights_than_a_link_keeps_their_login(visitor: Visitor) -> None:
    session = visitor.server.session("exec cat")
    visitor.page.goto(visitor.server.share(session))
    visitor.until_connected()
    expect(visitor.at("view-only")).to_have_count(0)
    visitor.at("back").click()
    expect(visitor.card(session)).to_be_visible()


def test_a_guest_who_leaves_is_asked_for_a_login(server: Served, visit: Visit) -> None:
    guest = enter(visit, server, server.session("exec cat", spawn="now"), name="Grace")
    guest.allow_complaint(REFUSED)
    guest.at("account").click()
    expect(guest.at("account-name")).to_have_text("Grace")
    expect(guest.at("link-open")).to_have_count(0)
    guest.at("logout").click()
    expect(guest.at("login-submit")).to_be_visible()
    guest.page.reload()
    expect(guest.at("login-submit")).to_be_visible()


def test_a_revoked_link_ends_the_access_of_a_page_that_is_open(visitor: Visitor, visit: Visit) -> None:
    server = visitor.server
    session = server.session("echo shown; exec cat", spawn="now")
    guest = enter(visit, server, session, name="Grace")
    guest.allow_complaint(REFUSED)
    guest.until_shows(r"^shown$")
    visitor.open()
    visitor.at("session-share").click()
    expect(visitor.at("share")).to_contain_text("1 here")
    visitor.at("share-revoke").click()
    visitor.at("share-revoke-confirm").click()
    expect(visitor.at("share")).to_have_count(0)
    expect(guest.at("access-ended")).to_contain_text("Your access has ended")
    expect(guest.at("terminal")).to_have_count(0)
    guest.at("log-in-again").click()
    expect(guest.at("login-submit")).to_be_visible()


def test_a_session_that_has_not_started_waits_for_a_client_that_may_type(visitor: Visitor, visit: Visit) -> None:
    session = visitor.server.session("echo shown; exec cat")
    guest = visit(visitor.server, logged_in=False)
    guest.allow_complaint(r"Unexpected response code")
    guest.page.goto(visitor.server.share(session))
    expect(guest.at("asleep")).to_be_visible()
    visitor.open_session(session)
    guest.until_shows(r"^shown$")
    expect(guest.at("asleep")).to_have_count(0)


# Clients of a session


def test_the_right_to_type_is_taken_from_a_guest_and_given_back(visitor: Visitor, visit: Visit) -> None:
    server = visitor.server
    session = server.session()
    visitor.open_session(session)
    visitor.until_shows(PROMPT)
    guest = enter(visit, server, session, "type", name="Grace")
    guest.until_shows(PROMPT)
    guest.type("echo from-the-''guest\n")
    visitor.until_shows(r"^from-the-guest$")

    visitor.at("people-open").click()
    expect(person(visitor, "you")).to_contain_text("Owner · can type")
    grace = person(visitor, "Grace")
    expect(grace).to_contain_text("Guest · can type")
    grace.get_by_test_id("person-keyboard").click()
    expect(grace).to_contain_text("Guest · watching")
    expect(guest.at("view-only")).to_be_visible()
    types_nothing(guest)

    grace.get_by_test_id("person-keyboard").click()
    expect(guest.at("hint")).to_have_text("You can type now.")
    expect(guest.at("view-only")).to_have_count(0)
    guest.type("echo back-''again\n")
    visitor.until_shows(r"^back-again$")
    assert "z" not in server.text(session)


def test_a_guest_sees_the_clients_and_manages_none_of_them(visitor: Visitor, visit: Visit) -> None:
    session = visitor.server.session("exec cat")
    visitor.open_session(session)
    guest = enter(visit, visitor.server, session, name="Grace")
    guest.at("people-open").click()
    expect(guest.at("person")).to_have_count(2)
    expect(person(guest, "you")).to_contain_text("Grace")
    expect(guest.at("person-keyboard")).to_have_count(0)
    expect(guest.at("person-out")).to_have_count(0)


def test_an_owner_takes_back_the_right_to_type_that_was_taken_from_them(visitor: Visitor, visit: Visit) -> None:
    server = visitor.server
    session = server.session("exec cat")
    visitor.open_session(session)
    other = ada(server, visit, session, "owner")
    visitor.at("people-open").click()
    person(visitor, "ada").get_by_test_id("person-keyboard").click()
    expect(other.at("view-only")).to_be_visible()
    other.at("people-open").click()
    own = person(other, "you")
    expect(own.get_by_test_id("person-out")).to_have_count(0)
    own.get_by_test_id("person-keyboard").click()
    expect(other.at("view-only")).to_have_count(0)
    expect(own.get_by_test_id("person-keyboard")).to_have_count(0)


def test_a_guest_who_is_put_out_stays_out(visitor: Visitor, visit: Visit) -> None:
    session = visitor.server.session("exec cat")
    visitor.open_session(session)
    guest = enter(visit, visitor.server, session, name="Grace")
    guest.allow_complaint(REFUSED)
    visitor.at("people-open").click()
    person(visitor, "Grace").get_by_test_id("person-out").click()
    expect(person(visitor, "Grace")).to_contain_text("A valid link lets them in again")
    visitor.at("person-out-confirm").click()
    expect(guest.page.get_by_role("heading")).to_have_text(
        re.compile("You have been put out of this session|Your access has ended")
    )
    expect(visitor.at("people-open")).to_have_count(0)
    guest.page.reload()
    expect(guest.at("login-submit")).to_be_visible()


def test_a_user_who_is_put_out_comes_back_only_on_request(visitor: Visitor, visit: Visit) -> None:
    server = visitor.server
    session = server.session("exec cat")
    visitor.open_session(session)
    other = ada(server, visit, session)
    visitor.at("people-open").click()
    person(visitor, "ada").get_by_test_id("person-out").click()
    visitor.at("person-out-confirm").click()
    expect(other.at("notice-out")).to_be_visible()
    other.at("come-back").click()
    other.until_connected()


# Elsewhere


@pytest.fixture
def below(serve: Serve) -> Served:
    return serve("--base-path", "/tools/terminal")


def test_everything_works_below_a_path(below: Served, visit: Visit) -> None:
    visitor = visit(below, logged_in=False)
    visitor.allow_complaint(REFUSED)
    visitor.page.goto(below.link)
    expect(visitor.at("empty")).to_be_visible()
    assert visitor.page.url == f"{below.origin}/tools/terminal/"
    visitor.at("session-create").click()
    visitor.at("create-submit").click()
    visitor.until_shows(PROMPT)
    assert visitor.page.url.startswith(f"{below.origin}/tools/terminal/session/")
    visitor.page.reload()
    visitor.until_shows(PROMPT)
    visitor.type("echo hello-$((40+2))\n")
    visitor.until_shows(r"^hello-42$")
    visitor.at("back").click()
    expect(visitor.at("session-state")).to_have_text("Running")
    visitor.at("session-open").click()
    visitor.until_shows(r"^hello-42$")
    visitor.page.go_back()
    visitor.choose_in_account("logout")
    expect(visitor.at("login-code")).to_be_visible()
    assert visitor.page.url == f"{below.origin}/tools/terminal/login"


def test_a_link_leads_below_the_path_too(below: Served, visit: Visit) -> None:
    session = below.session("echo shown; exec cat", spawn="now")
    guest = enter(visit, below, session)
    guest.until_shows(r"^shown$")
    assert guest.page.url == f"{below.origin}/tools/terminal/session/{session}"


def test_a_phone_shares_without_scrolling_sideways(server: Served, visit: Visit) -> None:
    wide = "() => document.documentElement.scrollWidth > innerWidth"
    session = server.session("exec cat", name="a very long name " * 10)
    visitor = visit(server, **PHONE)
    visitor.open_session(session)
    guest = enter(visit, server, session, name="somebody with a name that is sixty letters long, or even more")
    visitor.at("people-open").tap()
    expect(visitor.at("person")).to_have_count(2)
    visitor.at("person-out").tap()
    expect(visitor.at("person-out-confirm")).to_be_visible()
    assert not visitor.at("people").evaluate("each => each.scrollWidth > each.clientWidth")
    assert not visitor.page.evaluate(wide)
    visitor.press("Escape")
    visitor.at("share-open").tap()
    visitor.at("share-create").tap()
    expect(visitor.at("share-url")).to_be_visible()
    dialog = visitor.page.locator("dialog[open]").evaluate("each => each.scrollWidth > each.clientWidth")
    assert not dialog
    assert not visitor.page.evaluate(wide)
    assert guest.at("view-only").is_visible()
