"""The routes of logins, accounts, tokens and share links. routes.py takes them into the table."""

from __future__ import annotations

from http import HTTPStatus

from vibetunnel.handlers import account_schemas, auth, schemas, sharing, users
from vibetunnel.handlers.route import Operation, Permission, Route

_OPEN = Permission.OPEN
_LOGIN = Permission.LOGIN
_CONTROL = Permission.CONTROL
_ADMIN = Permission.ADMIN
_NOT_FOUND = HTTPStatus.NOT_FOUND
_CONFLICT = HTTPStatus.CONFLICT
_BUSY = HTTPStatus.TOO_MANY_REQUESTS
_UNSTORED = HTTPStatus.INSUFFICIENT_STORAGE
_UNAUTHORIZED = HTTPStatus.UNAUTHORIZED

_SESSION = "/api/sessions/{session_id}"

ACCOUNT_ROUTES: tuple[Route, ...] = (
    Route(
        "/api/auth/config",
        auth.AuthConfigHandler,
        {
            "GET": Operation(
                "List the possible ways to log in.", {200: account_schemas.AuthConfig}, permission=_OPEN, limit="none"
            )
        },
    ),
    Route(
        "/api/auth/current-user",
        auth.CurrentUserHandler,
        {
            "GET": Operation(
                "Get the current login.", {200: account_schemas.CurrentUser}, permission=_OPEN, limit="none"
            )
        },
    ),
    Route(
        "/api/auth/avatar/{user_id}",
        auth.AvatarHandler,
        {
            "GET": Operation(
                "Get the picture of a user: always null.",
                {200: account_schemas.Avatar},
                permission=_OPEN,
                limit="none",
            )
        },
        parts={"user_id": account_schemas.UserId},
    ),
    Route(
        "/api/auth/code",
        auth.CodeHandler,
        {
            "POST": Operation(
                "Log in with a one-time code; the answer sets a cookie.",
                {200: account_schemas.LoggedIn},
                permission=_OPEN,
                body=account_schemas.CodeBody,
                errors=(_UNAUTHORIZED, _BUSY),
                limit="login",
            )
        },
    ),
    Route(
        "/api/auth/password",
        auth.PasswordHandler,
        {
            "POST": Operation(
                "Log in with a password; the answer sets a cookie.",
                {200: account_schemas.TokensAnswer},
                permission=_OPEN,
                body=account_schemas.PasswordBody,
                errors=(_UNAUTHORIZED, _BUSY),
                limit="login",
            )
        },
    ),
    Route(
        "/api/auth/login",
        auth.GoLoginHandler,
        {
            "POST": Operation(
                "Log in with a password, by the Go server's names.",
                {200: account_schemas.GoLoggedIn},
                permission=_OPEN,
                body=account_schemas.GoLoginBody,
                errors=(_UNAUTHORIZED, _BUSY),
                limit="login",
            )
        },
    ),
    Route(
        "/api/auth/challenge",
        auth.ChallengeHandler,
        {
            "POST": Operation(
                "Get a challenge to sign with an SSH key, once, within 60 seconds.",
                {200: account_schemas.ChallengeAnswer},
                permission=_OPEN,
                body=account_schemas.ChallengeBody,
                limit="login",
            )
        },
    ),
    Route(
        "/api/auth/ssh-key",
        auth.SshKeyHandler,
        {
            "POST": Operation(
                "Log in with a signed challenge; the answer sets a cookie.",
                {200: account_schemas.TokensAnswer},
                permission=_OPEN,
                body=account_schemas.SshLoginBody,
                errors=(_UNAUTHORIZED, _BUSY),
                limit="login",
            )
        },
    ),
    Route(
        "/api/auth/refresh",
        auth.RefreshHandler,
        {
            "POST": Operation(
                "Get the next tokens. A refresh token is valid once; a second use ends its login.",
                {200: account_schemas.TokensAnswer},
                permission=_OPEN,
                body=account_schemas.RefreshBody,
                errors=(_UNAUTHORIZED,),
            )
        },
    ),
    Route(
        "/api/auth/share",
        sharing.EnterHandler,
        {
            "POST": Operation(
                "Use a share link: exchange its code for a guest's cookie.",
                {200: account_schemas.Entered},
                permission=_OPEN,
                body=account_schemas.ShareCodeBody,
                errors=(_UNAUTHORIZED, _BUSY, _UNSTORED),
            )
        },
    ),
    Route(
        "/api/auth/verify",
        auth.VerifyHandler,
        {"GET": Operation("Check whether a token is valid.", {200: account_schemas.Verified}, permission=_LOGIN)},
    ),
    Route(
        "/api/auth/logout",
        auth.LogoutHandler,
        {"POST": Operation("End this login.", {200: schemas.DoneWithMessage}, permission=_LOGIN, errors=(_UNSTORED,))},
    ),
    Route(
        "/api/auth/ticket",
        auth.TicketHandler,
        {
            "POST": Operation(
                "Get a ticket for one socket or stream whose client cannot send headers, valid for 30 seconds.",
                {200: account_schemas.Ticket},
                permission=_LOGIN,
                body=account_schemas.TicketBody,
                body_optional=True,
            )
        },
    ),
    Route(
        "/api/auth/link",
        auth.LinkHandler,
        {
            "POST": Operation(
                "Create a login link with a one-time code, for another device.", {200: account_schemas.Link}
            )
        },
    ),
    Route(
        "/api/auth/revoke",
        auth.RevokeHandler,
        {
            "POST": Operation(
                "End a login, a token, or all of a user's; those of others need the right to manage users.",
                {200: account_schemas.Revoked},
                body=account_schemas.RevokeBody,
                errors=(_NOT_FOUND, _UNSTORED),
            )
        },
    ),
    Route(
        "/api/auth/rotate-keys",
        auth.RotateKeysHandler,
        {
            "POST": Operation(
                "Sign new tokens with a new key. Existing tokens stay valid, unless `forget` is set.",
                {200: schemas.DoneWithMessage},
                permission=_ADMIN,
                body=account_schemas.RotateKeysBody,
                body_optional=True,
                errors=(_UNSTORED,),
            )
        },
    ),
    Route(
        "/api/logins",
        auth.LoginsHandler,
        {"GET": Operation("List the logins.", {200: list[account_schemas.LoginView]})},
    ),
    Route(
        "/api/users",
        users.UsersHandler,
        {
            "GET": Operation("List the accounts.", {200: list[account_schemas.UserView]}, permission=_ADMIN),
            "POST": Operation(
                "Create an account.",
                {201: account_schemas.UserView},
                permission=_ADMIN,
                body=account_schemas.NewUser,
                errors=(_CONFLICT, _BUSY, _UNSTORED),
            ),
        },
    ),
    Route(
        "/api/users/{name}",
        users.UserHandler,
        {
            "PATCH": Operation(
                "Change an account's role or password, or disable it.",
                {200: account_schemas.UserView},
                permission=_ADMIN,
                body=account_schemas.UserChange,
                errors=(_NOT_FOUND, _CONFLICT, _UNSTORED),
            ),
            "DELETE": Operation(
                "Remove an account.",
                {200: schemas.DoneWithMessage},
                permission=_ADMIN,
                errors=(_NOT_FOUND, _CONFLICT, _UNSTORED),
            ),
        },
    ),
    Route(
        "/api/users/{name}/keys",
        users.UserKeysHandler,
        {
            "POST": Operation(
                "Add an SSH key to an account.",
                {201: account_schemas.UserView},
                permission=_ADMIN,
                body=account_schemas.NewKey,
                errors=(_NOT_FOUND, _CONFLICT, _BUSY, _UNSTORED),
            )
        },
    ),
    Route(
        "/api/users/{name}/keys/{fingerprint}",
        users.UserKeyHandler,
        {
            "DELETE": Operation(
                "Remove an SSH key from an account.",
                {200: account_schemas.UserView},
                permission=_ADMIN,
                errors=(_NOT_FOUND, _UNSTORED),
            )
        },
    ),
    Route(
        "/api/tokens",
        users.TokensHandler,
        {
            "GET": Operation(
                "List the tokens of programs; those of others need the right to manage users.",
                {200: list[account_schemas.TokenView]},
            ),
            "POST": Operation(
                "Create a token for a program.",
                {201: account_schemas.CreatedToken},
                body=account_schemas.NewToken,
                errors=(_NOT_FOUND, _BUSY, _UNSTORED),
            ),
        },
    ),
    Route(
        "/api/tokens/{token_id}",
        users.TokenHandler,
        {"DELETE": Operation("Revoke a token.", {200: schemas.DoneWithMessage}, errors=(_NOT_FOUND, _UNSTORED))},
    ),
    Route(
        f"{_SESSION}/shares",
        sharing.SharesHandler,
        {
            "GET": Operation(
                "List the share links of a session.",
                {200: list[account_schemas.ShareView]},
                permission=_CONTROL,
                errors=(_NOT_FOUND,),
            ),
            "POST": Operation(
                "Create a share link, which lets guests view the session or type.",
                {201: account_schemas.CreatedShare},
                permission=_CONTROL,
                body=account_schemas.NewShare,
                body_optional=True,
                errors=(_NOT_FOUND, _BUSY, _UNSTORED),
            ),
        },
    ),
    Route(
        f"{_SESSION}/shares/{{share_id}}",
        sharing.OneShareHandler,
        {
            "DELETE": Operation(
                "Revoke a share link, and disconnect its guests.",
                {200: schemas.DoneWithMessage},
                permission=_CONTROL,
                errors=(_NOT_FOUND, _UNSTORED),
            )
        },
    ),
    Route(
        f"{_SESSION}/clients",
        sharing.PeopleHandler,
        {
            "GET": Operation(
                "List the clients of a session.", {200: list[account_schemas.Participant]}, errors=(_NOT_FOUND,)
            )
        },
    ),
    Route(
        f"{_SESSION}/clients/{{client_id}}",
        sharing.PersonHandler,
        {
            "PATCH": Operation(
                "Let a client type, or only view.",
                {200: schemas.Done},
                permission=_CONTROL,
                body=account_schemas.KeyboardBody,
                errors=(_NOT_FOUND, _UNSTORED),
            ),
            "DELETE": Operation(
                "Disconnect a client.", {200: schemas.Done}, permission=_CONTROL, errors=(_NOT_FOUND, _UNSTORED)
            ),
        },
    ),
)
