"""Personal data with a fixed format: e-mail, IP, telephone, bank account, card and social security number.

Check digits are verified. Names and postal addresses have no fixed format: finding them takes a model per
language (as in Presidio), which is too slow for filtering every row on a laptop.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from staragents.base.messages import Conversation

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@((?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24})\b")
# Reserved for examples (RFC 2606) and common in textbooks.
_EXAMPLE_DOMAIN = re.compile(
    r"(?:^|\.)(?:example|test|invalid|localhost)(?:\.(?:com|net|org))?$", re.IGNORECASE
)
_PHONE = re.compile(r"(?<![\w+])\+[1-9]\d{0,2}[ ()./-]{0,3}(?:\d[ ()./-]{0,2}){6,12}\d(?!\w)")
_US_PHONE = re.compile(r"(?<![\w.-])(?:\([2-9]\d\d\) ?|[2-9]\d\d[-.])[2-9]\d\d[-.]\d{4}(?![\w-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_CARD = re.compile(r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w.-]?\d)")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])")
_IP = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\d)")
_FICTION = re.compile(r"555[-. ]?01\d\d$")
"""555-0100 to 555-0199 are reserved for fiction."""


def personal_data(messages: Conversation) -> str | None:
    """The kinds of personal data in the conversation, never the data itself."""
    kinds = dict.fromkeys(kind for turn in messages for text in turn.texts for kind in _kinds(text))
    return ", ".join(kinds) or None


def _kinds(text: str) -> Iterator[str]:
    if "@" in text and any(not _EXAMPLE_DOMAIN.search(found[1]) for found in _EMAIL.finditer(text)):
        yield "e-mail address"
    if not any(character.isdecimal() for character in text):
        return
    if any(not _FICTION.search(found[0]) for form in (_PHONE, _US_PHONE) for found in form.finditer(text)):
        yield "telephone number"
    if any(_is_iban(found[0]) for found in _IBAN.finditer(text)):
        yield "bank account"
    if any(_is_card(found[0]) for found in _CARD.finditer(text)):
        yield "card number"
    if _SSN.search(text):
        yield "social security number"
    if any(_is_public(found[0]) for found in _IP.finditer(text)):
        yield "IP address"


def _is_iban(text: str) -> bool:
    """ISO 7064 mod 97-10."""
    digits = text.replace(" ", "")
    return int("".join(str(int(character, 36)) for character in digits[4:] + digits[:4])) % 97 == 1


def _is_card(text: str) -> bool:
    """Luhn check; the first digit must be one that card networks use."""
    digits = [int(character) for character in text if character.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (
        digits[0] in (3, 4, 5, 6) and len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
    )


def _is_public(text: str) -> bool:
    try:
        return ipaddress.IPv4Address(text).is_global
    except ValueError:
        return False
