"""What gunicorn serves. Everything is patched before anything else is imported."""

import gc

from gevent import monkey

monkey.patch_all()
gc.disable()  # nothing that is imported is garbage, and looking for it takes a fifth of the time

from chatapp import create_app  # noqa: E402

app = create_app()

gc.enable()
gc.freeze()  # nor will it be: later looks are shorter
