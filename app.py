"""`python app.py [options of gunicorn]`: the same gunicorn as in production. `flask --app app` finds `app` here too."""

from __future__ import annotations

import os
import sys
from typing import Any

ROOT = os.path.dirname(os.path.abspath(__file__))


def __getattr__(name: str) -> Any:
    """Make `app` when somebody asks for it, so that starting the server does not make a second one."""
    if name != "app":
        raise AttributeError(name)
    from chatapp import create_app
    from chatapp.storage.migrate import attach

    app = create_app()
    attach(app)  # brings `flask --app app db …`
    return app


def main() -> None:
    """Become gunicorn."""
    if sys.version_info < (3, 11):
        sys.path.insert(0, os.path.join(ROOT, "scripts"))
        from sentences import sentence

        sys.exit(sentence("old_python", have=f"{sys.version_info[0]}.{sys.version_info[1]}"))
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *sys.argv[1:], "wsgi:app"])


if __name__ == "__main__":
    main()
