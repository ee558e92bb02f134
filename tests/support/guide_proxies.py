"""Debian's nginx, Caddy and Apache with the lines of docs/deployment/proxy.md and a certificate."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.docs import DEPLOYMENT, readme_blocks
from tests.support.nginx import make_certificate, nginx, running, server

KINDS = ("nginx", "caddy", "apache")
CADDY = """
{{
    admin off
    auto_https disable_redirects
    servers {{
        protocols h1 h2
    }}
}}
{block}
"""
MODULES = "mpm_event authz_core proxy proxy_http headers env ssl socache_shmcb filter deflate mime"
APACHE = """
{modules}
ServerName {name}
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
User www-data
Group www-data
TypesConfig /etc/mime.types
SetOutputFilter DEFLATE
Listen 127.0.0.1:{port}
<VirtualHost 127.0.0.1:{port}>
    SSLEngine on
    SSLCertificateFile {folder}/certificate.pem
    SSLCertificateKeyFile {folder}/key.pem
{block}
</VirtualHost>
"""


@contextmanager
def guide_proxy(kind: str, folder: Path, name: str, port: int, service: int) -> Iterator[None]:
    """Run a proxy with HTTPS on a port, in front of the service on another one."""
    block = readme_blocks(DEPLOYMENT / "proxy.md", kind)[0]
    block = block.replace("127.0.0.1:8000", f"127.0.0.1:{service}")
    tls = make_certificate(folder, name)
    log = folder / "error.log"
    if kind == "nginx":
        with nginx(folder, port, server(port, f"{tls} {block}", more=" ssl")):
            yield
        return
    file = folder / "configuration"
    if kind == "caddy":
        certificate = f"bind 127.0.0.1\n    tls {folder}/certificate.pem {folder}/key.pem"
        site, _, rest = block.partition("{")
        assert site.strip() == "chat.example.org"
        file.write_text(CADDY.format(block=f"{name}:{port} {{\n    {certificate}{rest}"))
        command = ["/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", str(file)]
    else:
        modules = "\n".join(
            f"LoadModule {each}_module /usr/lib/apache2/modules/mod_{each}.so"
            for each in MODULES.split(" ")
        )
        values = {"modules": modules, "name": name, "folder": folder, "port": port}
        file.write_text(APACHE.format(block=block, **values))
        command = ["/usr/sbin/apache2", "-D", "FOREGROUND", "-f", str(file)]
        folder.chmod(0o755)
    private = {each: str(folder) for each in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    with running(command, port, log, **private):
        yield
