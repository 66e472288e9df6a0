"""
Generate docs/api.md from the comments of protos/tidegate/v1, the table of who may call what, and the reason codes.

With --check nothing is written: a stale page, or a method without a comment, fails the build.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import TypeVar

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from grpc_tools import protoc

from gateway.status import CODES
from tidegate.permissions import OFFICERS, RULES, Rule
from tidegate.reasons import Reason

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = Path("docs/api.md")
SERVICES = ("orders", "market_data", "risk", "portfolio", "admin")
# The numbers, in the descriptors' own schema, of what has comments.
OF_MESSAGES, OF_ENUMS, OF_SERVICES = 4, 5, 6
OF_PARTS = 2
# A message or enum, the comments of its file, and its place there.
T = TypeVar("T", DescriptorProto, EnumDescriptorProto)
Named = dict[str, tuple[T, "Comments", tuple[int, ...]]]

HEAD = """# The wire: `tidegate.v1`

`make api` writes this page from the comments of [protos/tidegate/v1](../protos/tidegate/v1/orders.proto), from
`tidegate/permissions.py`, `gateway/status.py` and `tidegate/reasons.py`. Numbers are decimals as text; a Timestamp is
`google.protobuf.Timestamp`. Where there is no access file everybody may call everything; how roles are given is said in
[security.md](security.md), the bounds are in [operations.md](operations.md), and how to live with errors is in
[adapters.md](adapters.md). `grpc.health.v1.Health` and server reflection answer as well.
"""
CODES_HEAD = """## Reason codes

A code never changes its meaning. A call that is refused ends with the gRPC status of the second column, and the code is
in `google.rpc.ErrorInfo`. A code without a status stands in a decision, a violation, a claim, an alert, a halt or an
event of the journal, where the others may stand as well.
"""


class Comments:
    """What is written above each element of a file."""

    def __init__(self, file: FileDescriptorProto) -> None:
        """Read them once."""
        self._by_path = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}

    def of(self, *path: int) -> str:
        """Return an element's comment on one line, empty when it has none."""
        return " ".join(self._by_path.get(path, "").split())


def read_files(root: Path) -> dict[str, FileDescriptorProto]:
    """Read the protos with their comments, by file name."""
    protos = root / "protos"
    sources = sorted(path.relative_to(protos).as_posix() for path in protos.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as aside:
        out = Path(aside) / "descriptors"
        paths = [f"--proto_path={path}" for path in (protos, resources.files("grpc_tools") / "_proto")]
        status = protoc.main(["protoc", *paths, "--include_source_info", f"--descriptor_set_out={out}", *sources])
        if status != 0:
            sys.exit(f"protoc failed with status {status}")
        files = FileDescriptorSet.FromString(out.read_bytes()).file
    return {Path(file.name).stem: file for file in files}


class Page:
    """The page: service by service, then the messages and enums that they share, then the reason codes."""

    def __init__(self, files: dict[str, FileDescriptorProto]) -> None:
        """Find every message and enum by its full name."""
        self._files = files
        self._messages: Named[DescriptorProto] = {}
        self._enums: Named[EnumDescriptorProto] = {}
        self._shared: set[str] = set()
        for file in files.values():
            comments = Comments(file)
            for number, message in enumerate(file.message_type):
                self._messages[f".{file.package}.{message.name}"] = message, comments, (OF_MESSAGES, number)
            for number, enum in enumerate(file.enum_type):
                self._enums[f".{file.package}.{enum.name}"] = enum, comments, (OF_ENUMS, number)

    def render(self) -> str:
        """Write the page."""
        parts = [HEAD, *(part for name in SERVICES for part in self._service(self._files[name]))]
        parts += ["## Messages", *self._shared_messages(), "## Enums", *self._shared_enums(), CODES_HEAD]
        parts += [_table("code | refused with | meaning", [(f"`{one}`", _status(one), one.meaning) for one in Reason])]
        return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"

    def _service(self, file: FileDescriptorProto) -> Iterator[str]:
        comments = Comments(file)
        for number, service in enumerate(file.service):
            yield f"## {service.name}"
            yield comments.of(OF_SERVICES, number)
            for place, method in enumerate(service.method):
                comment = comments.of(OF_SERVICES, number, OF_PARTS, place)
                if not comment:
                    sys.exit(f"{service.name}.{method.name} has no comment")
                yield f"### {service.name}.{method.name}"
                yield comment
                yield f"May call: {_callers(RULES[method.name])}"
                yield from self._message("Takes", method.input_type)
                yield from self._message("Streams" if method.server_streaming else "Answers", method.output_type)

    def _message(self, verb: str, name: str) -> Iterator[str]:
        fields = self._fields(name)
        yield f"{verb} `{_short(name)}`{':' if fields else ', which is empty.'}"
        yield fields

    def _fields(self, name: str) -> str:
        message, comments, path = self._messages[name]
        rows = []
        for number, field in enumerate(message.field):
            choice = f"One of `{message.oneof_decl[field.oneof_index].name}`. " if field.HasField("oneof_index") else ""
            rows.append((f"`{field.name}`", self._type(field), choice + comments.of(*path, OF_PARTS, number)))
        return _table("field | type | meaning", rows)

    def _type(self, field: FieldDescriptorProto) -> str:
        name = _short(field.type_name) or FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
        if field.type_name in self._messages or field.type_name in self._enums:
            self._shared.add(field.type_name)
            name = f"[{name}](#{name.lower()})"
        return f"repeated {name}" if field.label == field.LABEL_REPEATED else name

    def _shared_messages(self) -> Iterator[str]:
        found: set[str] = set()
        while new := (self._shared & self._messages.keys()) - found:
            found |= new
            for name in new:
                self._fields(name)  # they name further ones
        for name in sorted(found):
            _, comments, path = self._messages[name]
            yield f"### {_short(name)}"
            yield comments.of(*path)
            yield self._fields(name)

    def _shared_enums(self) -> Iterator[str]:
        for name in sorted(self._shared & self._enums.keys()):
            enum, comments, path = self._enums[name]
            yield f"### {_short(name)}"
            yield comments.of(*path)
            values = enumerate(enum.value)
            rows = [(f"`{one.name}`", str(one.number), comments.of(*path, OF_PARTS, place)) for place, one in values]
            yield _table("value | number | meaning", rows)


def _table(head: str, rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {head} |", "|" + "---|" * len(head.split("|")), *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) if rows else ""


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _status(reason: Reason) -> str:
    return CODES[reason].name if reason in CODES else ""


def _callers(rule: Rule) -> str:
    roles = [f"`{role}`" for role in sorted(rule.roles)]
    own = [what for what, names in (("strategies", rule.strategies), ("adapters", rule.adapters)) if names is not None]
    if own:
        roles.append(f"`trader` for its own {' and '.join(own)}")
    if rule.orders is not None:
        roles += [f"`{role}` for emergency exits" for role in sorted(OFFICERS)]
    signed = " The `operator` is the caller." if rule.is_signed else ""
    return f"{', '.join(roles)}.{signed}"


def main() -> None:
    """Write the page, or with --check compare."""
    parser = argparse.ArgumentParser(description="Generate docs/api.md.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if the page is stale")
    parser.add_argument("--root", type=Path, default=REPOSITORY, help="the repository (default: this one)")
    arguments = parser.parse_args()
    path: Path = arguments.root.resolve() / PAGE
    fresh = Page(read_files(arguments.root.resolve())).render()
    is_stale = not path.exists() or path.read_text(encoding="utf-8") != fresh
    if arguments.check:
        sys.exit(f"{PAGE} is stale: run `make api` and commit the result" if is_stale else 0)
    if is_stale:
        path.write_text(fresh, encoding="utf-8")
        print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
