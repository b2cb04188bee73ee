"""Single objects: small ones whole, large files in parts and ranges, with memory that does not grow with the file."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from retrieval.errors import ArtifactError, StorageError
from retrieval.s3.client import S3, split_uri
from retrieval.s3.failures import LACKING

Item = TypeVar("Item")
Result = TypeVar("Result")
Buffer: TypeAlias = "bytes | memoryview[int]"
"""Bytes in memory; a view has one dimension of single bytes."""
Read = Callable[[int, int], bytes]
"""What is to be written, from a first byte on and so many of them."""

PART_BYTES = 8 << 20
"""Size of a part or range; S3 asks for at least 5 MiB and at most 10,000 parts of one object."""
_MOST_PARTS = 10_000
_MOST_AT_ONCE_BYTES = 5 << 30
"""What S3 takes in one request, for stores that take no parts; such an object lies in memory while it is sent."""
_THREADS = 8
_AHEAD = _THREADS + 2
"""Parts that are on their way or wait to be written, at most."""
_PIECE_BYTES = 256 << 10
"""What is read of a range at a time; blocks of 8 MiB would be fresh memory each, which costs more than the copy."""
_WRITE_ANEW = "a training with --stack s3 writes it anew"
_LOST = ("NoSuchUpload", "InvalidPart")
"""What a server says that forgot an upload when it fell over."""


def put_bytes(s3: S3, content: bytes, uri: str, content_type: str = "application/octet-stream") -> None:
    """Write a small object; a reader sees the one before or this one, never a part."""
    bucket, key = split_uri(uri)
    s3.patiently(uri, lambda: s3.client.put_object(Bucket=bucket, Key=key, Body=content, ContentType=content_type))


def get_bytes(s3: S3, uri: str) -> bytes:
    """Read an object whole."""
    return b"".join(get_pieces(s3, uri))


def get_pieces(s3: S3, uri: str, first: int = 0, length: int | None = None) -> list[bytes]:
    """An object, or ``length`` bytes of it from ``first`` on."""
    bucket, key = split_uri(uri)
    span = {} if length is None else {"Range": f"bytes={first}-{first + length - 1}"}

    def read() -> list[bytes]:
        return list(s3.client.get_object(Bucket=bucket, Key=key, **span)["Body"].iter_chunks(_PIECE_BYTES))

    return s3.patiently(uri, read)


@contextmanager
def missing_means(text: str) -> Iterator[None]:
    """Say what it means here that an object is not there.

    Args:
        text: Of the error.

    Raises:
        ArtifactError: If the object read in the block is missing.
    """
    try:
        yield
    except StorageError as error:
        if error.code != "NoSuchKey":
            raise
        raise ArtifactError(text) from error


def put_json(s3: S3, value: Mapping[str, object], uri: str) -> None:
    """Replace a JSON object at once."""
    put_bytes(s3, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode(), uri, "application/json")


def get_json(s3: S3, uri: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        StorageError: If it is missing or no JSON object.
    """
    try:
        value = json.loads(get_bytes(s3, uri))
    except ValueError as error:
        raise StorageError(f"{uri}: not JSON ({error}); {_WRITE_ANEW}", "NotJSON") from error
    if not isinstance(value, dict):
        raise StorageError(f"{uri}: holds {type(value).__name__}, not an object; {_WRITE_ANEW}", "NotJSON")
    return value


def put_file(s3: S3, path: Path, uri: str) -> None:
    """Write a file, a large one in parallel parts; each part is sent again by itself when the server was away."""

    def read(first: int, length: int) -> bytes:
        with path.open("rb") as stream:
            stream.seek(first)
            return stream.read(length)

    _put(s3, read, path.stat().st_size, uri)


def put_memory(s3: S3, buffers: Sequence[Buffer], uri: str) -> None:
    """Write buffers, one after another, as one object; no file and no second copy of them is made on the way."""

    def read(first: int, length: int) -> bytes:
        return b"".join(_cut(buffers, first, length))

    _put(s3, read, sum(map(len, buffers)), uri)


def get_file(s3: S3, uri: str, path: Path, size: int) -> None:
    """Fetch an object in parallel ranges, going on behind the bytes that ``path`` already holds.

    Args:
        s3: Where from.
        uri: The object.
        path: File to append to; made where it is missing.
        size: Bytes of the object.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > size:
        path.unlink()
    with path.open("ab") as out:
        spans = [(first, min(PART_BYTES, size - first)) for first in range(out.tell(), size, PART_BYTES)]
        for pieces in _in_order(lambda span: get_pieces(s3, uri, *span), spans):
            out.writelines(pieces)


def sizes_below(s3: S3, uri: str) -> dict[str, int]:
    """Bytes of every object below a folder, by name relative to it."""
    bucket, key = split_uri(uri)
    prefix, found = f"{key}/" if key else "", {}
    token: dict[str, str] = {}
    while True:
        listed = s3.patiently(
            uri,
            lambda token=token: s3.client.list_objects_v2(Bucket=bucket, Prefix=prefix, **token),  # type: ignore[misc]
        )
        _refuse_page(listed, uri)
        for entry in listed.get("Contents", ()):
            name = str(entry["Key"])[len(prefix) :]
            if name and not name.endswith("/"):
                found[name] = int(entry["Size"])
        if not listed.get("IsTruncated"):
            return found
        token = {"ContinuationToken": _next_page(listed, uri)}


def _refuse_page(listed: Mapping[str, Any], uri: str) -> None:
    """Refuse a web page that botocore took for an empty list, as it does where the page is well-formed XML."""
    headers = listed.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    if str(headers.get("content-type", "")).startswith("text/html"):
        raise StorageError(
            f"{uri}: a web page came in the place of a list; check AWS_ENDPOINT_URL: the API's port (MinIO: 9000, not"
            " its console's 9001), and no proxy before it",
            "Page",
        )


def _next_page(listed: Mapping[str, Any], uri: str) -> str:
    if "NextContinuationToken" not in listed:  # it answered as the first form of the request is answered
        raise StorageError(
            f"{uri}: the store does not know ListObjectsV2, so longer lists end early; update the store, or take one"
            " that knows it",
            "NotImplemented",
        )
    return str(listed["NextContinuationToken"])


def copy_object(s3: S3, source: str, target: str) -> None:
    """Copy inside the store, without the bytes passing through here; whole where it cannot copy in parts."""
    from_bucket, from_key = split_uri(source)
    bucket, key = split_uri(target)
    origin = {"Bucket": from_bucket, "Key": from_key}
    try:
        s3.patiently(source, lambda: s3.client.copy(origin, bucket, key))
    except StorageError as error:
        if error.code not in LACKING:
            raise
        s3.patiently(source, lambda: s3.client.copy_object(CopySource=origin, Bucket=bucket, Key=key))


def _put(s3: S3, read: Read, size: int, uri: str) -> None:
    if size <= PART_BYTES:
        put_bytes(s3, read(0, size), uri)
        return
    try:
        _put_parts(s3, read, size, uri)
    except StorageError as error:
        if error.code in _LOST:
            _put_parts(s3, read, size, uri)
        elif error.code in LACKING and size <= _MOST_AT_ONCE_BYTES:
            put_bytes(s3, read(0, size), uri)
        else:
            raise


def _cut(buffers: Sequence[Buffer], first: int, length: int) -> Iterator[Buffer]:
    """Bytes ``first`` to ``first + length`` of buffers that follow one another."""
    for buffer in buffers:
        if piece := buffer[first : first + length]:
            yield piece
        first, length = max(0, first - len(buffer)), length - len(piece)


def _put_parts(s3: S3, read: Read, size: int, uri: str) -> None:
    bucket, key = split_uri(uri)
    place = {"Bucket": bucket, "Key": key}
    part_bytes = max(PART_BYTES, -(-size // _MOST_PARTS))
    upload = s3.patiently(uri, lambda: s3.client.create_multipart_upload(**place))["UploadId"]

    def send(number: int) -> dict[str, object]:
        body = read((number - 1) * part_bytes, part_bytes)
        sent = s3.patiently(uri, lambda: s3.client.upload_part(**place, UploadId=upload, PartNumber=number, Body=body))
        return {"ETag": sent["ETag"], "PartNumber": number}

    try:
        done = {"Parts": list(_in_order(send, range(1, -(-size // part_bytes) + 1)))}
        s3.patiently(uri, lambda: s3.client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=done))
    except BaseException:
        _forget(s3, place, upload)
        raise


def _forget(s3: S3, place: Mapping[str, str], upload: str) -> None:
    """Ask once that the parts of a failed upload be dropped; a server that is away cannot be asked."""
    import botocore.exceptions as botocore

    try:
        s3.client.abort_multipart_upload(**place, UploadId=upload)
    except (botocore.BotoCoreError, botocore.ClientError):
        return


def _in_order(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Results in the order of the items, a few of which are worked on at a time: memory does not grow with the file."""
    rest, pool = iter(items), ThreadPoolExecutor(_THREADS)
    try:
        pending = deque(pool.submit(work, item) for item in islice(rest, _AHEAD))
        while pending:
            result = pending.popleft().result()
            pending.extend(pool.submit(work, item) for item in islice(rest, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
