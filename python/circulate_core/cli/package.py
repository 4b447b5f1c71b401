"""`circulate package`: what AWS Lambda takes, made of this project."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circulate_core.cli.local import LAMBDAS
from circulate_core.console import counted, paint, say, size, table

if TYPE_CHECKING:
    import argparse

    from circulate_core.aws.packaging import Package, Packages
    from circulate_core.aws.packaging.terraform import LaidOut

RUNTIMES = ("python3.11", "python3.12", "python3.13")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate package`."""
    parser.add_argument(
        "--lambdas",
        metavar="DIR",
        type=Path,
        default=LAMBDAS,
        help=f"folder of functions; `extensions` and `playbooks` are beside it (default: {LAMBDAS})",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, help="where to write (default: `.build` beside functions)")
    parser.add_argument(
        "--wheel",
        metavar="FILE",
        type=Path,
        help="manylinux2014 wheel to make layers of (default: what is installed; in a checkout built, in minutes)",
    )
    parser.add_argument(
        "--terraform",
        action="store_true",
        help="first write the Terraform that deploys the zips, to `iac` beside functions, and the target s3 among them;"
        " files that are there are kept",
    )
    parser.add_argument("--json", action="store_true", help="write what was made as JSON")


def run(args: argparse.Namespace) -> int:
    """Make the packages; show their sizes and the commands that publish layers."""
    from circulate_core.aws.packaging import lay_out_terraform, package  # noqa: PLC0415 - much that no other command needs

    if args.terraform:
        _say_laid_out(lay_out_terraform(args.lambdas), args.lambdas.parent)
    out = args.out or args.lambdas.parent / ".build"
    packages = package(args.lambdas, out, wheel=args.wheel)
    if args.json:
        print(json.dumps(_report(packages, out)))
        return 0
    print(_sizes(packages, out))
    if packages.machines:
        print(f"\nstate machines of playbooks: {', '.join(packages.machines)}")
    print("\nlayers are published by")
    for layer in packages.layers:
        print(shlex.join(_publish(layer, out, packages.architecture)))
    return 0


def _say_laid_out(laid_out: LaidOut, folder: Path) -> None:
    say(f"{paint('✓', 'green')} {counted(len(laid_out.written), 'file')} of the Terraform written to {folder}")
    for file in laid_out.kept:
        say(f"{paint('kept:', 'yellow')} {file} is other than ours; remove it to get ours")


def _sizes(packages: Packages, out: Path) -> str:
    from circulate_core.aws.packaging import MAX_UNZIPPED, MAX_ZIPPED  # noqa: PLC0415 - as above

    rows = [["FILE", "ZIPPED", "UNZIPPED"]]
    rows += [[str(out / each.file), size(each.zipped), size(each.unzipped)] for each in packages.all]
    rows += [["the largest function with all layers", "", size(packages.largest_unzipped)]]
    rows += [["what Lambda takes", size(MAX_ZIPPED), size(MAX_UNZIPPED)]]
    return table(rows)


def _report(packages: Packages, out: Path) -> dict[str, Any]:
    from circulate_core.aws.packaging.machines import PLAYBOOKS  # noqa: PLC0415 - as above

    return {
        "architecture": packages.architecture,
        "largest_unzipped": packages.largest_unzipped,
        "packages": [
            {
                "file": str(out / each.file),
                "layer": each.layer,
                "zipped": each.zipped,
                "unzipped": each.unzipped,
                "sha256": each.sha256,
            }
            for each in packages.all
        ],
        "machines": [str(out / PLAYBOOKS / name) for name in packages.machines],
        "publish": [_publish(layer, out, packages.architecture) for layer in packages.layers],
    }


def _publish(layer: Package, out: Path, architecture: str) -> list[str]:
    """Return the command that publishes a layer."""
    return [
        *("aws", "lambda", "publish-layer-version", "--layer-name", str(layer.layer)),
        *("--zip-file", f"fileb://{out / layer.file}"),
        *("--compatible-runtimes", *RUNTIMES, "--compatible-architectures", architecture),
    ]
