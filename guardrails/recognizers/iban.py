"""International bank account numbers (ISO 13616): length by country, checksum mod 97."""

from guardrails.recognizers.base import Candidate, Recognizer, Shape

# ISO 13616 registry: total length by country.
_REGISTRY = (
    "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 "
    "CY:28 CZ:24 DE:22 DJ:27 DK:18 DO:28 EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 "
    "GE:22 GI:23 GL:18 GR:27 GT:28 HN:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 IT:27 JO:30 "
    "KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MN:20 "
    "MR:27 MT:31 MU:30 NI:28 NL:18 NO:15 OM:23 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 "
    "RU:33 SA:24 SC:31 SD:18 SE:24 SI:19 SK:24 SM:27 SO:23 ST:25 SV:28 TL:23 TN:24 TR:26 "
    "UA:29 VA:22 VG:24 XK:20 YE:30 "
)
_LENGTHS = {entry[:2]: int(entry[3:]) for entry in _REGISTRY.split()}


def _valid(candidate: Candidate) -> bool:
    compact = candidate.value.replace(" ", "").replace("-", "").upper()
    if _LENGTHS.get(compact[:2]) != len(compact):
        return False
    rearranged = compact[4:] + compact[:4]
    return int("".join(str(int(char, 36)) for char in rearranged)) % 97 == 1


IBAN = Recognizer(
    "IBAN_CODE",
    (
        Shape(r"(?i)\b([a-z]{2}\d{2}[a-z0-9]{11,29})\b", 1.0, check=_valid),
        Shape(
            r"(?i)\b([a-z]{2}\d{2}[ -](?:[a-z0-9]{4}[ -]){2,7}[a-z0-9]{1,4})\b", 1.0, check=_valid
        ),
    ),
)
