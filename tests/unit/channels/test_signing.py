from __future__ import annotations

import base64

import pytest

from overheard.channels.signing import headers, key_of, keys_of, new_secret
from overheard.errors import InvalidInput


def test_the_signature_matches_the_specifications_example() -> None:
    """The test vector of Standard Webhooks' own libraries."""
    keys = keys_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = headers(keys, id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=b'{"test": 2432232314}')
    assert signed == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_new_secret_is_random_and_usable() -> None:
    assert new_secret() != new_secret()
    assert new_secret().startswith("whsec_")
    assert len(key_of(new_secret())) == 32


def test_the_prefix_is_optional() -> None:
    secret = new_secret()
    assert key_of(secret) == key_of(secret.removeprefix("whsec_"))


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "canary-secret!",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        base64.b64encode(b"x" * 65).decode(),
    ],
)
def test_unusable_secrets_are_refused_without_showing_them(secret: str) -> None:
    with pytest.raises(InvalidInput, match="24 to 64 random bytes") as error:
        keys_of(secret)
    assert "canary" not in str(error.value)
    assert not secret or secret not in str(error.value).replace("whsec_…", "")


def test_two_secrets_are_the_new_one_and_the_old_one_with_a_space_between_them() -> None:
    new, old = new_secret(), new_secret()
    assert keys_of(f" {new}  {old}\n") == (key_of(new), key_of(old))
    signatures = [
        headers([key_of(secret)], id="a", timestamp=1, body=b"{}")["webhook-signature"] for secret in (new, old)
    ]
    assert headers(keys_of(f"{new} {old}"), id="a", timestamp=1, body=b"{}")["webhook-signature"].split() == signatures


def test_more_than_two_secrets_or_the_same_twice_are_refused_without_showing_them() -> None:
    one, two, three = new_secret(), new_secret(), new_secret()
    for secret, why in ((f"{one} {two} {three}", "at most two"), (f"{one} {one}", "both are the same")):
        with pytest.raises(InvalidInput, match=why) as error:
            keys_of(secret)
        assert one not in str(error.value)
    with pytest.raises(InvalidInput, match="24 to 64 random bytes"):
        keys_of(f"{one} whsec_short")
