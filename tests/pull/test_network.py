"""Custom CAs and proxies: what companies put between a worker and the rest of the world."""

import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
import trustme
from support import stand_ins
from support.cli import Cli, CliFor, StartOrg

Address = tuple[str, int]
FAR = "far.test"
"""A host that only the proxy knows."""


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
    with tls_with(ca.issue_cert("localhost", FAR), None, url, []) as address:
        yield address


@contextmanager
def tls_with(
    certificate: trustme.LeafCert, version: ssl.TLSVersion | None, url: str, connections: list[str]
) -> Iterator[str]:
    """Speak TLS for a server with this certificate, up to this version; notes each connection."""
    parts = urlsplit(url)
    upstream = (str(parts.hostname), int(parts.port or 0))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    if version:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version

    def serve(client: socket.socket) -> None:
        connections.append(url)
        try:
            join(context.wrap_socket(client, server_side=True), upstream)
        except OSError:
            client.close()

    with listening(serve) as port:
        yield f"https://localhost:{port}"


@contextmanager
def proxy(connected: list[str]) -> Iterator[str]:
    """Run a proxy that tunnels, and notes where to; it alone knows where `FAR` is."""

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
        join(client, (stand_ins.HERE, int(target.rsplit(":", 1)[1])))

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
    cli.environment.pop("SSL_CERT_FILE", None)
    done = cli(*PULL, AWS_ENDPOINT_URL=url, AWS_MAX_ATTEMPTS="1")
    assert done.code == 1
    assert "cannot reach S3" in done.err
    assert "hint: set SSL_CERT_FILE" in done.err
    trusting = {"AWS_ENDPOINT_URL": url, "SSL_CERT_FILE": str(ca)}
    assert cli(*INIT, **trusting).code == 0
    assert cli(*PULL, **trusting).code == 0


def test_everything_goes_through_the_proxy_but_loopback_and_what_no_proxy_names(
    company: tuple[str, Path], start_org: StartOrg, cli_for: CliFor
) -> None:
    url, ca = company
    far = url.replace("localhost", FAR)
    connected: list[str] = []
    with proxy(connected) as through:
        cli = cli_for(start_org(users=10))
        given = {"SSL_CERT_FILE": str(ca), "HTTPS_PROXY": through, "AWS_MAX_ATTEMPTS": "1"}
        assert cli(*INIT, **given, AWS_ENDPOINT_URL=far).code == 0
        done = cli(*PULL, **given, AWS_ENDPOINT_URL=far)
        assert done.code == 0, done.err
        assert set(connected) == {far.removeprefix("https://")}
        connected.clear()
        assert "cannot reach S3" in cli(*PULL, **given, AWS_ENDPOINT_URL=far, NO_PROXY=FAR).err
        assert cli(*PULL, **given, AWS_ENDPOINT_URL=url).code == 0
        assert connected == []


def test_the_api_is_requested_by_the_same_rules(start_org: StartOrg, cli: Cli, tmp_path: Path) -> None:
    org = start_org(users=10)
    cli.environment.pop("SSL_CERT_FILE", None)
    ca, file = trustme.CA(), tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    connected: list[str] = []
    with tls_in_front_of(org.url, ca) as url, proxy(connected) as through:
        given = {"OKTA_ORG_URL": url, "OKTA_API_TOKEN": org.token}
        trusting = {**given, "SSL_CERT_FILE": str(file), "HTTPS_PROXY": through}
        done = cli("check", "okta", **given)
        assert done.code == 1
        assert "hint: set SSL_CERT_FILE" in done.err
        assert cli("check", "okta", **trusting).code == 0
        assert connected == [], "loopback"
        far = url.replace("localhost", FAR)
        assert cli("check", "okta", **{**trusting, "OKTA_ORG_URL": far}).code == 0
        assert connected == [far.removeprefix("https://")]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
def test_no_request_to_loopback_goes_through_a_proxy(start_org: StartOrg, cli_for: CliFor, name: str) -> None:
    requested: list[bytes] = []

    def note(client: socket.socket) -> None:
        requested.append(client.recv(4096))
        client.close()

    with listening(note) as port:
        cli = cli_for(start_org(users=10))
        through = {name: f"http://{stand_ins.HERE}:{port}"}
        done = cli.pull(**through)
        assert (done.code, done.report["records"]) == (0, 10), done.err
        local = cli.environment["OKTA_ORG_URL"].replace(stand_ins.HERE, "localhost")
        assert cli.pull("--account", "local", **{**through, "OKTA_ORG_URL": local}).code == 0
        assert cli("demo", "--users", "50", **through).code == 0
    assert requested == []


def test_a_certificate_that_is_wrong_is_reported_at_once_and_in_words(
    start_org: StartOrg, cli: Cli, tmp_path: Path
) -> None:
    org = start_org(users=10)
    ca, file = trustme.CA(), tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    expired = ca.issue_cert("localhost", not_after=yesterday)
    elsewhere = ca.issue_cert("elsewhere.test")
    stranger = trustme.CA().issue_cert("localhost")
    for certificate, version, what, hint in (
        (expired, None, "its certificate has expired", "renew it"),
        (elsewhere, None, "its certificate is for another host name", "is the address right?"),
        (stranger, None, "not from a CA that is trusted here", f"the file that SSL_CERT_FILE names, {file}"),
        (ca.issue_cert("localhost"), ssl.TLSVersion.TLSv1_1, "no version or cipher of TLS", "TLS 1.2 and 1.3"),
    ):
        connections: list[str] = []
        with tls_with(certificate, version, org.url, connections) as url:
            given = {"OKTA_ORG_URL": url, "OKTA_API_TOKEN": org.token, "SSL_CERT_FILE": str(file)}
            done = cli("pull", "okta.users", *cli.place.arguments, "--full", **given)
        assert done.code == 1
        assert what in done.err
        assert hint in done.err
        assert len(connections) == 1, "it is not requested again"
    plain = cli("check", "okta", OKTA_ORG_URL=org.url.replace("http:", "https:"), OKTA_API_TOKEN=org.token)
    assert (plain.code, "it does not speak TLS" in plain.err) == (1, True), plain.err
