"""Policies are looked at before anything is created.

    with review.before_anything_is_created():
        ...  # declares the stack

Registrations of resources begin when the program has declared all it has. Until its policies are found good,
every resource without a parent waits, and so do the others, which wait for their parents. When something is
wrong, the program ends with all findings together and nothing was sent.
"""

import asyncio
import itertools
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.runtime import register_stack_transformation

from gateway import policy

if TYPE_CHECKING:
    from apim.findings import Finding
    from apim.lint.streaming import Diagnostic
    from apim.service import Api, NamedValue, Operation, PolicyDocument, PolicyFragment, Service

_KINDS = "azure-native:apimanagement:"
_Resources = list[pulumi.ResourceTransformationArgs]
# Stands in for what Azure decides: a number and a text.
_UNKNOWN = "1"
# Likewise for secrets: as long as the keys are.
_UNKNOWN_KEY = f"{'A' * 86}=="


@contextmanager
def before_anything_is_created() -> Generator[None]:
    """Lets what the block declares be created if its policies are good.

    Raises:
        PoliciesError: they are not.
    """
    good: asyncio.Future[list[pulumi.Resource]] = asyncio.get_running_loop().create_future()
    declared: _Resources = []

    def note(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if args.type_.startswith(_KINDS):
            declared.append(args)
        if args.opts.parent is not None:
            return None
        waiting = pulumi.ResourceOptions(depends_on=pulumi.Output.from_input(good))
        return pulumi.ResourceTransformationResult(
            args.props, pulumi.ResourceOptions.merge(args.opts, waiting)
        )

    register_stack_transformation(note)
    try:
        yield
        _refuse(Declared(declared))
    except BaseException as error:
        good.set_exception(error if isinstance(error, Exception) else pulumi.RunError("interrupted"))
        good.exception()
        raise
    good.set_result([])


def _refuse(declared: "Declared") -> None:
    # Only here, so that nobody else in the program can come to depend on the twin.
    from apim.lint import Surroundings, check, is_warning  # noqa: PLC0415 -- see above
    from apim.origins import tell  # noqa: PLC0415 -- see above

    tell(_ORIGINS)

    service = declared.service()
    if service is None:
        return
    about = Surroundings(unknown=declared.unknown(), diagnostics=declared.diagnostics())
    findings = check(service, about)
    for finding in findings:
        if is_warning(finding):
            pulumi.log.warn(_line(finding))
    if not all(map(is_warning, findings)):
        raise PoliciesError(findings)


def _line(finding: "Finding") -> str:
    place = f"{finding.document}:{finding.line}:{finding.column}"
    return f"{place}: {finding.code}: {finding.message}"


class PoliciesError(pulumi.RunError):
    """Policies that cannot be deployed; the message has a line for each reason.

    Attributes:
        findings: all, those that are warnings included.
    """

    def __init__(self, findings: "list[Finding]") -> None:
        from apim.lint import is_warning  # noqa: PLC0415 -- as in _refuse

        self.findings = tuple(findings)
        lines = "\n".join(f"  {_line(finding)}" for finding in findings if not is_warning(finding))
        super().__init__(f"Policies that cannot be deployed; nothing was created:\n{lines}")


class Declared:
    """The resources of API Management that a program declared, as far as they are known before deployment."""

    def __init__(self, resources: _Resources) -> None:
        self._kinds: dict[str, _Resources] = {}
        self._owned: dict[tuple[str, ...], dict[tuple[str | int, ...], _Resources]] = {}
        for resource in resources:
            self._kinds.setdefault(resource.type_.removeprefix(_KINDS), []).append(resource)

    def service(self) -> "Service | None":
        """The service with its policies; None when none is declared."""
        from apim.service import ManagedIdentity, Service  # noqa: PLC0415 -- as in _refuse

        for one in self._of("ApiManagementService"):
            sku = _props(one).get("sku")
            name = sku.get("name") if isinstance(sku, Mapping) else getattr(sku, "name", None)
            return Service(
                name=one.name,
                gateway_url="https://gateway",
                sku=_text(name) or "BasicV2",
                apis=tuple(self._api(api) for api in self._of("Api")),
                policy=self._policy("Policy", {}, "all APIs"),
                named_values=tuple(self._named_value(value) for value in self._of("NamedValue")),
                fragments=tuple(self._fragment(fragment) for fragment in self._of("PolicyFragment")),
                identities=(
                    ManagedIdentity(client_id=None, principal_id=_UNKNOWN),
                    ManagedIdentity(client_id=_UNKNOWN, principal_id=_UNKNOWN),
                ),
            )
        return None

    def unknown(self) -> frozenset[str]:
        """The names of the named values whose content is known only after deployment."""
        return frozenset(
            _text(_props(value).get("display_name")) or value.name for value in self._of("NamedValue")
        )

    def diagnostics(self) -> "tuple[Diagnostic, ...]":
        """What is logged of messages."""
        from apim.lint.streaming import Diagnostic  # noqa: PLC0415 -- as in _refuse

        return tuple(
            Diagnostic(name=one.name, body_bytes=_logged(_props(one)))
            for kind in ("Diagnostic", "ApiDiagnostic")
            for one in self._of(kind)
        )

    def _of(self, kind: str) -> _Resources:
        return self._kinds.get(kind, [])

    def _of_owners(
        self, kind: str, owners: Mapping[str, "_Owner"]
    ) -> Iterator[pulumi.ResourceTransformationArgs]:
        """Those that name their owners in inputs, by the inputs' names."""
        place = kind, *owners
        if place not in self._owned:
            self._owned[place] = {}
            for one in self._of(kind):
                named = tuple(_key(_props(one).get(name)) for name in owners)
                self._owned[place].setdefault(named, []).append(one)
        for named in itertools.product(*(owner.keys for owner in owners.values())):
            yield from self._owned[place].get(named, ())

    def _api(self, api: pulumi.ResourceTransformationArgs) -> "Api":
        from apim.service import Api  # noqa: PLC0415 -- as in _refuse

        props = _props(api)
        api_id = _text(props.get("api_id")) or api.name
        owner = _Owner(api, api_id)
        return Api(
            id=api_id,
            name=api_id,
            path=_text(props.get("path")) or "",
            service_url="https://backend" if props.get("service_url") is not None else None,
            operations=tuple(
                self._operation(operation, owner)
                for operation in self._of_owners("ApiOperation", {"api_id": owner})
            ),
            policy=self._policy("ApiPolicy", {"api_id": owner}, f"API {api_id}"),
        )

    def _operation(self, operation: pulumi.ResourceTransformationArgs, api: "_Owner") -> "Operation":
        from apim.service import Operation  # noqa: PLC0415 -- as in _refuse

        props = _props(operation)
        operation_id = _text(props.get("operation_id")) or operation.name
        return Operation(
            id=operation_id,
            name=operation_id,
            method=_text(props.get("method")) or "GET",
            url_template=_text(props.get("url_template")) or "/",
            policy=self._policy(
                "ApiOperationPolicy",
                {"api_id": api, "operation_id": _Owner(operation, operation_id)},
                f"API {api.name}, operation {operation_id}",
            ),
        )

    def _policy(self, kind: str, owners: Mapping[str, "_Owner"], name: str) -> "PolicyDocument | None":
        from apim.service import PolicyDocument  # noqa: PLC0415 -- as in _refuse

        for declared in self._of_owners(kind, owners):
            text = _text(_props(declared).get("value"))
            if text is not None:
                return PolicyDocument(xml=text, name=name)
        return None

    def _named_value(self, value: pulumi.ResourceTransformationArgs) -> "NamedValue":
        from apim.service import NamedValue  # noqa: PLC0415 -- as in _refuse

        props = _props(value)
        name = _text(props.get("display_name")) or value.name
        secret = props.get("secret") is True
        return NamedValue(name=name, value=_UNKNOWN_KEY if secret else _UNKNOWN, secret=secret)

    def _fragment(self, fragment: pulumi.ResourceTransformationArgs) -> "PolicyFragment":
        from apim.service import PolicyDocument, PolicyFragment  # noqa: PLC0415 -- as in _refuse

        props = _props(fragment)
        name = _text(props.get("id")) or fragment.name
        document = PolicyDocument(xml=_text(props.get("value")) or "<fragment />", name=f"fragment {name}")
        return PolicyFragment(id=name, document=document)


class _Origins:
    """Where the program's own policies were written."""

    def find(self, text: str, line: int, column: int) -> tuple[str, int, int] | None:
        origin = policy.origin(text, line, column)
        return None if origin is None else (f"policies/{origin.template}", origin.line, origin.column or 1)

    def lines(self, text: str) -> frozenset[tuple[str, int]]:
        return frozenset((f"policies/{template}", line) for template, line in policy.lines(text))


_ORIGINS = _Origins()


def _props(one: pulumi.ResourceTransformationArgs) -> Mapping[str, Any]:
    return one.props if isinstance(one.props, Mapping) else vars(one.props)


def _text(value: object) -> str | None:
    """A value that the program knows; None for what only Azure knows."""
    return str(getattr(value, "value", value)) if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class _Owner:
    """A resource that others belong to, and its name in Azure."""

    resource: pulumi.ResourceTransformationArgs
    name: str

    @property
    def keys(self) -> tuple[str | int, ...]:
        """As what its name may stand in an input: written out, or taken from the resource."""
        return self.name, _key(getattr(self.resource.resource, "name", None))


def _key(value: object) -> str | int:
    return value if isinstance(value, str) else id(value)


def _logged(part: object) -> int:
    """The largest number of bytes that a diagnostic logs of a body."""
    props = part if isinstance(part, Mapping) else vars(part)
    most = 0
    for path in itertools.product(("frontend", "backend"), ("request", "response"), ("body",), ("bytes",)):
        value: Any = props
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else getattr(value, step, None)
        most = max(most, value if isinstance(value, int) else 0)
    return most
