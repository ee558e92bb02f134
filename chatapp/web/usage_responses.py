"""Response bodies of use and limits."""

from datetime import date, datetime

from pydantic import BaseModel, Field


class UsageSum(BaseModel):
    """A sum of what was used. What the group does not tell apart is null."""

    day: date | None
    user_id: str | None
    user: str | None
    supplier: str | None
    model: str | None
    questions: int = Field(description="answers, also those that were stopped or failed")
    prompt_tokens: int
    completion_tokens: int


class OwnLimits(BaseModel):
    """The limits set for one person; null is the installation's default, 0 no limit."""

    answers: int | None
    daily_tokens: int | None
    storage_mb: int | None


class EffectiveLimits(BaseModel):
    """The limits that hold; 0 is no limit."""

    answers: int
    daily_tokens: int
    storage_mb: int


class UsedOfLimits(BaseModel):
    """How much of the limits is used now."""

    answers: int = Field(description="in progress")
    daily_tokens: int = Field(description="of today, in UTC")
    storage_bytes: int


class LimitsOfPerson(BaseModel):
    """The limits of a person, and how much of them is used."""

    user_id: str
    name: str
    role: str
    own: OwnLimits
    limits: EffectiveLimits
    used: UsedOfLimits
    free_at: datetime = Field(description="when tokens are counted from zero again")
