"""Brings ZenML's stacks, components and secrets in line with the files stacks/*.yaml, as often as one likes."""

from __future__ import annotations

from typing import Any

from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.models import ComponentResponse, StackResponse

from retrieval.errors import ConfigError
from retrieval.s3.checksums import checksum_options, chosen_checksums
from stacks.connection import S3_FLAVOR
from stacks.declarations import ComponentDeclaration, SecretDeclaration, StackDeclaration, filled_in


def register_stack(declaration: StackDeclaration) -> StackResponse:
    """Register a stack with its components and secrets, or update what differs.

    Raises:
        ConfigError: If this machine lacks something; nothing is registered then.
    """
    lacking = declaration.missing()
    if lacking:
        raise ConfigError(
            "\n  - ".join([f"stack {declaration.name} needs more before it can be registered:", *lacking])
        )
    components = {kind: _component(kind, one).id for kind, one in declaration.components.items()}
    client = Client()
    found = client.list_stacks(name=declaration.name).items
    if not found:
        return client.create_stack(declaration.name, components)
    held = {kind: [one.id for one in ones] for kind, ones in found[0].components.items()}
    if held == {kind: [one] for kind, one in components.items()}:
        return found[0]
    return client.update_stack(declaration.name, component_updates={kind: [one] for kind, one in components.items()})


def _component(kind: StackComponentType, declaration: ComponentDeclaration) -> ComponentResponse:
    client = Client()
    if declaration.use:
        return client.get_stack_component(kind, declaration.use, allow_name_prefix_match=False)
    if declaration.secret is not None:
        _secret(declaration.secret)
    wanted = _suited(declaration.flavor, filled_in(declaration.configuration))
    found = client.list_stack_components(name=declaration.name, type=kind).items
    if not found:
        return client.create_stack_component(declaration.name, declaration.flavor, kind, wanted)
    component = found[0]
    if component.flavor_name != declaration.flavor:
        raise ConfigError(
            f"{kind.value} {declaration.name}: is a {component.flavor_name}, not a {declaration.flavor};"
            f" rename yours with `zenml {kind.value.replace('_', '-')} rename {declaration.name} NEW_NAME`"
        )
    held = {key: value for key, value in component.configuration.items() if value is not None}
    if all(held.get(key) == value for key, value in wanted.items()):
        return component
    return client.update_stack_component(component.id, kind, configuration=wanted)


def _suited(flavor: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """The configuration with the checksums an S3 store at this address takes, for pods without this environment."""
    if flavor != S3_FLAVOR:
        return wanted
    endpoint = wanted.get("client_kwargs", {}).get("endpoint_url")
    options = {**checksum_options(endpoint), **chosen_checksums()}
    return {**wanted, "config_kwargs": {**wanted.get("config_kwargs", {}), **options}} if options else wanted


def _secret(declaration: SecretDeclaration) -> None:
    client, wanted = Client(), filled_in(declaration.values)
    if not client.list_secrets(name=declaration.name).items:
        client.create_secret(declaration.name, wanted)
        return
    held = client.get_secret(declaration.name, allow_partial_name_match=False).secret_values
    if held != wanted:
        gone = sorted(set(held) - set(wanted))
        client.update_secret(declaration.name, add_or_update_values=wanted, remove_values=gone or None)
