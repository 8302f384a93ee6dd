"""The protobuf messages of reports: ``Files``, with ``files[]`` of ``name``, ``modtime``, ``data``.

In protobuf's own language (docs/reports.md has it for other programs)::

    syntax = "proto2";
    package aggregator.reports;
    message Files {
      message File {
        optional string name = 1;
        optional double modtime = 2;  // seconds since 1970
        optional bytes data = 3;
      }
      repeated File files = 1;
    }
"""

from __future__ import annotations

from typing import Any

try:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "aggregator.reports.messages needs protobuf: install mds-aggregator[reports]",
        name=error.name,
    ) from error

_FIELD = descriptor_pb2.FieldDescriptorProto


def _described() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="aggregator/reports/messages.proto", package="aggregator.reports", syntax="proto2"
    )
    files = file.message_type.add(name="Files")
    nested = files.nested_type.add(name="File")
    for number, (name, kind) in enumerate(
        (
            ("name", _FIELD.TYPE_STRING),
            ("modtime", _FIELD.TYPE_DOUBLE),
            ("data", _FIELD.TYPE_BYTES),
        ),
        1,
    ):
        nested.field.add(name=name, number=number, type=kind, label=_FIELD.LABEL_OPTIONAL)
    files.field.add(
        name="files",
        number=1,
        type=_FIELD.TYPE_MESSAGE,
        type_name=".aggregator.reports.Files.File",
        label=_FIELD.LABEL_REPEATED,
    )
    return file


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_described())

Files: Any = message_factory.GetMessageClass(
    _pool.FindMessageTypeByName("aggregator.reports.Files")
)
"""Some files: names, times of their last change, contents."""
