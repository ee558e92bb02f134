"""Calls that Schemathesis makes up from /openapi.json, as an administrator and as a member.

    python -m tests.faults.described --examples 2000 [--seed N]

No answer may be an error of ours, have a status, header or type that is not described, or a body of
another shape. So many examples are called as each person, of all operations together.
"""

import re
from collections import Counter

from chatapp import create_app
from chatapp.settings import Settings
from chatapp.storage.migrate import migrate
from chatapp.storage.models import User, new_id
from chatapp.web.services import Services
from tests.faults import report
from tests.faults.report import Report
from tests.faults.stage import new_home
from tests.support.administrator import TOKEN
from tests.support.described_api import call_all

EXAMPLES = 2000


def campaign(examples: int, seed: int) -> Report:
    """Call as both people; a failure ends the calls of its person."""
    settings = Settings(
        home=new_home("described"), connect_seconds=1, first_token_seconds=2, idle_seconds=1
    )
    migrate(settings)
    app = create_app(settings)
    services: Services = app.extensions["chatapp"]
    services.accounts.ensure_admin("", TOKEN)
    member = new_id()
    services.database.write(lambda t: t.add(User(id=member, name="member", role="user")))
    member_token = services.accounts.tokens.issue(member, "personal", None, "of a campaign")
    paths = app.test_client().get("/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"})
    operations = sum(len(verbs) for verbs in paths.json["paths"].values())
    made = Report(f"{examples} made-up calls as each person")
    for name, token in (("member", member_token), ("administrator", TOKEN)):
        try:
            statuses = call_all(app, token, max(2, examples // operations), seed)
        except Exception as failure:
            made.say(
                f"calls as {name}", re.sub(r"\s+", " ", str(failure))[:2000], "none fail", False
            )
            continue
        by_status = Counter[int]()
        for (_, status), count in statuses.items():
            by_status[status] += count
        made.say(f"calls as {name}", by_status.total())
        made.say("their statuses", dict(sorted(by_status.items())))
    services.runs.close()
    services.database.close()
    return made


if __name__ == "__main__":
    report.main(__doc__, campaign, "examples", EXAMPLES)
