"""The policy file of language models: what loads, and what its author is told."""

import pytest

from hrtech.zones import ZoneError
from resources.language_model import read_endpoints

OWN = "- {name: ours, url: 'http://127.0.0.1:8080/v1', may_see: restricted, approved_by: The officer}\n"


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "language_models.yaml"

    def write(text):
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_without_a_file_there_is_no_model(tmp_path):
    assert read_endpoints(tmp_path / "language_models.yaml") == []


def test_a_model_on_our_own_machine_may_see_restricted_data(policy):
    (endpoint,) = read_endpoints(policy(OWN))
    assert (endpoint.name, endpoint.may_see) == ("ours", "restricted")


def test_a_model_sees_public_data_unless_the_file_says_more(policy):
    (endpoint,) = read_endpoints(
        policy("- {name: a, url: 'https://llm.example.org', approved_by: Somebody}\n")
    )
    assert endpoint.may_see == "public"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (OWN.replace("127.0.0.1:8080", "llm.example.org"), "ours: rule 4: the language model at host"),
        (OWN + OWN, "lists ours twice"),
        (OWN.replace("approved_by", "by"), "is not a list of name, url, may_see and approved_by"),
        ("name: ours", "is not a list"),
        ("- [", "is not a list"),
    ],
)
def test_what_grants_too_much_or_says_too_little_is_refused(policy, text, words):
    with pytest.raises(ZoneError, match=r"language_models\.yaml") as caught:
        read_endpoints(policy(text))
    assert words in str(caught.value)
