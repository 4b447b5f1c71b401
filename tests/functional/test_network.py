"""Custom CAs and proxies: what companies put between a worker and the rest of the world."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
import stand_ins
import trustme
from support import Cli, CliFor, StartOrg

Address = tuple[str, int]


def pump(source: socket.socket, target: socket.socket) -> None:
    """Pass bytes on until one side is done."""
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def join(client: socket.socket, upstream: Address) -> None:
    """Connect a client with a server until both are done."""
    with client, socket.create_connection(upstream) as server:
        back = threading.Thread(target=pump, args=(server, client))
        back.start()
        pump(client, server)
        back.join()


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve every connection to a free port in a thread of its own."""
    with socket.create_server((stand_ins.HERE, 0)) as server:

        def accept() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(client,), daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        accepting.join()


@contextmanager
def tls_in_front_of(url: str, ca: trustme.CA) -> Iterator[str]:
    """Speak TLS for a server, with a certificate of this CA; gives the https URL."""
    parts = urlsplit(url)
    upstream = (str(parts.hostname), int(parts.port or 0))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost").configure_cert(context)

    def serve(client: socket.socket) -> None:
        try:
            join(context.wrap_socket(client, server_side=True), upstream)
        except OSError:
            client.close()

    with listening(serve) as port:
        yield f"https://localhost:{port}"


@contextmanager
def proxy(connected: list[str]) -> Iterator[str]:
    """Run a proxy that tunnels, and notes where to."""

    def serve(client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (piece := client.recv(4096)):
                return
            head += piece
        method, target, _ = head.decode().split(" ", 2)
        assert method == "CONNECT"
        connected.append(target)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        host, port = target.rsplit(":", 1)
        join(client, (host, int(port)))

    with listening(serve) as port:
        yield f"http://{stand_ins.HERE}:{port}"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """AWS behind a certificate that only the company's own CA vouches for: its URL, and the CA's file."""
    ca, file = trustme.CA(), tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    with ExitStack() as stack:
        plain = stack.enter_context(stand_ins.ministack())
        with urlopen(Request(f"{plain}/lake", method="PUT"), timeout=10):
            pass
        yield stack.enter_context(tls_in_front_of(plain, ca)), file


PULL = ("pull", "okta.users", "--to", "s3://lake/x", "--state", "dynamodb://state")
INIT = ("state", "init", "--state", "dynamodb://state")


def test_a_company_ca_is_trusted_by_ssl_cert_file(
    company: tuple[str, Path], start_org: StartOrg, cli_for: CliFor
) -> None:
    url, ca = company
    cli = cli_for(start_org(users=10))
    done = cli(*PULL, AWS_ENDPOINT_URL=url, AWS_MAX_ATTEMPTS="1")
    assert done.code == 1
    assert "cannot reach S3" in done.err
    assert "hint: set SSL_CERT_FILE" in done.err
    trusting = {"AWS_ENDPOINT_URL": url, "SSL_CERT_FILE": str(ca)}
    assert cli(*INIT, **trusting).code == 0
    assert cli(*PULL, **trusting).code == 0


def test_everything_goes_through_the_proxy_unless_no_proxy_says_otherwise(
    company: tuple[str, Path], start_org: StartOrg, cli_for: CliFor
) -> None:
    url, ca = company
    connected: list[str] = []
    with proxy(connected) as through:
        cli = cli_for(start_org(users=10))
        given = {"AWS_ENDPOINT_URL": url, "SSL_CERT_FILE": str(ca), "HTTPS_PROXY": through}
        assert cli(*INIT, **given).code == 0
        done = cli(*PULL, **given)
        assert done.code == 0, done.err
        assert set(connected) == {url.removeprefix("https://")}
        connected.clear()
        assert cli(*PULL, **given, NO_PROXY="localhost").code == 0
        assert connected == []


def test_the_api_is_asked_by_the_same_rules(start_org: StartOrg, cli: Cli, tmp_path: Path) -> None:
    org = start_org(users=10)
    ca, file = trustme.CA(), tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    connected: list[str] = []
    with tls_in_front_of(org.url, ca) as url, proxy(connected) as through:
        given = {"OKTA_ORG_URL": url, "OKTA_API_TOKEN": org.token}
        done = cli("check", "okta", **given)
        assert done.code == 1
        assert "hint: set SSL_CERT_FILE" in done.err
        assert cli("check", "okta", **given, SSL_CERT_FILE=str(file)).code == 0
        assert cli("check", "okta", **given, SSL_CERT_FILE=str(file), HTTPS_PROXY=through).code == 0
        assert connected == [url.removeprefix("https://")]
