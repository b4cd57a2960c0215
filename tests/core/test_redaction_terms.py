from tokenpak.core.detectors import NAMES
from tokenpak.core.redaction_terms import Policy, Rule, Terms, resolved


def test_secrets_are_warned_of_and_personal_data_is_not_looked_for_unless_it_is_asked():
    assert (Terms().secrets, Terms().pii, Terms().billed) == ("warn", "off", "block")
    assert set(Terms().kinds) == {kind for kind, of in NAMES.items() if of == "secrets"}
    assert set(Terms(pii="warn").kinds) == NAMES.keys()
    assert "jwt" not in Terms(without=("jwt",)).kinds
    assert Terms(secrets="off").kinds == ()


def test_only_what_may_be_stopped_holds_a_request_up():
    assert not Terms(pii="warn").holds
    assert Terms(pii="redact").holds
    assert Terms(secrets="block").holds


def test_each_rule_that_fits_sets_what_it_names():
    policy = Policy(
        Terms(secrets="redact"),
        (
            Rule(client="a*", secrets="block", without=("jwt",)),
            Rule(client="ab", pii="warn"),
            Rule(client="abc", without=(), billed="redact"),
        ),
    )
    assert resolved(policy, None) == Terms(secrets="redact")
    assert resolved(policy, "ab") == Terms(secrets="block", pii="warn", without=("jwt",))
    assert resolved(policy, "ABC") == Terms(secrets="block", billed="redact")


def test_whether_a_key_is_needed_at_all():
    assert not Policy().redacts
    assert not Policy(Terms(secrets="block"), (Rule(pii="warn"),)).redacts
    assert Policy(Terms(pii="redact")).redacts
    assert Policy(rules=(Rule(pii="redact"),)).redacts
