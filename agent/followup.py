"""A question that leans on the conversation -> the question as it stands alone, by rules.

The last question supplies what the new one leaves out: a replaced value ("and for Okta?"), the
thing that a pronoun stands for ("how long does it take?"), or the whole topic ("why?"). A question
that stands on its own is never touched: a wrong rewrite costs more than a missed one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.language import FollowUpWords
from guardrails import Redacted, stored

LONGEST_FOLLOW_UP = 14
"""Words beyond which a question is taken to stand alone."""
LONGEST_SLOT = 6
"""Words of a replacement: "and for the business plan in Europe"."""
_WORD = re.compile(r"<[A-Z_0-9]+>|`[^`]+`|[^\W_][\w./'&+#@-]*", re.UNICODE)
_END = " \t\n?.!,;:"


def stand_alone(text: Redacted, earlier: Sequence[Redacted], words: FollowUpWords) -> Redacted:
    """The newest text, completed from the user's earlier questions (oldest first).

    Earlier questions are completed by each other first, so that a chain of follow-ups keeps its
    topic. Returns the text unchanged when it stands alone or nothing was asked before.
    """
    question = ""
    for utterance in (*earlier, text):
        question = _complete(_tidy(utterance), question, words) if question else _tidy(utterance)
    return text if question == _tidy(text) else stored(question)


def _tidy(text: str) -> str:
    return " ".join(text.replace("\u2019", "'").split())


def _complete(text: str, last: str, words: FollowUpWords) -> str:
    if len(_WORD.findall(text)) > LONGEST_FOLLOW_UP:
        return text
    topic = _topic(last, words)
    for rewrite in (_bare, _slot, _pronoun, _pointer, _dependent):
        found = rewrite(text, topic, words)
        if found is not None:
            return found
    return text


# --- the topic of the last question ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Topic:
    """The last question, what it asks about, and whether that is a deed ("rotate a key")."""

    question: str  # without its closing mark
    subject: str
    deed: bool
    noun: bool = False  # the subject can stand where a pronoun stood


def _topic(last: str, words: FollowUpWords) -> _Topic:
    question = last.strip(_END)
    lead = words.lead.match(question + " ")
    if lead is None or lead.end() >= len(question):
        return _Topic(question, question, deed=False)
    deed = words.verb_lead.search(lead.group()) is not None
    subject = question[lead.end() :].strip(_END).split()
    whole = len(subject)
    while len(subject) > 1 and subject[-1].lower() in words.tails:
        subject.pop()
    noun = not deed and (len(subject) < whole or words.noun_lead.search(lead.group()) is not None)
    return _Topic(question, " ".join(subject), deed, noun and len(subject) <= LONGEST_SLOT)


def _about(question: str, topic: _Topic) -> str:
    """The question with the topic named behind it."""
    return f"{question.strip(_END)} ({topic.subject})?"


# --- "why?", "how exactly?" --------------------------------------------------------------------


def _bare(text: str, topic: _Topic, words: FollowUpWords) -> str | None:
    match = words.bare.match(text.strip(_END))
    if match is None:
        return None
    asked = match.group(1)
    if asked.lower() == "how" and topic.deed:
        return f"How do I {topic.subject}?"
    if asked.lower() == "where" and topic.deed:
        return f"Where can I {topic.subject}?"
    return f"{asked[0].upper()}{asked[1:]}: {topic.question}?"


# --- "and for Okta?" ---------------------------------------------------------------------------


def _slot(text: str, topic: _Topic, words: FollowUpWords) -> str | None:
    """A value without a verb of its own takes the place of the last question's."""
    plain = text.strip(_END)
    opening = words.slot.match(plain + " ")
    value = plain[opening.end() :].strip(_END) if opening else plain
    tokens = value.split()
    preposition = tokens[0].lower() if tokens and tokens[0].lower() in words.prepositions else None
    if not tokens or (opening is None and preposition is None):
        return None
    if len(tokens) > LONGEST_SLOT or _asks(value, words):
        return None
    phrase = " ".join(tokens[1:]) if preposition else value
    if not phrase or phrase.lower() in words.pronouns:
        return None
    return _replaced(topic, preposition, phrase, words)


def _asks(value: str, words: FollowUpWords) -> bool:
    """Whether it is a question of its own, and not a bare value."""
    named = {token.lower() for token in value.split()}
    return bool(named & words.asking) or words.lead.match(value + " ") is not None


def _replaced(topic: _Topic, preposition: str | None, phrase: str, words: FollowUpWords) -> str:
    attempts: tuple[Callable[[], str | None], ...] = (
        lambda: _same_head(topic.question, phrase, words),
        lambda: _same_preposition(topic.question, preposition, phrase, words),
        lambda: _last_name(topic.question, preposition, phrase),
    )
    for attempt in attempts:
        found = attempt()
        if found is not None:
            return f"{found}?"
    return f"{topic.question} {preposition or 'for'} {phrase}?"


def _same_head(question: str, phrase: str, words: FollowUpWords) -> str | None:
    """ "the free plan" takes the place of "the Pro plan": the head nouns are equal."""
    tokens = question.split()
    head = _stem(phrase.rsplit(maxsplit=1)[-1])
    for i, token in enumerate(tokens):
        start = _phrase_start(tokens, i, words)
        if _stem(token) == head and start < i:
            return " ".join((*tokens[:start], phrase, *tokens[i + 1 :]))
    return None


def _phrase_start(tokens: Sequence[str], head: int, words: FollowUpWords) -> int:
    """Where the noun phrase begins that ends at `head`: at its article, at most four words back."""
    for i in range(head - 1, max(-1, head - 5), -1):
        if tokens[i].lower() in words.articles:
            return i
        if tokens[i].lower() in words.prepositions:
            return i + 1
    return head


def _same_preposition(
    question: str, preposition: str | None, phrase: str, words: FollowUpWords
) -> str | None:
    """The object of the last preposition gives way to one of its kind: name for name, or not."""
    if preposition is None:
        return None
    tokens = question.split()
    named = _is_name(phrase.split(), 0)
    places = [i for i, token in enumerate(tokens) if i and token.lower() in words.prepositions]
    alike = [i for i in places if _is_name(tokens, i + 1) == named]
    equal = [i for i in alike if tokens[i].lower() == preposition]
    for i in (equal or (alike if named else []))[-1:]:
        end = _phrase_end(tokens, i + 1, words)
        if end > i + 1:
            return " ".join((*tokens[:i], preposition, phrase, *tokens[end:]))
    return None


def _phrase_end(tokens: Sequence[str], start: int, words: FollowUpWords) -> int:
    end = start
    while end < len(tokens) and (end == start or tokens[end].lower() not in words.prepositions):
        end += 1
    return end


def _last_name(question: str, preposition: str | None, phrase: str) -> str | None:
    """A name takes the place of the last run of names: "connect Stripe", "what about PayPal?"."""
    tokens = question.split()
    if preposition is not None or not _is_name(phrase.split(), 0):
        return None
    end = next((i for i in range(len(tokens) - 1, 0, -1) if _is_name(tokens, i)), None)
    if end is None:
        return None
    start = end
    while start > 1 and _is_name(tokens, start - 1):
        start -= 1
    return " ".join((*tokens[:start], phrase, *tokens[end + 1 :]))


def _is_name(tokens: Sequence[str], i: int) -> bool:
    """Capitalised, coded or masked; the pronoun "I" and its contractions are not names."""
    if i >= len(tokens):
        return False
    token = tokens[i].strip(_END)
    if token.split("'")[0] in {"I", ""}:
        return False
    return any(c.isupper() for c in token) or token[0] in "`<"


def _stem(word: str) -> str:
    return word.lower().strip(_END).removesuffix("s")


# --- "how long does it take?" ------------------------------------------------------------------


def _pronoun(text: str, topic: _Topic, words: FollowUpWords) -> str | None:
    plain = text.strip(_END)
    if words.dummy.search(plain):
        return None
    tokens = plain.split()
    place = next((i for i in range(len(tokens)) if _refers(tokens, i, words)), None)
    if place is None:
        return None
    if _names_its_own(" ".join(tokens[:place]), words):
        return None
    return _resolved(tokens, place, topic, words)


def _names_its_own(before: str, words: FollowUpWords) -> bool:
    """Whether what the pronoun stands for was named in the same question: two words of content
    before it, or one in a clause of its own."""
    clause = words.clause.split(before)[0] if words.clause.search(before) else ""
    said = _content(before, words) - words.dependent - words.neutral
    return len(said) > 1 or bool(_content(clause, words) - words.dependent - words.neutral)


def _refers(tokens: Sequence[str], i: int, words: FollowUpWords) -> bool:
    token = tokens[i].lower().strip(_END)
    shouted = len(token) > 1 and tokens[i].strip(_END).isupper()  # "IT" is a department
    if token not in words.pronouns or shouted:
        return False
    if token not in words.demonstratives:
        return True
    following = tokens[i + 1].lower().strip(_END) if i + 1 < len(tokens) else ""
    return not following or following in words.after_demonstrative


def _resolved(tokens: list[str], place: int, topic: _Topic, words: FollowUpWords) -> str:
    before, after = tokens[:place], tokens[place + 1 :]
    pronoun = tokens[place].lower().strip(_END)
    if topic.deed and after and after[0].lower() in words.lasting:
        return f"{' '.join(tokens)} to {topic.subject}?"
    if not topic.noun or pronoun in words.vague:
        return _about(" ".join(tokens), topic)
    if pronoun in words.possessive and after:
        return " ".join((*before, "the", *after, "of", topic.subject)) + "?"
    return " ".join((*before, topic.subject, *after)) + "?"


# --- "what does step 2 mean?", "which plan do I need?" -----------------------------------------


def _pointer(text: str, topic: _Topic, words: FollowUpWords) -> str | None:
    if words.pointer.search(text) is None:
        return None
    own = _content(words.pointer.sub(" ", text), words) - words.dependent - words.neutral
    return _about(text, topic) if len(own) <= 1 else None


def _dependent(text: str, topic: _Topic, words: FollowUpWords) -> str | None:
    """Nothing in it says what it is about: needs, costs, permissions, and no noun of its own."""
    own = _content(text, words)
    if not own & words.dependent or own - words.dependent - words.neutral:
        return None
    plain = text.strip(_END)
    if _has_complement(plain, words):
        return None
    joined = f" to {topic.subject}" if topic.deed else f" for {topic.subject}"
    ends_open = plain.split()[-1].lower() in {"need", "needed", "required", "require", "take"}
    return f"{plain}{joined}?" if ends_open else _about(plain, topic)


def _has_complement(plain: str, words: FollowUpWords) -> bool:
    """ "the limits of the free plan" says itself what it is about."""
    tokens = [token.lower() for token in plain.split()]
    links = (words.prepositions | {"of"}) - {"to"}
    return any(
        token in links and _content(" ".join(tokens[i + 1 :]), words)
        for i, token in enumerate(tokens)
    )


def _content(text: str, words: FollowUpWords) -> set[str]:
    found = (match.group().lower() for match in _WORD.finditer(text))
    return {word for word in found if word not in words.stop and len(word) > 1}
