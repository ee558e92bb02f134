"""/api/usage and /api/limits: what people have used, and what they may use."""

import csv
import io
from datetime import date, timedelta
from typing import Any, Literal

from flask import Response, jsonify
from flask_openapi3 import Tag
from pydantic import Field

from chatapp.chat.usage import today
from chatapp.chat.usage_report import COUNTS, Group
from chatapp.errors import InvalidRequest, NotFound
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.fields import Id, Input
from chatapp.web.request import current_user, require_admin
from chatapp.web.responses import Page
from chatapp.web.services import services
from chatapp.web.usage_responses import LimitsOfPerson, UsageSum

DAYS, MOST_DAYS = 30, 366
MOST_TOKENS = 10**15
CSV_COLUMNS = ("day", "user", "supplier", "model", *COUNTS)
# A cell that begins like this is a formula to spreadsheets; full-width to some.
FORMULA = tuple("=+-@\t\r\n＝＋－＠")

bp = LazyBlueprint(
    "usage",
    __name__,
    url_prefix="/api",
    abp_tags=[Tag(name="usage", description="Use and limits.")],
)


class CsvQuery(Input):
    """Which days (UTC), and of whom."""

    first: date | None = Field(None, alias="from", description="by default 29 days before `to`")
    last: date | None = Field(None, alias="to", description="by default today")
    user_id: Id | None = Field(
        None, description="for administrators; omitted, the use of all people"
    )


class UsageQuery(CsvQuery):
    """Which days (UTC), of whom, and how they are summed."""

    group: Literal["day", "person", "model"] = "day"


class PersonPath(Input):
    """The id of a person."""

    user_id: str


class LimitsBody(Input):
    """A person's limits. null is the installation's default, 0 no limit; omitted ones stay."""

    answers: int | None = Field(None, ge=0, le=1000, description="at once")
    daily_tokens: int | None = Field(None, ge=0, le=MOST_TOKENS)
    storage_mb: int | None = Field(None, ge=0, le=10**9, description="files and pictures")


@bp.get("/usage", responses={200: Page[UsageSum]})
def get_usage(query: UsageQuery) -> Any:
    """Get what was used, by day, person or model.

    Members see their own use, administrators that of all people or of one (`user_id`). A day is
    counted in UTC.
    """
    return jsonify(items=_rows(query.group, query), next=None)


@bp.get("/usage.csv")
def get_usage_csv(query: CsvQuery) -> Response:
    """Get what was used as CSV, with a row for each day, person and model."""
    file = io.StringIO()
    rows = csv.writer(file)
    rows.writerow(CSV_COLUMNS)
    rows.writerows([_cell(row[name]) for name in CSV_COLUMNS] for row in _rows("all", query))
    # Spreadsheets take a CSV file for UTF-8 only with this mark.
    response = Response("\ufeff" + file.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename="usage.csv")
    return response


@bp.get("/limits", responses={200: Page[LimitsOfPerson]})
def list_limits() -> Any:
    """List limits and how much of them is used: for administrators of all people, else your own."""
    user = current_user()
    return jsonify(items=services().usage.limits(None if user.is_admin else user.id), next=None)


@bp.patch("/limits/<user_id>", responses={200: LimitsOfPerson})
def update_limits(path: PersonPath, body: LimitsBody) -> Any:
    """Set the limits of a person.

    They hold from the next question or upload on.
    """
    require_admin()
    return jsonify(services().usage.set_limits(path.user_id, body.model_dump(exclude_unset=True)))


def _rows(group: Group, query: CsvQuery) -> list[dict[str, Any]]:
    user = current_user()
    if query.user_id not in (None, user.id) and not user.is_admin:
        raise NotFound("user")
    last = query.last or today()
    first = query.first or last - timedelta(days=min(DAYS - 1, last.toordinal() - 1))
    if (last - first).days >= MOST_DAYS:
        raise InvalidRequest("from", "most_days", most=MOST_DAYS)
    user_id = query.user_id or (None if user.is_admin else user.id)
    return services().usage.rows(group, first, last, user_id)


def _cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
