# docker build -t chatapp . — then see compose.yaml, or:
# docker run -p 127.0.0.1:8000:8000 -v chatapp:/data --stop-timeout 45 chatapp

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# Everything that needs a network: packages, the page's libraries, the models.
FROM ${PYTHON_IMAGE} AS build
WORKDIR /app
ENV PIP_NO_CACHE_DIR=1
# For mirrors: docker build --build-arg PIP_INDEX_URL=… --build-arg NPM_CONFIG_REGISTRY=…
ARG PIP_INDEX_URL
ARG NPM_CONFIG_REGISTRY
# For a proxy that signs with a certificate of its own:
# docker build --build-arg CA_CERTIFICATE="$(cat company.pem)"
ARG CA_CERTIFICATE
ENV PIP_CERT=/app/ca.pem SSL_CERT_FILE=/app/ca.pem NODE_EXTRA_CA_CERTS=/app/ca.pem
RUN cp /etc/ssl/certs/ca-certificates.crt ca.pem \
    && printf '%s\n' "$CA_CERTIFICATE" >> ca.pem
COPY requirements.txt requirements-embedder.txt requirements-recognition.txt \
    package.json package-lock.json ./
COPY scripts scripts
COPY static/i18n static/i18n
RUN python scripts/setup.py run
COPY . .
# What is left to do is the bundle of the page, which needs no network.
RUN python scripts/setup.py run && rm -rf node_modules ca.pem
RUN .venv/bin/python -m compileall -q chatapp migrations app.py wsgi.py

FROM ${PYTHON_IMAGE}
# DOC and PPT are read through LibreOffice (280 MB): docker build --build-arg LIBREOFFICE=yes
ARG LIBREOFFICE
RUN if [ -n "$LIBREOFFICE" ]; then apt-get update && apt-get install -y --no-install-recommends \
        libreoffice-writer-nogui libreoffice-impress-nogui \
    && rm -rf /var/lib/apt/lists/*; fi
RUN useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin chatapp \
    && install -d -o chatapp -g chatapp -m 700 /data \
    && printf '#!/bin/sh\nPYTHONPATH=/app exec /app/.venv/bin/python -m chatapp "$@"\n' \
        > /usr/local/bin/chatapp \
    && chmod 755 /usr/local/bin/chatapp
WORKDIR /app
COPY --from=build /app /app
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    CHATAPP_HOME=/data \
    CHATAPP_BIND=0.0.0.0:8000
USER 10001
VOLUME /data
EXPOSE 8000
# Live answers get 25 s to end, so allow more: docker stop -t 45, or stop_grace_period in compose.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import http.client as h; \
        c = h.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/readyz'); \
        exit(c.getresponse().status != 200)"]
CMD ["python", "app.py"]
