"""Whether a mail comes from where it says: SPF (RFC 7208), DKIM (RFC 6376) and their alignment with From (DMARC).

Needs DNS, so it runs after parsing, in a thread, with one deadline over all questions. Whatever fails leaves
the sender unverified; it never costs the mail. For fetched mail the results of the mailbox's own receiver count
(RFC 8601), and of no other.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.message import Message
from enum import StrEnum
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import dkim
import dns.exception
import dns.name
import dns.resolver
import spf
from pydantic import JsonValue

from channels.contract import Authenticity, ChannelError, Inbound, MessageReceived, RawInbound
from channels.email import headers, mime
from channels.email.addresses import normalise_address
from channels.email.settings import EmailSettings

log = logging.getLogger(__name__)

_TOTAL_SECONDS = 6.0
_ONE_QUESTION_SECONDS = 3.0
_COOL_DOWN_SECONDS = 30.0
_SIGNATURES_MAX = 5
_WALK_LABELS = 8
_VOID_MAX = 2


class Result(StrEnum):
    """What one method says (RFC 8601 §2.7)."""

    PASS = "pass"  # noqa: S105, a word, not a password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    NEUTRAL = "neutral"
    NONE = "none"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class DnsFailed(Exception):
    """A question had no answer in time; nothing follows from it."""


class Dns:
    """Blocking look-ups that share one deadline. After a silence nobody is asked for a while."""

    _silent_until: ClassVar[WeakKeyDictionary[dns.resolver.Resolver, float]] = WeakKeyDictionary()
    """Shared on purpose: every mail of the process learns of a silence."""

    def __init__(self, resolver: dns.resolver.Resolver, seconds: float = _TOTAL_SECONDS) -> None:
        self._resolver = resolver
        self._deadline = time.monotonic() + seconds

    def ask(self, name: str, kind: str) -> list[Any]:
        """The records, or none where there are none. Raises DnsFailed."""
        now = time.monotonic()
        if now >= self._deadline or now < self._silent_until.get(self._resolver, 0.0):
            raise DnsFailed
        try:
            wait = min(_ONE_QUESTION_SECONDS, self._deadline - now)
            return list(self._resolver.resolve(name, kind, lifetime=wait, search=False))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.Timeout:
            self._silent_until[self._resolver] = time.monotonic() + _COOL_DOWN_SECONDS
            raise DnsFailed from None
        except (dns.exception.DNSException, OSError, ValueError):
            raise DnsFailed from None

    def text(self, name: str) -> list[str]:
        """TXT records, each joined to one string."""
        return [b"".join(one.strings).decode("utf-8", "replace") for one in self.ask(name, "TXT")]


class _SpfQuery(spf.query):  # type: ignore[misc]
    """pyspf, asking our resolver."""

    def __init__(self, lookup: Dns, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._lookup = lookup

    def dns(self, name: Any, qtype: str, cnames: Any = None, ignore_void: bool = False) -> list[Any]:
        name = str(name).rstrip(".").lower()
        if not all(0 < len(label) < 64 for label in name.split(".")):
            return []
        try:
            answers = self._lookup.ask(name, qtype)
        except DnsFailed:
            raise spf.TempError("DNS") from None
        if not answers and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > _VOID_MAX:
                raise spf.PermError("too many empty look-ups")
        if qtype == "MX":
            return [(one.preference, one.exchange.to_text(omit_final_dot=True)) for one in answers]
        if qtype == "PTR":
            return [one.target.to_text(omit_final_dot=True) for one in answers]
        if qtype in {"TXT", "SPF"}:
            return [one.strings for one in answers]
        return [one.address for one in answers]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the methods say together."""

    authenticity: Authenticity
    facts: dict[str, JsonValue] = field(default_factory=dict)


THREADS = ThreadPoolExecutor(16, thread_name_prefix="mail-dns")
"""Apart from the event loop's few shared threads, which slow nameservers must not take."""
_UNKNOWN = Verdict(Authenticity.UNKNOWN)
_resolvers: dict[str, dns.resolver.Resolver] = {}


def system_resolver() -> dns.resolver.Resolver | None:
    """The resolver of this machine, with a cache; None where it has none."""
    if "system" not in _resolvers:
        try:
            resolver = dns.resolver.Resolver()
        except dns.exception.DNSException:
            return None
        resolver.cache = dns.resolver.LRUCache(4096)
        _resolvers["system"] = resolver
    return _resolvers["system"]


async def enrich(
    events: Sequence[Inbound], raw: RawInbound, settings: EmailSettings, resolver: dns.resolver.Resolver | None
) -> Sequence[Inbound]:
    """The events, messages among them with their authenticity."""
    if not any(isinstance(event, MessageReceived) for event in events):
        return events
    try:
        judging = asyncio.get_running_loop().run_in_executor(THREADS, judge, raw, settings, resolver)
        verdict = await asyncio.wait_for(judging, _TOTAL_SECONDS + 2)
    except TimeoutError:
        verdict = _UNKNOWN
    return [_judged(event, verdict) if isinstance(event, MessageReceived) else event for event in events]


def _judged(event: MessageReceived, verdict: Verdict) -> MessageReceived:
    return event.model_copy(update={"authenticity": verdict.authenticity, "facts": {**event.facts, **verdict.facts}})


def judge(raw: RawInbound, settings: EmailSettings, resolver: dns.resolver.Resolver | None) -> Verdict:
    """Blocking. Never raises: hostile fields meet three libraries here, and none may cost the mail."""
    try:
        message = mime.read_structure(raw.body)
        domain = _from_domain(message)
        if domain is None:
            return Verdict(Authenticity.FAIL, {"from": "ambiguous"})
        if raw.transport.get("protocol") in ("imap", "lmtp") and settings.authserv_id:
            return _reported(message, domain, settings.authserv_id)
        resolver = resolver or system_resolver()
        return _checked(message, raw, domain, Dns(resolver)) if resolver is not None else _UNKNOWN
    except (ChannelError, DnsFailed):
        return _UNKNOWN
    except Exception as error:
        log.warning("the sender could not be verified: %s", type(error).__name__)
        return _UNKNOWN


def _from_domain(message: Message) -> str | None:
    """The one domain in the one From; several are a trick (RFC 7489 §6.6.1)."""
    fields = headers.raw_values(message, "from")
    found = {one.value.rpartition("@")[2] for one in headers.addresses(message, "from")}
    return found.pop() if len(fields) == 1 and len(found) == 1 else None


def _checked(message: Message, raw: RawInbound, domain: str, lookup: Dns) -> Verdict:
    spf_result, spf_domain = _spf(raw, lookup)
    signatures = _dkim(raw.body, message, lookup)
    if spf_result is Result.NONE and not signatures:
        return Verdict(Authenticity.UNKNOWN, {"spf": spf_result, "dkim": Result.NONE})
    by_dkim = {d for d, result in signatures if result is Result.PASS}
    by_spf = {spf_domain} if spf_result is Result.PASS and spf_domain else set()
    results = [result for _d, result in signatures] or [Result.NONE]
    facts: dict[str, JsonValue] = {"spf": spf_result, "dkim": Result.PASS if by_dkim else results[0]}
    if domain in by_dkim | by_spf:
        return Verdict(Authenticity.PASS, {**facts, "dmarc": Result.PASS})
    organisation, policy = dmarc_policy(domain, lookup)
    relaxed = {d for tag, found in (("adkim", by_dkim), ("aspf", by_spf)) if policy.get(tag) != "s" for d in found}
    if any(dmarc_policy(one, lookup)[0] == organisation for one in relaxed if _related(one, domain)):
        return Verdict(Authenticity.PASS, {**facts, "dmarc": Result.PASS})
    if Result.TEMPERROR in {spf_result, *results}:
        return Verdict(Authenticity.UNKNOWN, {**facts, "dmarc": Result.TEMPERROR})
    forbidden = policy.get("p", "none").lower() in {"quarantine", "reject"}
    forged = forbidden or (spf_result is Result.FAIL and spf_domain == domain)
    facts["dmarc"] = Result.FAIL if policy else Result.NONE
    return Verdict(Authenticity.FAIL if forged else Authenticity.UNKNOWN, facts)


def _related(one: str, other: str) -> bool:
    """Whether two names can belong to one organisation at all: they share more than the last label."""
    return one.split(".")[-2:] == other.split(".")[-2:]


def _spf(raw: RawInbound, lookup: Dns) -> tuple[Result, str | None]:
    """The result for the peer and the domain it is for. A peer on our own network is a relay of ours: it proves nothing."""
    peer, helo = raw.transport.get("peer_ip"), raw.transport.get("helo")
    try:
        address = ipaddress.ip_address(str(peer))
    except ValueError:
        return Result.NONE, None
    if address.is_loopback or address.is_private or address.is_link_local:
        return Result.NONE, None
    try:
        sender = normalise_address(str(raw.transport.get("mail_from") or ""))
    except ValueError:
        sender = ""
    query = _SpfQuery(
        lookup, i=str(address), s=sender, h=str(helo or ""), timeout=_ONE_QUESTION_SECONDS, querytime=_TOTAL_SECONDS
    )
    found = str(query.check()[0])
    result = Result(found) if found in set(Result) else Result.PERMERROR
    return result, (sender.rpartition("@")[2] or str(helo or "").lower().rstrip(".") or None)


def _dkim(body: bytes, message: Message, lookup: Dns) -> list[tuple[str, Result]]:
    """Every signature's domain and result."""
    count = len(headers.raw_values(message, "dkim-signature"))
    if not count:
        return []

    def record(name: bytes, timeout: float = 5) -> bytes | None:
        found = lookup.text(name.decode("ascii", "replace").rstrip("."))
        return found[0].encode("utf-8", "replace") if found else None

    results: list[tuple[str, Result]] = []
    for index in range(min(count, _SIGNATURES_MAX)):
        verifier = dkim.DKIM(body, minkey=1024, timeout=_ONE_QUESTION_SECONDS)
        try:
            valid = verifier.verify(idx=index, dnsfunc=record)
            # A signature over part of the body (l=) vouches for nothing that was added below.
            whole = b"l" not in verifier.signature_fields
            result = Result.PASS if valid and whole else Result.FAIL
        except DnsFailed:
            result = Result.TEMPERROR
        except dkim.DKIMException:
            result = Result.PERMERROR
        domain = getattr(verifier, "domain", None)
        results.append((domain.decode("ascii", "replace").lower() if isinstance(domain, bytes) else "", result))
    return results


def dmarc_policy(domain: str, lookup: Dns) -> tuple[str, dict[str, str]]:
    """The organisation that a domain belongs to, and the policy for it, by walking up the names as DMARCbis does."""
    labels = domain.split(".")
    names = [domain, *(".".join(labels[-n:]) for n in range(min(len(labels) - 1, _WALK_LABELS - 1), 1, -1))]
    organisation = domain
    policy: dict[str, str] = {}
    for name in names:
        records = [tags for text in lookup.text(f"_dmarc.{name}") if (tags := _dmarc_tags(text))]
        if len(records) != 1:
            continue
        (tags,) = records
        if tags.get("psd") == "y":
            break
        if not policy:
            policy = tags if name == domain else {**tags, "p": tags.get("sp", tags.get("p", "none"))}
        organisation = name
        if tags.get("psd") == "n":
            break
    return organisation, policy


def _dmarc_tags(record: str) -> dict[str, str]:
    pairs = [one.partition("=") for one in record.split(";")]
    tags = {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}
    return tags if re.match(r"\s*v\s*=\s*DMARC1\s*(?:;|\Z)", record) else {}


_METHOD = re.compile(r"\b(spf|dkim|dmarc)\s*=\s*([a-z]+)", re.IGNORECASE)
_HEADER_FROM = re.compile(r"\bheader\.from\s*=\s*\"?@?([\w.-]+)", re.IGNORECASE)


def _reported(message: Message, domain: str, authserv_id: str) -> Verdict:
    """What the mailbox's own receiver found: the topmost field that bears its name, for that one it has put there itself."""
    for value in headers.raw_values(message, "authentication-results"):
        text = re.sub(r"\([^()]*\)", " ", value)
        name, _, results = text.partition(";")
        if name.split()[:1] != [authserv_id] and name.strip().split(" ")[0].lower() != authserv_id.lower():
            continue
        facts: dict[str, JsonValue] = {}
        for method, result in _METHOD.findall(results):
            facts.setdefault(method.lower(), result.lower())
        about = _HEADER_FROM.search(results)
        if about and about[1].lower() != domain:
            return Verdict(Authenticity.UNKNOWN, facts)
        match facts.get("dmarc"):
            case "pass":
                return Verdict(Authenticity.PASS, facts)
            case "fail":
                return Verdict(Authenticity.FAIL, facts)
            case _:
                return Verdict(Authenticity.UNKNOWN, facts)
    return _UNKNOWN
