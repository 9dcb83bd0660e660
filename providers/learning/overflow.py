"""A prompt that a model's window does not hold: the numbers in a refusal, and the words that clients act on. Pure.

Claude Code 2.1.197 compacts its conversation when an error says "prompt is too long", by as much as the two numbers
behind that differ, and asks for a shorter answer when one says that input and ``max_tokens`` exceed the limit; it
reads both out of the words (seen in its own program, 2026-11). OpenAI's clients look for a code.

The forms are those of the providers' own answers, as their documentation and their users report them
(github.com/earendil-works/pi, packages/ai/src/utils/overflow.ts; github.com/vllm-project/vllm; read 2026-11).
"""

from __future__ import annotations

import re
from typing import Any

from providers.classify.evidence import decoded, error_object
from providers.errors import Overflow
from providers.refusals import sayings

CODE = "context_length_exceeded"
LEAST_ROOM = 1024  # tokens for an answer; with less left, the context has overflowed

_MARGIN = 1.1  # that the prompt may be larger than it was estimated
_LEAST_LIMIT = 2 * LEAST_ROOM  # tokens; a smaller number is none of a window
_ANTHROPIC = "input length and `max_tokens`"
_REACH = 300  # characters of a refusal in which its numbers stand
_CONTEXT = r"(?:this (?:model|endpoint)'s )?maximum context length is LIMIT tokens"
_FORMS = tuple(
    re.compile(
        form.replace("CONTEXT", _CONTEXT)
        .replace("PROMPT", r"(?P<prompt>\d[\d,]*)")
        .replace("LIMIT", r"(?P<limit>\d[\d,]*)")
        .replace("ANSWER", r"(?P<answer>\d[\d,]*)")
        .replace("MORE", r"(?P<more>\d[\d,]*)"),
        re.IGNORECASE,
    )
    for form in (
        r"prompt is too long: PROMPT tokens > LIMIT maximum",
        r"prompt is too long: PROMPT, model maximum context length: LIMIT",
        r"input length and `max_tokens` exceed context limit: PROMPT \+ ANSWER > LIMIT",
        r"CONTEXT\. however, your (?:messages|prompt) resulted in PROMPT tokens",
        r"CONTEXT\. however, you requested (?:about )?\d+ tokens \(PROMPT (?:in the (?:messages|prompt)|of text input)"
        r"(?:, MORE (?:of tool input|in the functions))?,(?: and)? ANSWER in the (?:completion|output)\)",
        r"CONTEXT\. however, you requested ANSWER output tokens and your prompt contains (?P<least>at least )?"
        r"PROMPT input tokens",
        r"(?:.{0,60} is too large: ANSWER\. )?CONTEXT and your request has PROMPT input tokens",
        r"CONTEXT\. however, (?:you requested|your request has) (?:about )?PROMPT (?:input )?tokens",
        r"requested token count exceeds the model's maximum context length of LIMIT tokens(?:\. you requested a total "
        r"of \d+ tokens: PROMPT tokens from the input messages and ANSWER tokens for the completion)?",
        r"`inputs` tokens \+ `max_new_tokens` must be <= LIMIT\. given: PROMPT `inputs` tokens and ANSWER ",
        r"`inputs` must have less than LIMIT tokens\. given: PROMPT\b",
        r"decoder prompt \(length PROMPT\) is longer than the maximum model length of LIMIT",
        r"input token count(?: \(PROMPT\))? exceeds the maximum number of tokens allowed \(?LIMIT",
        r"current length is PROMPT while limit is LIMIT",
        r"range of input length should be \[\d+, LIMIT\]",
        r"request body too large for .{0,80}\bmax size: LIMIT tokens",
        r"prompt contains PROMPT tokens(?: and \d+ draft tokens)?, too large for model with LIMIT maximum context",
        r"exceeded model token limit: LIMIT(?: \(requested: PROMPT\))?",
        r"maximum prompt length is LIMIT but the request contains PROMPT tokens",
        r"input length \(?PROMPT\)? exceeds (?:the )?(?:model's )?maximum (?:allowed input|context) length (?:of )?\(?"
        r"LIMIT",
        r"input \(PROMPT tokens\) is longer than the model's context length \(LIMIT tokens\)",
        r"prompt token count of PROMPT exceeds the limit of LIMIT",
        r"prompt has PROMPT tokens, but the configured context size is LIMIT tokens",
        r"input tokens exceed the configured limit of LIMIT tokens\. your messages resulted in PROMPT tokens",
        r"request \(PROMPT tokens\) exceeds the available context size \(LIMIT tokens\)",
        r"context length of only LIMIT tokens",
        r"maximum context length (?:is|of) LIMIT\b",
    )
)


def measured(body: bytes) -> Overflow:
    """The numbers of an overflow's refusal."""
    match error_object(decoded(body)):
        case {"n_prompt_tokens": int() as prompt, "n_ctx": int() as limit}:  # llama.cpp
            return Overflow(prompt, limit)
    for said in sayings(body):
        for form in _FORMS:
            if (found := form.search(said[:_REACH])) and (overflow := _numbers(found.groupdict())):
                return overflow
    return Overflow()


def _numbers(found: dict[str, Any]) -> Overflow | None:
    prompt, limit, answer, more = (_number(found.get(name)) for name in ("prompt", "limit", "answer", "more"))
    if limit is None or limit < _LEAST_LIMIT:
        return None
    return Overflow(None if prompt is None else prompt + (more or 0), limit, answer, bool(found.get("least")))


def left(said: str) -> int | None:
    """The tokens that the prompt leaves of the context, where an answer can be had of them.

    Anthropic's own refusal is not read so: its clients ask for a shorter answer themselves, and for less thinking.
    """
    for form in _FORMS:
        found = None if said.startswith(_ANTHROPIC) else form.match(said)
        if found and (seen := _numbers(found.groupdict())):
            if seen.at_least or seen.answer is None or seen.prompt is None or seen.limit is None:
                return None
            return seen.limit - seen.prompt if seen.limit - seen.prompt >= LEAST_ROOM else None
    return None


def _number(text: str | None) -> int | None:
    return int(text.replace(",", "")[:12]) if text else None


def completed(overflow: Overflow, estimate: int, window: int | None) -> Overflow:
    """The same with what the refusal left out, so that the prompt is told as larger than the limit.

    ``estimate`` is of the prompt's tokens; ``window`` is what the model is known to hold.
    """
    limit = overflow.limit or window
    prompt = max(overflow.prompt or 0, estimate) if overflow.at_least or not overflow.prompt else overflow.prompt
    if limit is None:
        return Overflow(prompt or None)
    if overflow.answer and prompt + LEAST_ROOM <= limit:
        return Overflow(prompt, limit, max(overflow.answer, limit - prompt + 1))
    if overflow.answer and prompt <= limit:
        limit -= LEAST_ROOM  # the prompt alone would fit, with no answer worth having
    return Overflow(max(prompt, limit + 1), limit)


def room(overflow: Overflow, estimate: int) -> int | None:
    """Tokens for the answer where the upstream did not count the prompt; None where nothing says that it would fit."""
    if not (overflow.at_least and overflow.answer and overflow.limit):
        return None
    rest = overflow.limit - round(max(overflow.prompt or 0, estimate) * _MARGIN)
    return rest if LEAST_ROOM <= rest < overflow.answer else None


def for_anthropic(overflow: Overflow, said: str = "") -> str:
    """The words that Claude Code acts on. ``said`` are the upstream's own, where there are no numbers."""
    prompt, limit, answer = overflow.prompt, overflow.limit, overflow.answer
    if answer:
        exceed = "input length and `max_tokens` exceed context limit"
        return f"{exceed}: {prompt} + {answer} > {limit}, decrease input length or `max_tokens` and try again"
    if limit is None:
        return f"prompt is too long: {said}"
    return f"prompt is too long: {prompt} tokens > {limit} maximum"


def for_openai(overflow: Overflow) -> str:
    """The same in the words of OpenAI's API."""
    if overflow.limit is None:
        return "Your input exceeds the context window of this model. Please adjust your input and try again."
    here = f"This model's maximum context length is {overflow.limit} tokens. However, "
    if overflow.answer:
        total = (overflow.prompt or 0) + overflow.answer
        return (
            f"{here}you requested {total} tokens ({overflow.prompt} in the messages, {overflow.answer} in the "
            "completion). Please reduce the length of the messages or completion."
        )
    return f"{here}your messages resulted in {overflow.prompt} tokens. Please reduce the length of the messages."


_UNDERSTOOD = re.compile(
    r"prompt is too long[^0-9]*\d+\s*tokens?\s*>\s*\d"
    r"|input length and `max_tokens` exceed context limit: \d+ \+ \d+ > \d",
    re.IGNORECASE,
)


def understood(words: str) -> bool:
    """Whether Claude Code acts on an error in these words."""
    return _UNDERSTOOD.search(words) is not None
