"""Text messages by every vendor, whole: from a segment and a content to what the vendor took."""

from __future__ import annotations

from running_sandbox import RunningSandbox
from small_project import SmallProject

DESTINATIONS = """
tencent: {connector: tencent_sms, base_url: "${SLUICE_SANDBOX_URL}", sms_sdk_app_id: "1400006666"}
twilio: {connector: twilio, base_url: "${SLUICE_SANDBOX_URL}", sender: "+15017122661", status_callback: "https://c.example/hooks/twilio"}
"""
TEMPLATE = '{sign_name: 云闸科技, template_code: "449739", params: {name: "%s"}, wording: "{1}好。拒收请回复R"}'


def declare(shop: SmallProject, sms: str) -> None:
    shop.write("activation/destinations.yml", DESTINATIONS)
    shop.content(f"sms: {sms}\n")


def test_twilio_gets_the_text_and_an_address_that_names_the_message(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    declare(shop, '{text: "Hello {{ first_name }}. Reply STOP to opt out."}')
    ref = shop.send("twilio/hello")
    settled = shop.run(ref)
    assert settled.outcomes["sent"] == 2
    ids = [message_id for (message_id,) in shop.rows("select message_id from activation.sync_changelog order by message_id")]
    taken = [kept["content"] for kept in sandbox.taken("twilio")]
    assert {content["text"] for content in taken} == {f"Hello Name{n}. Reply STOP to opt out." for n in range(2)}
    assert sorted(content["status_callback"] for content in taken) == [f"https://c.example/hooks/twilio?message_id={one}" for one in ids]
    shop.run(ref)
    assert len(sandbox.taken("twilio")) == 2


def test_tencent_takes_one_message_for_many_in_one_call(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(5)
    declare(shop, TEMPLATE % "您")
    settled = shop.run(shop.send("tencent/hello", object="batch_messages"))
    assert settled.outcomes["sent"] == 5
    assert len({kept["content"]["session_context"] for kept in sandbox.taken("tencent_sms")}) == 1


def test_messages_that_differ_leave_one_by_one_all_the_same(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(5)
    declare(shop, TEMPLATE % "{{ first_name }}")
    settled = shop.run(shop.send("tencent/hello", object="batch_messages"))
    assert settled.outcomes["sent"] == 5
    assert sorted(kept["content"]["params"][0] for kept in sandbox.taken("tencent_sms")) == [f"Name{n}" for n in range(5)]


def test_who_opted_out_at_the_vendor_is_rejected_alone(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(4)
    declare(shop, TEMPLATE % "您")
    sandbox.fault("tencent_sms", "partial", match="+8613800000002", code="FailedOperation.PhoneNumberInBlacklist")
    settled = shop.run(shop.send("tencent/hello", object="batch_messages"))
    assert (settled.outcomes["sent"], settled.outcomes["rejected"]) == (3, 1)
    assert settled.reasons[0][1] == "FailedOperation.PhoneNumberInBlacklist"
