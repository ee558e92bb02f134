"""Response bodies of accounts, sign-ins and tokens. See responses.py."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

Role = Literal["admin", "user"]
Scope = Literal["ask", "read", "write", "admin"]


class User(BaseModel):
    """A user."""

    id: str
    name: str | None = Field(description="null until a person who was invited has chosen one")
    role: Role
    has_password: bool


class ChatDefaults(BaseModel):
    """Chat defaults of a user."""

    temperature: float | None = Field(description="null: the model's own default")
    system_prompt: str
    max_length: int = Field(description="how many earlier messages are included")
    documents_only: bool


class CurrentUser(BaseModel):
    """The current user, chat defaults, language, and whether accounts are on."""

    user: User
    signed_in_by: Literal["login", "provider", "proxy", "token"] | None = Field(
        description="`login`: a password or a one-time link; `provider`: an identity provider; "
        "`proxy`: a trusted proxy's header; `token`: a bearer token; null where accounts are off"
    )
    auth: str
    language: str
    defaults: ChatDefaults


class SignedIn(BaseModel):
    """The user who has signed in."""

    user: User


class Login(BaseModel):
    """A browser that is signed in."""

    id: str
    browser: str = Field(description="browser and system, as the browser names itself")
    address: str
    current: bool = Field(description="whether this request comes from it")
    created_at: datetime
    used_at: datetime | None = Field(description="to the minute")


class Token(BaseModel):
    """A personal token, the terminal's token, or the one in CHATAPP_TOKEN."""

    id: str
    kind: Literal["personal", "terminal", "environment"]
    name: str
    scopes: list[Scope] | None = Field(description="what it may do; null: everything its user may")
    created_at: datetime
    expires_at: datetime | None = Field(description="when it ends; null: never")
    used_at: datetime | None


class NewToken(Token):
    """A new personal token with its secret, which is returned only once."""

    token: str


class Account(User):
    """An account, as administrators see it."""

    status: Literal["active", "invited", "disabled"] = Field(
        description="invited: has not signed in yet"
    )
    disabled: bool
    created_at: datetime
    seen_at: datetime | None = Field(description="when a login or token was last used")
    link_expires_at: datetime | None = Field(description="when an unused sign-in link ends")
    knowledge_bases: int


class SignInLink(BaseModel):
    """A link that signs somebody in once."""

    user: Account
    path: str = Field(description="address of the link on this service; returned only once")
    expires_at: datetime


class SignedOut(BaseModel):
    """Where the identity provider signs out too."""

    end_session_url: str
