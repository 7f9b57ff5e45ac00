"""Which resources of a message are one and the same, and what a Reference leads to: by the rules of R4's Bundle."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nociomics.fhir.listing import Listing

Resource = Mapping[str, Any]
Placed = tuple[str | None, Resource]
"""The full URL of an entry, where it has one, and its resource."""
_RESTFUL = re.compile(r"(?P<base>https?://\S+?)/(?P<name>[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})")


@dataclass(frozen=True)
class Directory:
    """Where references lead.

    Attributes
    ----------
    urls : mapping of str to dict
        Full URLs that stand for one resource.
    names : mapping of str to tuple of dict
        ``Type/id``, and every resource of that name: two servers may both have a Patient/23.
    bases : mapping of int to str
        ``id()`` of a resource and the server that it is from, where its full URL says so.
    """

    urls: Mapping[str, Resource]
    names: Mapping[str, tuple[Resource, ...]]
    bases: Mapping[int, str]

    def find(self, target: str, holder: Resource | None) -> Resource | None:
        """Return what a reference leads to, None when it leads nowhere or cannot be told.

        Parameters
        ----------
        target : str
            A full URL, or ``Type/id``: that is of the same server as its holder, where the message says which.
        holder : mapping, optional
            The resource, or a contained one's container, in which the reference stands.
        """
        plain = target.split("/_history/")[0]
        if plain in self.urls:
            return self.urls[plain]
        base = self.bases.get(id(holder))
        if base is not None and f"{base}/{plain}" in self.urls:
            return self.urls[f"{base}/{plain}"]
        # what came without a full URL is of no server that we know of, and so may be the one that is meant
        named = self.names.get(plain, ())
        fitting = named if base is None else [one for one in named if id(one) not in self.bases]
        return fitting[0] if len(fitting) == 1 else None


def take_once(placed: Sequence[Placed], listing: Listing) -> tuple[list[Resource], Directory]:
    """Keep equal copies of a resource once; of copies that differ none can be chosen, and they are listed."""
    groups: dict[str, list[Placed]] = {}
    for name, one in zip(_identities(placed), placed, strict=True):
        groups.setdefault(name, []).append(one)
    kept: dict[str, Resource] = {}
    for name, copies in groups.items():
        first = copies[0][1]
        kind = first["resourceType"]
        if any(other != first for _, other in copies[1:]):
            listing.add(kind, "several resources of one id that differ; none is taken", count=len(copies))
            continue
        if len(copies) > 1:
            listing.add(kind, "equal copies of a resource; taken once", count=len(copies) - 1)
        kept[name] = first
    return list(kept.values()), _directory(groups, kept, listing)


def _directory(groups: Mapping[str, list[Placed]], kept: Mapping[str, Resource], listing: Listing) -> Directory:
    """Lay out where references lead; a full URL of several resources, or of another than it says, leads nowhere."""
    owners: dict[str, set[str]] = {}
    bases: dict[int, str] = {}
    names: dict[str, tuple[Resource, ...]] = {}
    for name, copies in groups.items():
        for url, resource in copies:
            if url is not None and _contradicts(url, resource):
                listing.add("Bundle", "full URL and id of an entry differ; its full URL is not used", element="fullUrl")
            elif url is not None:
                owners.setdefault(url, set()).add(name)
        if name in kept:
            one = kept[name]
            base = next((found for url, each in copies if (found := _base(url, each)) is not None), None)
            bases |= {} if base is None else {id(one): base}
            own = one.get("id")
            key = f"{one['resourceType']}/{own}"
            names |= {key: (*names.get(key, ()), one)} if isinstance(own, str) else {}
    shared = [url for url, found in owners.items() if len(found) > 1]
    if shared:
        problem = "full URL of several resources; references to it are not followed"
        listing.add("Bundle", problem, element="fullUrl", count=len(shared))
    urls = {url: kept[name] for url, found in owners.items() if len(found) == 1 and (name := next(iter(found))) in kept}
    return Directory(urls, names, bases)


def _identities(placed: Sequence[Placed]) -> list[str]:
    """Name every resource: by its server, type and id; two servers may use the same id for different people."""
    names = [_name(resource) for _, resource in placed]
    bases = [_base(url, resource) for url, resource in placed]
    servers: dict[str, set[str]] = {}
    for name, base in zip(names, bases, strict=True):
        if name is not None and base is not None:
            servers.setdefault(name, set()).add(base)
    found = []
    for number, (name, base) in enumerate(zip(names, bases, strict=True)):
        known = servers.get(name or "", set())
        server = base or (next(iter(known)) if len(known) == 1 else None)
        whole = f"{server}/{name}" if server and name else name
        found.append(whole or placed[number][0] or f"#{number}")
    return found


def _name(resource: Resource) -> str | None:
    own = resource.get("id")
    return f"{resource['resourceType']}/{own}" if isinstance(own, str) else None


def _base(url: str | None, resource: Resource) -> str | None:
    """Return the server of a full URL that ends with the type and id of its resource."""
    found = _RESTFUL.fullmatch(url) if url is not None else None
    if found is None or _contradicts(found[0], resource):
        return None
    return found["base"]


def _contradicts(url: str, resource: Resource) -> bool:
    """Whether a full URL names another type or id than its resource has."""
    found, own = _RESTFUL.fullmatch(url), _name(resource)
    if found is None:
        return False
    kind = found["name"].split("/")[0]
    return found["name"] != own if own is not None else kind != resource["resourceType"]
