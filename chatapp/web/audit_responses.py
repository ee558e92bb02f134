"""Response bodies of the audit log."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class AuditEntry(BaseModel):
    """Who did what to what, when and from where."""

    at: datetime
    actor_id: str | None = Field(description="null for commands in the terminal")
    actor: str = Field(description="name at that time")
    action: str = Field(description="as `supplier.create`")
    kind: str = Field(description="of the target: account, token, supplier, base, link, limits")
    target_id: str | None
    target: str = Field(description="name at that time")
    address: str = Field(description="the client's address")
    request_id: str
    details: dict[str, Any] = Field(description="changed fields, and values that are no secrets")
