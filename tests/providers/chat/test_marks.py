"""What is written into a client's history is known again by its own provider, and by no other."""

from __future__ import annotations

import re
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.chat.marks import call_signature, plain_id, signed_id, thought_origin, thought_signature

ANTHROPICS_ID = re.compile(r"[A-Za-z0-9_-]+")
providers = st.text(st.characters(codec="utf-8"), max_size=20)
ids = st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True).filter(lambda identity: "-keyturn-" not in identity + "-")
signatures = st.binary(min_size=1, max_size=60).map(lambda raw: b64encode(raw).decode()) | st.text(
    st.characters(codec="utf-8"), min_size=1, max_size=40
)


@given(ids, providers, st.sampled_from(["google", "vertex"]), signatures)
def test_a_signed_id_gives_all_of_it_back(identity: str, provider: str, space: str, signature: str) -> None:
    made = signed_id(identity, provider, space, signature)
    assert ANTHROPICS_ID.fullmatch(made)
    assert plain_id(made) == identity
    assert call_signature(made, provider) == (space, signature)
    assert call_signature(made, provider + "x") == ("", "")


def test_base64_does_not_grow() -> None:
    signature = b64encode(bytes(range(256)) * 8).decode()
    assert len(signed_id("call_1", "gemini", "google", signature)) <= len(signature) + 30


@pytest.mark.parametrize(
    "identity",
    ["", "call_1", "call-keyturn", "-keyturn-", "call_1-keyturn-0", "call_1-keyturn-00000000gbAAAA", "x" * 5000],
)
def test_other_ids_carry_no_signature(identity: str) -> None:
    assert call_signature(identity, "gemini") == ("", "")
    assert plain_id(identity) == identity.partition("-keyturn-")[0]


@pytest.mark.parametrize("rest", ["", "gb", "gb!", "gbA", "gt_w", "xbAAAA", "g"])
def test_a_damaged_signature_is_none(rest: str) -> None:
    whole = signed_id("call_1", "gemini", "google", "c2ln")
    assert call_signature(whole[: -len("gbc2ln")] + rest, "gemini") == ("", "")


@given(
    providers.filter(lambda name: ":" not in name),
    st.sampled_from(["reasoning", "think"]),
    st.sampled_from(["", "W10"]),
)
def test_a_thought_has_its_field_and_what_goes_with_it(provider: str, field: str, payload: str) -> None:
    made = thought_signature(provider, field, payload)
    assert made.startswith("keyturn:")
    assert thought_origin(made, provider) == (field, payload)
    assert thought_origin(made, provider + "x") == ("", "")


@pytest.mark.parametrize(
    "signature", ["", "EqQBCgIYAhIM==", "keyturn:", "keyturn:acm:reasoning", "keyturn:acmex:reasoning"]
)
def test_other_signatures_have_no_origin(signature: str) -> None:
    assert thought_origin(signature, "acme") == ("", "")
