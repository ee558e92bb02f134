"""What gunicorn serves. Everything is patched before anything else is imported."""

from gevent import monkey

monkey.patch_all()

from chatapp import create_app  # noqa: E402

app = create_app()
