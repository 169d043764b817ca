"""The JSON of logins, accounts, tokens and share links, as schemas.py has the rest."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from vibetunnel.handlers.validation import END, Given
from vibetunnel.security.passwords import SECRET, NewPassword
from vibetunnel.security.ssh_keys import MAX_LINE
from vibetunnel.security.users import UserName

# Login

Text = Annotated[str, Meta(max_length=1024)]
_NotEmpty = Annotated[str, Meta(min_length=1, max_length=1024)]
Name = Annotated[str, Meta(max_length=64)]
ScopeName = Literal["view", "type", "control", "admin", "files"]


class AuthConfig(msgspec.Struct, kw_only=True):
    no_auth: Annotated[bool, Meta(description="No login is needed.")] = msgspec.field(name="noAuth")
    login_code: Literal[True] = msgspec.field(name="loginCode", default=True)
    passwords: Annotated[bool, Meta(description="A login with a password is possible.")]
    enable_ssh_keys: bool = msgspec.field(name="enableSSHKeys")
    disallow_user_password: bool = msgspec.field(name="disallowUserPassword")
    web_client: Annotated[bool, Meta(description="Another client is served, which keeps its token itself.")] = (
        msgspec.field(name="webClient")
    )
    auth_required: Annotated[bool, Meta(description="The Go server's name for the opposite of noAuth.")] = (
        msgspec.field(name="authRequired")
    )
    auth_methods: list[str] = msgspec.field(name="authMethods")
    ssh_key_auth: bool = msgspec.field(name="sshKeyAuth")
    password_auth: bool = msgspec.field(name="passwordAuth")
    server_name: Literal["VibeTunnel"] = msgspec.field(name="serverName", default="VibeTunnel")
    version: str


class GoUser(msgspec.Struct, kw_only=True):
    """A user as the Go server shows one."""

    id: str
    username: str
    role: str


class CurrentUser(msgspec.Struct, kw_only=True, rename="camel"):
    user_id: str
    authenticated: bool
    success: bool
    user: GoUser | None = None
    role: Literal["owner", "writer", "viewer", "guest"] | None = None
    scopes: list[ScopeName] = []
    session_id: Annotated[str | None, Meta(description="The one session that a guest may use.")] = None
    csrf_token: Annotated[str | None, Meta(description="For the header X-CSRF-Token, if the login is a cookie.")] = None


UserId = Annotated[
    str,
    Meta(max_length=255, pattern=f"^[A-Za-z0-9._-]+{END}", description="a user ID of letters, digits and . _ -"),
]


class Avatar(msgspec.Struct):
    avatar: None
    platform: str


class CodeBody(Given):
    code: Annotated[str, Meta(max_length=64, extra_json_schema=SECRET)]
    token: Annotated[bool, Meta(description="Answer with tokens too.")] = False


class LoggedIn(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    success: bool
    user_id: str
    token: str = ""
    refresh_token: str = ""
    expires_in: int = 0
    auth_method: str = ""


class PasswordBody(Given, kw_only=True, rename="camel"):
    user_id: _NotEmpty
    password: Annotated[_NotEmpty, Meta(extra_json_schema=SECRET)]


class GoLoginBody(Given, kw_only=True):
    """The Go server's names. Default user: the account that runs the server."""

    username: Text = ""
    password: Annotated[_NotEmpty, Meta(extra_json_schema=SECRET)]


class GoLoggedIn(msgspec.Struct, kw_only=True):
    success: Literal[True] = True
    token: str
    user: GoUser


class ChallengeBody(Given, kw_only=True, rename="camel"):
    user_id: _NotEmpty


class ChallengeAnswer(msgspec.Struct, kw_only=True, rename="camel"):
    challenge_id: str
    challenge: Annotated[str, Meta(description="The 32 bytes to sign, in base64.")]
    expires_at: Annotated[int, Meta(description="Milliseconds since the epoch.")]


class SshLoginBody(Given, kw_only=True, rename="camel"):
    challenge_id: _NotEmpty
    public_key: Annotated[str, Meta(min_length=1, max_length=MAX_LINE, description="The line of a .pub file.")]
    signature: Annotated[
        str, Meta(min_length=1, max_length=4096, description="The signature of the challenge's bytes, in base64.")
    ]


class TokensAnswer(msgspec.Struct, kw_only=True, rename="camel"):
    """A login with tokens. A refresh token is valid once."""

    success: Literal[True] = True
    token: str
    refresh_token: str
    expires_in: Annotated[int, Meta(description="Seconds until `token` expires.")]
    user_id: str
    auth_method: str


class RefreshBody(Given, kw_only=True, rename="camel"):
    refresh_token: Annotated[str, Meta(max_length=8192, extra_json_schema=SECRET)]


class Verified(msgspec.Struct, kw_only=True, rename="camel"):
    valid: Literal[True] = True
    user_id: str


class TicketBody(Given, kw_only=True, rename="camel"):
    session_id: Annotated[str, Meta(max_length=256)] = ""
    permission: Literal["view", "type"] = "type"


class Ticket(msgspec.Struct, kw_only=True, rename="camel"):
    ticket: str
    expires_in: int


class TicketQuery(Given):
    """The query of a socket or stream, for clients that cannot send headers."""

    ticket: Annotated[str | None, Meta(description="From POST /api/auth/ticket; valid once.")] = None
    token: Annotated[str | None, Meta(description="A token, if the setting token_in_url allows it.")] = None


class Link(msgspec.Struct):
    """A login link. The code is in the fragment of the address, so no log on the way has it."""

    url: str
    code: Annotated[str | None, Meta(description="null if no login is needed.")]


class RevokeBody(Given):
    """Exactly one of the three."""

    exactly_one: ClassVar = ("user", "login", "token")

    user: Text | None = None
    login: Text | None = None
    token: Text | None = None


class Revoked(msgspec.Struct, kw_only=True):
    success: Literal[True] = True
    ended: Annotated[int, Meta(description="Number of logins and tokens that were ended.")]


class RotateKeysBody(Given):
    forget: Annotated[bool, Meta(description="A key was stolen: all existing tokens become invalid.")] = False


class LoginView(msgspec.Struct, kw_only=True, rename="camel"):
    id: str
    user: str
    method: str
    guest: bool
    created_at: str
    last_used_at: str
    address: str
    agent: str
    current: Annotated[bool, Meta(description="This request belongs to it.")]


# Users and tokens

RoleName = Literal["owner", "writer", "viewer"]


class NewUser(Given, kw_only=True):
    name: UserName
    role: RoleName = "writer"
    password: NewPassword | None = None


class UserChange(Given, kw_only=True):
    role: RoleName | UnsetType = UNSET
    password: NewPassword | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET


class UserKey(msgspec.Struct, kw_only=True):
    fingerprint: str
    type: str
    comment: str


class UserView(msgspec.Struct, kw_only=True, rename="camel"):
    name: str
    role: RoleName
    disabled: bool
    created_at: str
    has_password: bool
    keys: list[UserKey]


class NewKey(Given):
    key: Annotated[str, Meta(min_length=1, max_length=MAX_LINE, description="The line of a .pub file.")]


class NewToken(Given, kw_only=True, rename="camel"):
    name: Name = ""
    scope: Annotated[list[ScopeName], Meta(min_length=1)]
    expires: Annotated[int, Meta(ge=1, le=366 * 86400, description="Seconds until it expires.")]
    session_id: Annotated[str, Meta(max_length=64, description="The only session that it is valid for.")] = ""
    user: Annotated[Name, Meta(description="The account that it acts for. Default: your own.")] = ""


class TokenView(msgspec.Struct, kw_only=True, rename="camel"):
    id: str
    name: str
    user: str
    scope: list[str]
    session_id: str
    created_at: str
    expires_at: str


class CreatedToken(TokenView, kw_only=True, rename="camel"):
    token: str


# Sharing


class NewShare(Given, kw_only=True):
    role: Annotated[Literal["view", "type"], Meta(description="What guests may do.")] = "view"
    expires: Annotated[
        Annotated[int, Meta(ge=1, le=366 * 86400)] | None, Meta(description="Seconds from now; null: never.")
    ] = 86400
    uses: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)] | None, Meta(description="How many guests may use it; null: any number.")
    ] = None
    name: Annotated[Name, Meta(description="The name that its guests get.")] = ""
    files: Annotated[bool, Meta(description="Guests may also read the files below the session's folder.")] = False


class ShareView(msgspec.Struct, kw_only=True, rename="camel"):
    id: str
    session_id: str
    role: Literal["view", "type"]
    name: str
    files: bool
    created_at: str
    created_by: str
    expires_at: str | None
    uses: int | None
    used: int
    people: Annotated[int, Meta(description="Guests of this link who are attached now.")]


class CreatedShare(ShareView, kw_only=True, rename="camel"):
    """A new share. The code is in the fragment of the address, so no log on the way has it."""

    url: str
    code: str


class ShareCodeBody(Given):
    code: Annotated[str, Meta(max_length=128, extra_json_schema=SECRET)]


class Entered(msgspec.Struct, kw_only=True, rename="camel"):
    success: Literal[True] = True
    session_id: str
    role: Literal["view", "type"]
    name: str


class Participant(msgspec.Struct, kw_only=True, rename="camel"):
    id: str
    user: str
    role: str
    writable: bool
    guest: bool
    since: str
    you: bool
    address: Annotated[str | None, Meta(description="Only for principals who manage users.")] = None


class KeyboardBody(Given):
    writable: Annotated[bool, Meta(description="Whether the client may type.")]
