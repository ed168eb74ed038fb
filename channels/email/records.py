"""What the sending domain's DNS lacks for our mail to be believed: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489).

For the admin, as sentences that hold the record to create. A question without an answer in time says nothing.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import re
from collections.abc import Iterator

import dns.resolver
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from channels.email.authenticity import THREADS, Dns, DnsFailed, dmarc_policy, system_resolver
from channels.email.providers import PRESETS
from channels.email.settings import EmailSettings

_SECONDS = 5.0
_SPF_LOOKUPS_MAX = 10
_NOWHERE = ("test", "example", "invalid", "localhost", "local", "internal", "onion", "lan", "arpa")
"""Names that stand in no public DNS (RFC 6761, RFC 6762, RFC 8375)."""


async def advice(settings: EmailSettings, resolver: dns.resolver.Resolver | None) -> list[str]:
    """Instructions, the weightiest first. Never raises, never takes much longer than five seconds."""
    if resolver is None and settings.domain.rpartition(".")[2] in _NOWHERE:
        return []
    resolver = resolver or system_resolver()
    if resolver is None:
        return []
    asking = asyncio.get_running_loop().run_in_executor(THREADS, _advice, settings, Dns(resolver, _SECONDS))
    try:
        return await asyncio.wait_for(asking, _SECONDS + 2)
    except TimeoutError:
        return []


def _advice(settings: EmailSettings, lookup: Dns) -> list[str]:
    found: list[str] = []
    for part in (_spf, _dkim, _dmarc):
        try:
            found += part(settings, lookup)
        except DnsFailed:
            continue
    return found


# -------------------------------------------------------------------------------------------------------- SPF


def _spf(settings: EmailSettings, lookup: Dns) -> Iterator[str]:
    domain, own = settings.domain, _own_mechanism(settings)
    records = [one for one in lookup.text(domain) if re.match(r"v=spf1(?: |\Z)", one, re.IGNORECASE)]
    if not records:
        yield f"{domain} has no SPF record, so that receivers doubt our mail. Create a TXT record at {domain}: v=spf1 {own} ~all"
        return
    if len(records) > 1:
        yield f"{domain} has {len(records)} SPF records, so that none of them counts. Join them into one TXT record."
        return
    terms = records[0].lower().split()[1:]
    if terms and terms[-1] in {"all", "+all"}:
        yield f"The SPF record of {domain} lets everybody send. End it in ~all instead of {terms[-1]}."
    preset = PRESETS.get(settings.provider)
    if preset is not None and not _includes(records[0], preset.spf, lookup):
        yield f"The SPF record of {domain} does not allow your provider to send. Add include:{preset.spf} before its last word."


def _own_mechanism(settings: EmailSettings) -> str:
    """What names the server that our mail goes out by."""
    preset = PRESETS.get(settings.provider)
    if preset is not None:
        return f"include:{preset.spf}"
    host = settings.smtp_host.lower().rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"a:{host}" if "." in host else "mx"
    return f"ip{address.version}:{address}" if address.is_global else "mx"


def _includes(record: str, wanted: str, lookup: Dns) -> bool:
    """Whether the record names `wanted`, itself or by what it includes."""
    waiting, seen = [record], 0
    while waiting and seen < _SPF_LOOKUPS_MAX:
        seen += 1
        text = waiting.pop(0)
        named = [
            found[1].rstrip(".") for found in re.finditer(r"\b(?:include:|redirect=)([\w.-]{1,253})", text.lower())
        ]
        if wanted in named:
            return True
        for name in named[:_SPF_LOOKUPS_MAX]:
            waiting += [one for one in lookup.text(name) if one.lower().startswith("v=spf1")]
    return False


# ------------------------------------------------------------------------------------------------- DKIM, DMARC


def _dkim(settings: EmailSettings, lookup: Dns) -> Iterator[str]:
    if not settings.dkim_selector:
        return
    name = f"{settings.dkim_selector}._domainkey.{settings.dkim_domain or settings.domain}"
    public = _public_key(settings)
    if settings.dkim_private_key is not None and public is None:
        yield "The DKIM key cannot be read, so that no answer can be signed. Paste an RSA private key in PEM form."
        return
    records = lookup.text(name)
    value = f": v=DKIM1; k=rsa; p={public}" if public else "."
    if not records:
        yield f"The DKIM key is not in DNS, so that our signature does not hold. Create a TXT record at {name}{value}"
    elif public is not None and not any(_same_key(record, public) for record in records):
        yield f"The DKIM record belongs to another key, so that our signature does not hold. Change the TXT record at {name}{value}"


def _public_key(settings: EmailSettings) -> str | None:
    if settings.dkim_private_key is None:
        return None
    try:
        key = serialization.load_pem_private_key(settings.dkim_private_key.get_secret_value().strip().encode(), None)
    except (ValueError, TypeError):
        return None
    if not isinstance(key, rsa.RSAPrivateKey):
        return None
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_key().public_bytes(serialization.Encoding.DER, form)).decode("ascii")


def _same_key(record: str, public: str) -> bool:
    """RFC 6376 §3.6.1 asks for the key with its algorithm; some publish the bare RSA key, and receivers take it."""
    found = re.search(r"(?:\A|;)\s*p\s*=([^;]*)", record)
    given = re.sub(r"\s", "", found[1]) if found else ""
    return bool(given) and (given == public or _numbers(given) == _numbers(public))


def _numbers(text: str) -> object:
    try:
        key = serialization.load_der_public_key(base64.b64decode(text))
    except (ValueError, TypeError):
        return text
    return key.public_numbers() if isinstance(key, rsa.RSAPublicKey) else text


def _dmarc(settings: EmailSettings, lookup: Dns) -> Iterator[str]:
    domain = settings.domain
    _organisation, policy = dmarc_policy(domain, lookup)
    if policy:
        return
    record = f"v=DMARC1; p=none; rua=mailto:{settings.address}"
    yield f"{domain} has no DMARC record, which large providers ask for. Create a TXT record at _dmarc.{domain}: {record}"
