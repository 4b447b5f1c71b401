"""Say how large the extension and the wheel are, and which crates the bytes come from; print Markdown.

The release build is linked twice: once as it is shipped, and once with a map, in which the linker names which object
file every piece of the extension came from. With thin LTO a crate keeps an object file of its own. Generic code is
compiled where it is used, so of our own two files a piece counts for the first crate in its name that is neither ours
nor the standard library. `make size` calls this. Linux only.
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench import complain, say

MATURIN = [str(Path(sys.executable).parent / "maturin"), "build", "--release", "--quiet", "--locked"]
MEGABYTE = 1_000_000
LARGEST = 12
OURS = {"_core", "circulate_core"}
STD = ("std", "core", "alloc", "panic_unwind", "compiler_builtins", "hashbrown", "gimli", "addr2line", "rustc_demangle")
LINKER = "(linker)"
# Parts in the order of the table, each with the crates that are it; the first that fits counts.
PARTS = {
    "Circulate Core": "_core|circulate_core",
    "AWS: S3, with its checksums": "aws_sdk_s3|crc_fast|aws_smithy_(checksums|eventstream|xml)",
    "AWS: DynamoDB": "aws_sdk_dynamodb",
    "AWS: Secrets Manager": "aws_sdk_secretsmanager",
    "AWS: sign-in (STS, SSO)": "aws_sdk_(sts|sso|ssooidc)",
    "AWS: what services share": "aws_(?!lc).*|crc32fast|crc_catalog",
    "TLS and digests": "rustls.*|aws_lc.*|webpki.*|sha.*|digest|subtle|untrusted|openssl_probe|hmac",
    "HTTP": "hyper.*|h2|http.*|reqwest|url|idna.*|icu_.*|tower.*|percent_encoding|form_urlencoded|ipnet|socket2|mio",
    "tokio, futures": "tokio.*|futures.*",
    "Arrow and Parquet": "arrow.*|parquet|flatbuffers|chrono|half|num_(bigint|complex|integer|traits)|twox_hash",
    "SQLite": "(lib)?sqlite3_sys|rusqlite",
    "zstd, libdeflate": "zstd.*|libdeflate.*|miniz_oxide|flate2|async_compression|compression_.*",
    "YAML, JSON, schemas, time": "serde.*|schemars|jiff.*|annotate_snippets|granit.*|saphyr.*|regex_lite|time",
    "pyo3": "pyo3.*",
    "Rust's standard library": "|".join(STD),
    "unwinding, relocations and names, by the linker": re.escape(LINKER),
    "other": ".*",
}
# Address, load address, size and alignment in hex, then an output section (1 blank), or a piece of one (9 blanks).
ROW = re.compile(r" *[0-9a-f]+ +[0-9a-f]+ +([0-9a-f]+) +\d+( +)(\S.*)")
# What a loaded extension does not hold: what `strip` removes, and what has no bytes in the file.
NOT_SHIPPED = re.compile(r"\.(debug_.*|symtab|strtab|shstrtab|comment|s?bss|tbss|relro_padding)")


def main() -> int:
    """Build, measure, and print; return the exit code."""
    if sys.platform != "linux":
        complain("it reads the map of Linux's linker")
        return 2
    with tempfile.TemporaryDirectory(prefix="circulate-size-") as name:
        folder = Path(name)
        link_map = folder / "map"
        extra = ["--", "-C", "strip=none", "-C", f"link-arg=-Wl,-Map={link_map}"]
        subprocess.run([*MATURIN, "--out", str(folder / "with-map"), *extra], check=True, stdout=sys.stderr)
        # Last, so that it is what stays in the target folder.
        subprocess.run([*MATURIN, "--out", str(folder)], check=True, stdout=sys.stderr)
        (wheel,) = folder.glob("*.whl")
        say(sizes(wheel))
        crates = Counter[str]()
        for crate, size in pieces(link_map):
            crates[crate] += size
    say("\n" + parts(crates))
    say("\n" + largest(crates))
    return 0


def sizes(wheel: Path) -> str:
    """Return the sizes of what is shipped."""
    with zipfile.ZipFile(wheel) as archive:
        files = archive.infolist()
    (extension,) = (file for file in files if file.filename.endswith(".so"))
    rest = [file for file in files if file is not extension]
    rows = [
        ("extension", extension.file_size, extension.compress_size),
        ("all else in the wheel", sum(file.file_size for file in rest), sum(file.compress_size for file in rest)),
        ("wheel", sum(file.file_size for file in files), wheel.stat().st_size),
    ]
    head = "| what | MB on disk | MB in the wheel |\n| --- | ---: | ---: |\n"
    return head + "\n".join(
        f"| {name} | {size / MEGABYTE:.2f} | {compressed / MEGABYTE:.2f} |" for name, size, compressed in rows
    )


def pieces(link_map: Path) -> Iterator[tuple[str, int]]:
    """Yield the crate and the size of every piece of the extension."""
    lines = link_map.read_text().splitlines()
    if lines[0].split()[:1] != ["VMA"]:
        message = "the map is not one of lld, which Rust links with on x86-64 Linux"
        raise SystemExit(message)
    rows = [(int(row[1], 16), len(row[2]), row[3]) for row in map(ROW.fullmatch, lines) if row]
    generic = foreign({crate_of(piece) for _, indent, piece in rows if indent == 9})
    section, left = "", 0
    for size, indent, name in rows:
        if indent == 1:
            # What lies between pieces: padding.
            yield LINKER, left
            section, left = name, 0 if NOT_SHIPPED.fullmatch(name) else size
        elif indent == 9 and not NOT_SHIPPED.fullmatch(section):
            left -= size
            crate = crate_of(name)
            found = generic.search(name.partition(":(")[2]) if crate in OURS else None
            yield found[1] if found else crate, size
    yield LINKER, left


def crate_of(piece: str) -> str:
    """Return the crate that `FOLDER/_core.CRATE-HASH...o:(SECTION)` or `FOLDER/libCRATE-HASH.rlib(...):(...)` is of."""
    if piece.startswith("<internal>"):
        return LINKER
    file = piece.partition(":(")[0].rpartition("/")[2]
    found = re.match(r"(?:_core\.|lib)([a-z_][a-z0-9_]*)(?:-[0-9a-f]{16})?\.", file)
    return found[1] if found else "crt"


def foreign(crates: set[str]) -> re.Pattern[str]:
    """Return what finds the first crate in a mangled name that is neither ours nor of the standard library."""
    names = sorted(crates - OURS - set(STD) - {LINKER, "crt"}, key=len, reverse=True)
    return re.compile(rf"(?:\d|\$|_)({'|'.join(names)})(?=\d|\.\.|\$)")


def parts(crates: Counter[str]) -> str:
    """Return a table of the parts."""
    sums = dict.fromkeys(PARTS, 0)
    for crate, size in crates.items():
        sums[next(part for part, pattern in PARTS.items() if re.fullmatch(pattern, crate))] += size
    total = sum(sums.values())
    rows = ["| part | MB | share |", "| --- | ---: | ---: |"]
    rows += [f"| {part} | {size / MEGABYTE:.2f} | {size / total:.0%} |" for part, size in sums.items()]
    return "\n".join([*rows, f"| together | {total / MEGABYTE:.2f} | 100% |"])


def largest(crates: Counter[str]) -> str:
    """Return a table of the largest crates."""
    rows = ["| crate | MB |", "| --- | ---: |"]
    found = [(crate, size) for crate, size in crates.most_common() if crate != LINKER]
    rows += [f"| {crate} | {size / MEGABYTE:.2f} |" for crate, size in found[:LARGEST]]
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
