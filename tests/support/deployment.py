"""The Terraform of the project in a folder of its own, with what it needs: provider, zips, stand-ins for AWS."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import trustme

from circulate_core.aws.packaging import lay_out_terraform, package
from support.own_source import make_own_source
from support.packages import make_wheel
from support.stand_ins import HERE, LOOPBACK, free_port, moto, started

ROOT = Path(__file__).resolve().parents[2]
LAMBDAS = ROOT / "lambdas"
REGION = "us-east-1"
VARIABLES = "dev.tfvars"
ROOT_KEY = ("test", "test")
"""What ministack takes for the key of an account's root."""
PROVIDER = "*/hashicorp/aws/*/*/terraform-provider-aws*"
PROVIDERS_LIE_IN = (
    "~/.terraform.d/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
    "/opt/*",
)
"""Where Terraform looks for providers by itself, and where machines without a network have them."""


@dataclass(frozen=True)
class Tools:
    """What it takes to run Terraform without a network.

    Attributes:
        terraform: The program.
        mirror: The folder that has the provider.
    """

    terraform: str
    mirror: Path


@cache
def tools() -> Tools | str:
    """Find Terraform and its provider for AWS; or say what is missing."""
    terraform = shutil.which("terraform")
    if not terraform:
        return "terraform is not installed"
    for pattern in PROVIDERS_LIE_IN:
        folder = Path(pattern).expanduser()
        for mirror in folder.parent.glob(folder.name):
            if next(mirror.glob(PROVIDER), None):
                return Tools(terraform, mirror)
    return "there is no mirror with Terraform's provider hashicorp/aws"


@dataclass(frozen=True)
class Servers:
    """Stand-ins for AWS.

    Attributes:
        aws: Where everything is but alarms. It speaks TLS, judges by policies, and runs functions as their roles.
        alarms: Where alarms are: ministack forgets half of what an alarm is when it is read as Terraform reads.
        authority: The certificate of who vouches for it, a PEM file.
    """

    aws: str
    alarms: str
    authority: Path

    def client(self, service: str, key: Sequence[str] = ROOT_KEY) -> Any:  # noqa: ANN401 - boto3 has no types
        """Return a client for a service.

        Args:
            service: As boto3 calls it.
            key: Whose key to use: its id and itself, and the token of a session. Default: the account's root's.
        """
        identity, secret, token = (*key, None)[:3]
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.aws,
            verify=str(self.authority),
            aws_access_key_id=identity,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Run stand-ins for AWS until the block ends; `folder` is for their certificates."""
    authority = trustme.CA()
    certificate = authority.issue_cert(HERE, "localhost")
    files = {name: folder / f"{name}.pem" for name in ("authority", "certificate", "key")}
    authority.cert_pem.write_to_path(str(files["authority"]))
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(str(files["certificate"]), append=True)
    certificate.private_key_pem.write_to_path(str(files["key"]))
    port = free_port()
    settings = {
        **LOOPBACK,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "AUTH": "true",
        "USE_SSL": "true",
        "MINISTACK_SSL_CERT": str(files["certificate"]),
        "MINISTACK_SSL_KEY": str(files["key"]),
        # Functions run with its environment.
        "SSL_CERT_FILE": str(files["authority"]),
    }
    command = [sys.executable, str(ROOT / "tests/support/whole_aws.py")]
    with ExitStack() as stack:
        alarms = stack.enter_context(moto())
        stack.enter_context(started(command, port, **settings))
        yield Servers(f"https://{HERE}:{port}", alarms, files["authority"])


class TerraformError(Exception):
    """Terraform ended with an error; the text is what it said, in one line.

    Args:
        said: What it said.
    """

    def __init__(self, said: str) -> None:
        super().__init__(" ".join(said.replace("│", " ").split()))
        self.said = said

    def errors(self) -> str:
        """Return what its errors say, a line each, without the code that they are about."""
        lines = []
        for error in re.split(r"^(?=Error: )", self.said, flags=re.MULTILINE)[1:]:
            title, _code, *details = [" ".join(part.split()) for part in error.strip().split("\n\n")]
            lines += [" ".join([f"{title}:", *(each for each in details if not each.startswith(_RULE))])]
        return "\n".join(sorted(lines)) + "\n"


_RULE = "This was checked by the validation rule"


def this_project(folder: Path) -> None:
    """Copy the folder `lambdas` of this project."""
    ignored = shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*", ".build")
    shutil.copytree(LAMBDAS, folder / "lambdas", ignore=ignored)


def own_project(folder: Path) -> None:
    """Make a project of a source of one's own, with the Terraform that the wheel has."""
    function = make_own_source(folder) / "acme/widgets/lambda.yaml"
    function.write_text(f"{function.read_text()}pipeline: {{schedule: rate(1 hour)}}\n")
    lay_out_terraform(folder / "lambdas/lib")
    (folder / "lambdas/iac" / VARIABLES).write_text(
        'region = "us-east-1"\nprefix = "circulate-own"\naccounts = { acme = ["main"] }\ndeletion_protection = false\n'
    )


class Deployment:
    """A project with its Terraform, packaged and wired to stand-ins.

    Args:
        folder: Where to work; must be empty.
        servers: The stand-ins.
        engine: What is in the layer as the engine. Default: the engine that is installed here.
        project: Writes the project to the folder.
    """

    def __init__(
        self,
        folder: Path,
        servers: Servers,
        *,
        engine: bytes | None = None,
        project: Callable[[Path], None] = this_project,
    ) -> None:
        self.lambdas = folder / "lambdas"
        self.iac = self.lambdas / "iac"
        self.servers = servers
        project(folder)
        self.wheel = make_wheel(folder, engine=engine)
        self.package()
        (self.iac / "stand_ins_override.tf").write_text(
            OVERRIDE.format(region=REGION, aws=servers.aws, alarms=servers.alarms)
        )
        found = tools()
        assert isinstance(found, Tools), found
        self.terraform = found.terraform
        settings = folder / "terraform.rc"
        settings.write_text(
            f'provider_installation {{\n  filesystem_mirror {{\n    path = "{found.mirror}"\n  }}\n}}\n'
        )
        self.environment = {
            **os.environ,
            "TF_CLI_CONFIG_FILE": str(settings),
            "TF_IN_AUTOMATION": "true",
            "CHECKPOINT_DISABLE": "true",
            "AWS_ACCESS_KEY_ID": ROOT_KEY[0],
            "AWS_SECRET_ACCESS_KEY": ROOT_KEY[1],
            # The provider does not look at SSL_CERT_FILE.
            "AWS_CA_BUNDLE": str(servers.authority),
        }

    def copy(self, folder: Path) -> "Deployment":
        """Return the same in another folder, ready if this one is."""
        shutil.copytree(self.lambdas, folder / "lambdas", symlinks=True)
        other = copy.copy(self)
        other.lambdas = folder / "lambdas"
        other.iac = other.lambdas / "iac"
        return other

    def package(self) -> None:
        """Write the zips, as `circulate package` does."""
        package(self.lambdas / "lib", self.lambdas / ".build", wheel=self.wheel)

    def zip(self, function: str) -> Path:
        """Return where the code of a function is."""
        return self.lambdas / f".build/circulate-{function}.zip"

    def run(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
        """Run Terraform; return what it wrote.

        Raises:
            TerraformError: It ended with another code than these.
        """
        command = [self.terraform, f"-chdir={self.iac}", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode not in ok:
            raise TerraformError(done.stderr or done.stdout)
        return done.stdout

    def init(self) -> str:
        """Make the folder ready."""
        return self.run("init", "-no-color", "-input=false")

    def plan(self, **variables: str) -> dict[str, Any]:
        """Return what would be done, as Terraform describes it in JSON."""
        given = [f"-var={name}={value}" for name, value in variables.items()]
        self.run("plan", "-no-color", "-input=false", f"-var-file={VARIABLES}", *given, "-out=plan.tfplan")
        described: dict[str, Any] = json.loads(self.run("show", "-json", "plan.tfplan"))
        return described

    def apply(self) -> str:
        """Do it."""
        return self.run("apply", "-no-color", "-input=false", "-auto-approve", f"-var-file={VARIABLES}")

    def outputs(self) -> dict[str, Any]:
        """Return the outputs by name."""
        return {name: output["value"] for name, output in json.loads(self.run("output", "-json")).items()}

    def add_function(self, source: str, endpoint: str, **changes: str) -> Path:
        """Add a folder that lists as that of okta.users does; return it. `changes` replace texts of its lambda.yaml."""
        folder = self.lambdas / "lib" / source / endpoint
        shutil.copytree(self.lambdas / "lib/okta/users", folder)
        text = LISTS.format(endpoint=endpoint)
        for old, new in changes.items():
            text = text.replace(old, new)
        (folder / "lambda.yaml").write_text(text)
        return folder

    def add_playbook(self, name: str, calls: str, *, undone_by: str | None = None) -> None:
        """Write the state machines of a playbook of one step, as `circulate package` does.

        Args:
            name: What it is called.
            calls: The function that it invokes with what it is started with, such as `okta-users-get`.
            undone_by: The function that undoes it. Default: none, and no machine for it: there is nothing to undo.
        """
        folder = self.lambdas / ".build/playbooks"
        folder.mkdir(exist_ok=True)
        for machine, function in {name: calls, f"{name}-undo": undone_by}.items():
            if function:
                step = {"Type": "Task", "Resource": f"${{functions}}{function}", "End": True}
                definition = {"Comment": "A text: $${functions}x", "StartAt": "step", "States": {"step": step}}
                (folder / f"{machine}.asl.json").write_text(json.dumps(definition))


def changes(plan: dict[str, Any]) -> dict[str, list[str]]:
    """Return what a plan does to resources, by address; without what stays, and without what is only read."""
    done = {change["address"]: change["change"]["actions"] for change in plan.get("resource_changes", [])}
    return {address: actions for address, actions in done.items() if actions not in (["no-op"], ["read"])}


LISTS = """\
source: okta
endpoint: {endpoint}

functions:
  list:
    handler: handler.list

pipeline:
  schedule: rate(1 hour)
  full_refresh: cron(0 3 ? * SUN *)
"""
OVERRIDE = """\
provider "aws" {{
  region                      = "{region}"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true

  endpoints {{
    cloudwatch     = "{alarms}"
    cloudwatchlogs = "{aws}"
    dynamodb       = "{aws}"
    glue           = "{aws}"
    iam            = "{aws}"
    kms            = "{aws}"
    lambda         = "{aws}"
    s3             = "{aws}"
    scheduler      = "{aws}"
    secretsmanager = "{aws}"
    sfn            = "{aws}"
    sqs            = "{aws}"
    sts            = "{aws}"
  }}
}}
"""
