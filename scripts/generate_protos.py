"""
Generate the typed protobuf and gRPC code under tidegate/v1 from protos/tidegate/v1.

With --check nothing is written: the code is generated aside and compared, so that stale code fails the build.
"""

import argparse
import sys
import sysconfig
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = Path("tidegate/v1")
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi", "__init__.py")
INIT = '"""Protobuf messages and gRPC stubs, generated from protos/tidegate/v1 by scripts/generate_protos.py."""\n'


def plugin(name: str) -> str:
    """Name a plugin beside the running interpreter, so that it is found in a virtual environment nobody activated."""
    return f"--plugin={name}={Path(sysconfig.get_path('scripts')) / name}"


def generate(root: Path, out: Path) -> None:
    """Generate the package from the protos under `root` into `out`."""
    protos = root / "protos"
    sources = sorted(path.relative_to(protos).as_posix() for path in (protos / PACKAGE).glob("*.proto"))
    if not sources:
        sys.exit(f"no .proto file in {protos / PACKAGE}")
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={protos}",
            f"--proto_path={resources.files('grpc_tools') / '_proto'}",
            plugin("protoc-gen-mypy"),
            plugin("protoc-gen-mypy_grpc"),
            f"--python_out={out}",
            f"--mypy_out=quiet:{out}",
            f"--grpc_python_out={out}",
            f"--mypy_grpc_out=quiet:{out}",
            *sources,
        ],
    )
    if status != 0:
        sys.exit(f"protoc failed with status {status}")
    (out / PACKAGE / "__init__.py").write_text(INIT, encoding="utf-8")


def read(folder: Path) -> dict[str, bytes]:
    """Read the generated files in a folder, by name."""
    return {path.name: path.read_bytes() for pattern in GENERATED for path in folder.glob(pattern)}


def main() -> None:
    """Generate, or with --check compare."""
    parser = argparse.ArgumentParser(description="Generate tidegate/v1 from protos/tidegate/v1.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a generated file is stale")
    parser.add_argument("--root", type=Path, default=REPOSITORY, help="the repository (default: this one)")
    arguments = parser.parse_args()
    root: Path = arguments.root.resolve()
    target = root / PACKAGE

    with tempfile.TemporaryDirectory() as aside:
        generate(root, Path(aside))
        fresh = read(Path(aside) / PACKAGE)
    committed = read(target)
    stale = sorted(name for name in fresh.keys() | committed.keys() if fresh.get(name) != committed.get(name))

    if arguments.check:
        for name in stale:
            print(f"{PACKAGE / name} is stale: run `make proto` and commit the result", file=sys.stderr)
        sys.exit(1 if stale else 0)

    target.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in fresh:
            (target / name).write_bytes(fresh[name])
        else:
            (target / name).unlink()
        print(f"{'wrote' if name in fresh else 'removed'} {PACKAGE / name}")


if __name__ == "__main__":
    main()
