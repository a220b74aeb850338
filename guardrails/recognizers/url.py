"""Addresses that carry a credential or personal data; plain links stay."""

from guardrails.recognizers.base import Recognizer, Shape

URL = Recognizer(
    "URL",
    (
        Shape(
            r"(?i)\b[a-z][a-z0-9+.-]{1,20}://"
            r"[^\s/@:<>\"'`\[\]{}$]{0,128}:[^\s/@<>\"'`{}$]{1,256}@[^\s<>\"'`]{1,512}",
            1.0,
            hints=("://",),
        ),
        Shape(
            r"(?i)\bhttps?://[^\s<>\"'`?]{1,512}\?(?:[^\s<>\"'`]{0,512}&)?"
            r"(?:access_?token|api_?key|auth|code|e_?mail|first_?name|key|last_?name|pass(?:word)?"
            r"|phone|secret|session(?:_?id)?|sig(?:nature)?|ssn|token|user_?name|x-amz-signature)"
            r"=[^\s<>\"'`&]{4,1000}[^\s<>\"'`]{0,1000}",
            0.9,
            hints=("?",),
        ),
    ),
)
