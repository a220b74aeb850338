"""E-mail addresses."""

from guardrails.recognizers.base import Recognizer, Shape

EMAIL = Recognizer(
    "EMAIL_ADDRESS",
    (
        Shape(
            r"[a-zA-Z0-9][a-zA-Z0-9._%+'-]{0,63}(?:@|%40)"
            r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62})\.){1,8}[a-zA-Z]{2,24}\b",
            0.98,
            hints=("@", "%40"),
        ),
        Shape(  # spelt out to get past filters
            r"(?i)\b[a-z0-9][a-z0-9._+-]{0,63} ?[\[({] ?at ?[\])}] ?"
            r"[a-z0-9-]{1,62} ?(?:\.|[\[({] ?dot ?[\])}]) ?[a-z]{2,24}\b",
            0.8,
            hints=("at)", "at]", "at }", "at )", "at ]", "at}"),
        ),
    ),
)
