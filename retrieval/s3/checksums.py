"""Which checksums S3 clients put into requests: those of Amazon's own store, which others often refuse, or none.

Since 2025 Amazon's clients add checksum headers and trailers that older MinIO, Ceph, Backblaze B2, Google's S3
interface and others refuse. So at any other endpoint they are left out, unless the user says otherwise. Nothing goes
unchecked by that: what this project writes has a manifest of SHA-256 hashes, which every reader compares.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

REQUEST_CHECKSUMS, RESPONSE_CHECKSUMS = "AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION"
"""Variables that every client of Amazon's reads."""
WHEN_REQUIRED = "when_required"
_OPTIONS = {"request_checksum_calculation": REQUEST_CHECKSUMS, "response_checksum_validation": RESPONSE_CHECKSUMS}
_AMAZON = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


def own_endpoint(endpoint_url: str | None) -> bool:
    """Whether an address is that of another store than Amazon's."""
    return bool(endpoint_url) and not str(urlsplit(endpoint_url).hostname).endswith(_AMAZON)


def checksum_options(endpoint_url: str | None) -> dict[str, str]:
    """Options of a botocore ``Config`` for a store at this address; what the user chose stays out of them."""
    if not own_endpoint(endpoint_url):
        return {}
    chosen = _in_profile()
    return {
        option: WHEN_REQUIRED
        for option, variable in _OPTIONS.items()
        if not os.environ.get(variable) and option not in chosen
    }


def chosen_checksums() -> dict[str, str]:
    """The same options as the user's environment sets them; those it does not set are left out."""
    return {option: value for option, variable in _OPTIONS.items() if (value := os.environ.get(variable))}


def suit_other_clients(endpoint_url: str | None) -> None:
    """Have the clients that ZenML and MLflow make in this process leave out the same checksums.

    Args:
        endpoint_url: Of the store they will use; nothing is changed where it is Amazon's.
    """
    for option in checksum_options(endpoint_url):  # none that the user chose
        os.environ[_OPTIONS[option]] = WHEN_REQUIRED


def _in_profile() -> dict[str, str]:
    """What the profile in the user's ``~/.aws/config`` says; nothing where it cannot be read."""
    import botocore.exceptions
    import botocore.session

    try:
        return dict(botocore.session.get_session().get_scoped_config())
    except botocore.exceptions.BotoCoreError:
        return {}
