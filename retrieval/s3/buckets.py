"""Buckets: made on request, once."""

from __future__ import annotations

from retrieval.errors import StorageError
from retrieval.s3.client import DEFAULT_REGION, S3, split_uri

_THERE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


def make_bucket(s3: S3, uri: str) -> None:
    """Make a bucket; one that is there already stays.

    Raises:
        StorageError: If the store stays away or refuses.
    """
    bucket, region = split_uri(uri)[0], s3.settings.region
    place = {} if region == DEFAULT_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.patiently(uri, lambda: s3.client.create_bucket(Bucket=bucket, **place))
    except StorageError as error:
        if error.code not in _THERE:
            raise
