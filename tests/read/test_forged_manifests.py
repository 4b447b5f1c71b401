"""A manifest that names what lies elsewhere is refused by everything that reads one, and leaves nothing behind."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.cli import Cli, CliFor, StartOrg
from support.places import Bucket, client
from support.promotions import Promoting

import circulate_core
from circulate_core.exceptions import MismatchError

Files = dict[str, bytes]


def store(cli: Cli, files: Files) -> None:
    """Put files into the lake, over those that are there."""
    place = cli.place
    for key, content in files.items():
        if isinstance(place, Bucket):
            where = {"Bucket": place.bucket, "Key": f"{place.prefix}/{key}"}
            client("s3", place.endpoint).put_object(**where, Body=content)
        else:
            (place.path / key).write_bytes(content)


def forged(lake: Path, manifest: str, change: Callable[[dict[str, Any]], None]) -> Files:
    """Return a manifest and its part, changed by somebody who knows how they belong together."""
    index = json.loads((lake / manifest).read_bytes())
    (reference,) = index["parts"]
    part = json.loads((lake / reference["key"]).read_bytes())
    change(part)
    content = json.dumps(part).encode()
    reference["sha256"] = hashlib.sha256(content).hexdigest()
    return {reference["key"]: content, manifest: json.dumps(index).encode()}


@pytest.mark.parametrize(
    "key",
    ["okta/practice/users/../../../../outside.gz", "okta/practice/users/%2e%2e/outside.gz", "okta/other/users/x.gz"],
)
def test_it_is_refused_and_the_honest_one_is_promoted_after_it(
    cli_for_place: CliFor, start_org: StartOrg, key: str
) -> None:
    cli = cli_for_place(start_org(users=20))
    manifest = str(cli.pull("--pending", "1h").report["manifest"])
    lake = cli.place.lake()
    honest = {name: (lake / name).read_bytes() for name in forged(lake, manifest, lambda _: None)}

    def lead_out(part: dict[str, Any]) -> None:
        # What it leads to is there, and is what the manifest says: only where it lies is wrong.
        (entry,) = part["objects"]
        content = (lake / entry["key"]).read_bytes()
        if not isinstance(cli.place, Bucket):
            (cli.folder / "outside.gz").write_bytes(content)
            (lake / "okta/practice/users").mkdir(exist_ok=True)
        entry["key"] = key

    store(cli, forged(lake, manifest, lead_out))
    verified = cli("verify", *cli.place.verify(manifest))
    assert (verified.code, "all is well" in verified.err, "✗" in verified.err) == (1, False, True)
    assert "out of its place" in verified.err or "not of its stream" in verified.err
    promoting = Promoting.of(cli)
    for mode in ((), ("--compact",)):
        refused = promoting(manifest, *mode)
        assert refused.code == 1, refused.err
        data = promoting.data.lake()
        assert not data.exists() or not [path for path in data.rglob("*") if path.is_file()]
    assert promoting.status(manifest) == "pending"
    if not isinstance(cli.place, Bucket) and ".." in key:
        with pytest.raises(MismatchError, match="leads out of its lake"):
            _ = circulate_core.manifest(lake / manifest).paths
    store(cli, honest)
    assert promoting(manifest).code == 0
    assert (promoting.is_exact(manifest), promoting.status(manifest)) == (True, "committed")
