"""How a provider, or one of its models, departs from its dialect. Data, and what is done with it by dialects. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a Messages upstream is asked whose URLs name the model; ``{model}`` stands for it."""

    whole: str
    stream: str
    count: str


class Replay(StrEnum):
    """How a provider takes back the thoughts of its models."""

    SAME = "same"  # in the field that they came in
    TAGS = "tags"  # in the text, between tags, whatever field they came in
    NEVER = "never"  # it refuses a message that has them


# Beginnings of the models that write their thoughts into the text unless their server takes them out again, without
# a vendor's name: docs.vllm.ai, reasoning outputs, and the modules of its reasoning parsers (read 2026-11).
THINK_IN_TEXT = (
    "deepseek-r1",
    "deepseek-v3.1",
    "ernie-4.5",
    "glm",
    "holo2",
    "hunyuan",
    "kimi-k2-thinking",
    "llama-3.3-nemotron",
    "minimax-m",
    "nemotron",
    "nvidia-nemotron",
    "qwen3",
    "qwen-3",
    "qwq",
    "seed-oss",
)
# Tags that are not called think: ai.google.dev/gemini-api/docs/openai (thinking), docs.vllm.ai's parsers for
# MiniMax M3 and Seed-OSS (read 2026-11).
THINK_NAMES = (
    ("gemini", "thought"),
    ("gemma", "thought"),
    ("minimax-m3", "mm:think"),
    ("seed-oss", "seed:think"),
)


@dataclass(frozen=True, slots=True)
class Quirks:
    """Where a provider departs from its dialect: ways to write a request's body and to read an answer."""

    max_output_tokens: int | None = None  # a larger max_tokens is cut to this
    min_output_tokens: int = 0  # a smaller one is raised to this
    untyped_tools: bool = False  # refuses a custom tool that says "type": "custom"
    max_tokens_field: str = "max_tokens"  # what Chat Completions calls it here
    files: bool = False  # takes documents as Chat Completions' file parts
    thinks_unasked: bool = False  # a Messages upstream that thinks unless a request says disabled
    signed_thoughts: bool = False  # refuses thoughts with an empty signature, as other Messages upstreams send them
    paths: Paths | None = None  # a Messages upstream's, under its base URL; then the body names no model
    body_version: str = ""  # what a Messages body says as anthropic_version

    # Chat Completions' requests; members of the body go by OpenAI's names for them.
    models: tuple[tuple[tuple[str, ...], Quirks], ...] = ()  # what holds instead for models with these beginnings
    vendors: tuple[tuple[str, str], ...] = ()  # ("qwen", "qwen"): a model qwen... without a slash is qwen/qwen...
    body: Mapping[str, Any] = field(default_factory=dict, hash=False)  # members of every body
    accepted: tuple[str, ...] = ()  # the only members that are sent beside those every body needs; () = all
    refused: tuple[str, ...] = ()  # members that are not sent
    renamed: tuple[tuple[str, str], ...] = ()  # members with another name here
    samplers: tuple[str, ...] = ()  # of top_k, min_p and repetition_penalty, which OpenAI has not
    temperature: tuple[float, float] | None = None  # the range that is taken
    max_stops: int = 4  # stop sequences (OpenAI's API reference, read 2026-11)
    required_choice: str = "required"  # the tool_choice that demands some tool; "" = none does
    named_choice: bool = True  # takes a tool_choice that names a tool
    json_mode: str = "json_schema"  # what binds an answer to a schema; json_object and "": words in the prompt too
    json_with_tools: bool = True  # takes that together with tools
    system_role: str = "system"
    call_id_length: int = 0  # a call's id has exactly so many letters and digits; 0 = OpenAI's rule
    user_after_tool: bool = True  # takes a user's message right after a tool's
    cache_marks: bool = False  # caches what stands before a mark, of which a message's parts can have one
    schemas: str = ""  # the profile that tools' schemas are cleaned to; see chat/schemas.py
    strict_tools: bool = True  # takes a function that says "strict"
    vision: bool = True
    thinking_on: Mapping[str, Any] = field(default_factory=dict, hash=False)  # members that switch thinking on
    thinking_off: Mapping[str, Any] = field(default_factory=dict, hash=False)
    always_thinks: bool = False  # thinking cannot be switched off
    effort_field: str = "reasoning_effort"  # where an effort goes; a dot leads into an object
    budget_field: str = ""  # where a budget of thinking tokens goes, likewise
    efforts: tuple[str, ...] = ()  # the efforts that are taken, rising
    tool_effort: str = ""  # the one effort that is taken together with tools

    # Thoughts and signatures in Chat Completions' answers, and on their way back. Here models are beginnings of their
    # names in lower case, with or without what stands before the last slash.
    think_models: tuple[str, ...] = THINK_IN_TEXT  # models that write thoughts into their text
    think_names: tuple[tuple[str, str], ...] = THINK_NAMES  # (models, how their tag is called beside "think")
    unopened_models: tuple[str, ...] = ()  # models whose answer begins inside the thought, without a first tag
    replay: Replay = Replay.SAME
    owed_models: tuple[str, ...] = ()  # models that refuse an assistant's calls without reasoning_content
    owed_always: bool = False  # and an assistant's messages without calls too
    signed_models: tuple[str, ...] = ()  # models that refuse calls without Google's thought signature
    signature_space: str = "google"  # where calls that another model made say so: google | vertex

    # Gemini's own API; ``efforts`` are its thinking levels, and ``max_stops`` is not asked.
    thought_budgets: tuple[int, int] | None = None  # the tokens of thought that are taken, where no level is
    call_ids: bool = False  # wants a call's id in the call and in its result; else it knows none
    result_files: bool = False  # takes images and files inside a call's result
    prefill: bool = True  # takes a conversation that ends with the model's own words

    guarded_calls: bool = False  # its models write tool calls as text: they are looked for

    # What this process found out about one model: see learning.py.
    learned: tuple[str, ...] = ()  # members that it refused, whoever wants them sent; a dot leads into an object

    def named(self, model: str) -> str:
        """A model's whole name: with its vendor, where that is left out and the provider wants one."""
        vendors = self.vendors if "/" not in model else ()
        return next((f"{vendor}/{model}" for family, vendor in vendors if model.startswith(family)), model)

    def of(self, model: str) -> Quirks:
        """These quirks as they hold for one model: the longest beginning that fits decides."""
        longest, found = -1, self
        model = self.named(model)
        for beginnings, own in self.models:
            for beginning in beginnings:
                if len(beginning) > longest and model.startswith(beginning):
                    longest, found = len(beginning), own
        return found

    def guarded(self, but: tuple[str, ...] = ()) -> Quirks:
        """These quirks for models of open weights, all of which write tool calls as text now and then.

        ``but`` are the beginnings of those that are not.
        """
        models = [(names, own if set(names) <= set(but) else own.guarded()) for names, own in self.models]
        known = {name for names, _ in self.models for name in names}
        rest = tuple(name for name in but if name not in known)
        exempt = [(rest, replace(self, models=()))] if rest else []
        return replace(self, guarded_calls=True, models=(*models, *exempt))

    def capped(self, tokens: int | None, least: int = 0) -> Quirks:
        """These quirks with an operator's bounds on max_tokens for all models; None and 0 leave what they had."""
        return replace(
            self,
            max_output_tokens=tokens or self.max_output_tokens,
            min_output_tokens=least or self.min_output_tokens,
            models=tuple((names, own.capped(tokens, least)) for names, own in self.models),
        )

    def bounded(self, tokens: int) -> int:
        """A max_tokens within the bounds; the upper one has the last word."""
        raised = max(tokens, self.min_output_tokens)
        return min(raised, self.max_output_tokens) if self.max_output_tokens else raised


NO_QUIRKS = Quirks()
