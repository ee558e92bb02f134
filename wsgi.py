"""The WSGI app for gunicorn. gevent has to patch the standard library before other imports."""

from gevent import monkey

monkey.patch_all()

from chatapp import create_app  # noqa: E402

app = create_app()
