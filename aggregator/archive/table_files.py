"""Files of rows: CSV (RFC 4180), and Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from aggregator.errors import ConfigError

if TYPE_CHECKING:
    import io

FORMS = ("csv", "parquet")


class Column(NamedTuple):
    """A column, and what is in it: instants are datetimes of UTC, to the microsecond."""

    name: str
    kind: Literal["text", "instant", "number", "value"]


class TableFile(Protocol):
    """A file that takes rows."""

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows."""


@contextmanager
def table_file(form: str, path: Path, columns: Sequence[Column]) -> Iterator[TableFile]:
    """A file of a form, open for the block; ConfigError where a library is missing for it."""
    opening = _csv_file if form == "csv" else _parquet_file
    with opening(path, columns) as file:
        yield file


@contextmanager
def _csv_file(path: Path, columns: Sequence[Column]) -> Iterator[TableFile]:
    with path.open("w", newline="", encoding="utf-8") as stream:
        yield _CsvFile(stream, columns)


class _CsvFile:
    def __init__(self, stream: io.TextIOWrapper, columns: Sequence[Column]) -> None:
        self._writer = csv.writer(stream)
        self._writer.writerow([column.name for column in columns])

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        self._writer.writerows([_shown(value) for value in row] for row in rows)


def _shown(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
    return value


@contextmanager
def _parquet_file(path: Path, columns: Sequence[Column]) -> Iterator[TableFile]:
    try:
        import pyarrow  # noqa: PLC0415  (large, and an extra)
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "Parquet needs pyarrow, which is not installed: pip install mds-aggregator[parquet],"
            " or export as csv"
        ) from error
    kinds = {
        "text": pyarrow.string(),
        "instant": pyarrow.timestamp("us", tz="UTC"),
        "number": pyarrow.int64(),
        "value": pyarrow.float64(),
    }
    schema = pyarrow.schema([(column.name, kinds[column.kind]) for column in columns])
    with parquet.ParquetWriter(str(path), schema, compression="zstd") as writer:
        yield _ParquetFile(writer, schema, pyarrow.table)


class _ParquetFile:
    """Each batch of rows becomes a row group."""

    def __init__(self, writer: Any, schema: Any, table: Any) -> None:
        self._writer, self._schema, self._table = writer, schema, table

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        columns = list(zip(*rows, strict=True))
        self._writer.write_table(self._table(columns, schema=self._schema))
