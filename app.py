"""`python app.py [gunicorn options]` starts the whole service (chatapp/processes/supervisor.py).

`flask --app app` finds `app` here too.
"""

import os
import signal
import sys
from typing import Any

ROOT = os.path.dirname(os.path.abspath(__file__))


def __getattr__(name: str) -> Any:
    """Create `app` on first use only: starting the server must not create a second one."""
    if name != "app":
        raise AttributeError(name)
    from chatapp import create_app
    from chatapp.storage.migrate import attach

    app = create_app()
    attach(app)  # adds `flask --app app db …`
    return app


def main() -> None:
    """Run the service until a signal ends it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback for a Ctrl-C during the imports
    if sys.version_info < (3, 11):
        sys.path.insert(0, os.path.join(ROOT, "scripts"))
        from sentences import sentence

        sys.exit(sentence("old_python", have=f"{sys.version_info[0]}.{sys.version_info[1]}"))
    os.chdir(ROOT)
    from chatapp.processes.supervisor import run_service

    sys.exit(run_service(sys.argv[1:]))


if __name__ == "__main__":
    main()
