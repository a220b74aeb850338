"""text -> view -> recognisers -> spans. One entity a file; data and checksums, linear time."""

from guardrails.recognizers.api_key import API_KEY
from guardrails.recognizers.base import Recognizer
from guardrails.recognizers.credit_card import CREDIT_CARD
from guardrails.recognizers.crypto_wallet import CRYPTO
from guardrails.recognizers.email import EMAIL
from guardrails.recognizers.iban import IBAN
from guardrails.recognizers.ip_address import IP_ADDRESS
from guardrails.recognizers.national_id import NATIONAL_ID
from guardrails.recognizers.password import PASSWORD
from guardrails.recognizers.phone import PHONE
from guardrails.recognizers.private_key import PRIVATE_KEY
from guardrails.recognizers.secret import SECRET
from guardrails.recognizers.url import URL
from guardrails.recognizers.us_ssn import US_SSN
from guardrails.recognizers.view import View, view

RECOGNIZERS: tuple[Recognizer, ...] = (
    EMAIL, URL, PHONE, IBAN, CREDIT_CARD, IP_ADDRESS, US_SSN, NATIONAL_ID, CRYPTO,
    PRIVATE_KEY, API_KEY, PASSWORD, SECRET,
)  # fmt: skip

__all__ = ["RECOGNIZERS", "Recognizer", "View", "view"]
