"""The WSGI app for gunicorn. gevent has to patch the standard library before other imports."""

from chatapp.storage.native_locks import patch_all

patch_all()

from chatapp import create_app  # noqa: E402
from chatapp.home import keep_private  # noqa: E402

keep_private()

app = create_app()
