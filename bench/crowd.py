"""
People and what they do, as rows of the raw tables that landing fills, made by the warehouse itself: everybody is there from the first
session on, some come far more often than others, and who they are has to be found out.

Four in ten are known: they have a user id, an address, half of them a number, one in ten a contact in the CRM, and up to three
devices. The others are a device each. One session in a hundred is a crawler's, one in two thousand happens at a terminal that many share.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

BEGAN = datetime(2025, 11, 1)
DAYS = 365
NOW = BEGAN + timedelta(days=DAYS + 2)
IN_SESSION = 8  # messages
WEB, MAIL, ORDERS, FORMS = 0.91, 0.07, 0.01, 0.002  # of a hundred events; an order is two
FREE, FREE_MAIL = 7, "['gmail.com', 'qq.com', '163.com', 'outlook.com']"  # of ten addresses
AGENTS = """[
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
    'Mozilla/5.0 (Linux; Android 14; V2309A) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.60',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15']"""
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
CATEGORIES = "['dresses', 'shirts', 'workwear', 'coffee', 'desks', 'chairs', 'lighting', 'stationery']"


@dataclass(frozen=True)
class Crowd:
    """So many people and events. With `more`, this share of the events comes again, later: a fifth of it from people not seen before."""

    people: int
    events: int
    more: float = 0.01

    def land(self, warehouse: duckdb.DuckDBPyConnection, later: int = 0) -> None:
        """Land the first `events` in a batch a week, or the `later`-th share that comes after them in one batch."""
        warehouse.execute("create or replace temporary macro draw(number) as (hash(number) >> 1)::bigint")
        for source, rows in self._sources(later).items():
            warehouse.execute(
                f"insert into raw.{source} (_event_id, _source, _batch_id, _file, _line, _landed_at, payload) "
                f"select event_id, '{source}', 'b' || strftime(landed_at, '%Y%m%dT%H%M%S'), '{source}.jsonl', i, landed_at, payload::json from ({rows})"
            )

    def _span(self, share: float, later: int) -> tuple[int, int]:
        """First and last, exclusive, of what has this share of the events."""
        size = max(round(self.events * share), 1)
        step = max(round(size * self.more), 1)
        return (size + (later - 1) * step, size + later * step) if later else (0, size)

    def _sources(self, later: int) -> dict[str, str]:
        sources = {
            "web_events": self._web(*self._span(WEB, later)),
            "mail_events": self._mail(*self._span(MAIL, later), later),
            "shop_orders": self._orders(*self._span(ORDERS / 2, later), later),
            "forms_submissions": self._forms(*self._span(FORMS, later), later),
            "consent_records": self._consents(*self._known(0.3, later), later),
            "crm_contacts": self._contacts(*self._known(0.1, later), later),
        }
        return sources if later else {**sources, "crm_accounts": self._accounts()}

    def _known(self, share: float, later: int) -> tuple[int, int]:
        """Of what there is about people and not about events."""
        size = max(round(self.people * share), 1)
        step = max(round(size * self.more), 1)
        return (size + (later - 1) * step, size + later * step) if later else (0, size)

    def _landed(self, at: str, later: int) -> str:
        """A week's last moment, or the moment at which what came later did."""
        if later:
            return f"timestamp '{BEGAN + timedelta(days=DAYS, hours=later)}'"
        return f"timestamp '{BEGAN}' + interval (least(((epoch({at}) - {BEGAN.timestamp():.0f}) // 604800 + 1) * 7, {DAYS})::int) day"

    def _person(self, number: str) -> str:
        """Whoever does the thing of this number: those who come often have the low ones."""
        return f"floor({self.people} * pow((draw({number} + 17) % 1048576) / 1048576, 2))::bigint"

    def _known_person(self, number: str) -> str:
        return f"({self._person(number)} // 10 * 10 + draw({number} + 5) % 4)::bigint"

    def _when(self, number: str, of: int, later: int) -> str:
        """In the order of the numbers over the year; of what comes later, one in thirty is up to two months late."""
        if later:
            day = f"timestamp '{BEGAN + timedelta(days=DAYS)}' + interval (draw({number} + 3) % {3600 * 20}) second"
            return f"case when draw({number} + 11) % 30 = 0 then {day} - interval (draw({number} + 7) % 5000000) second else {day} end"
        return f"timestamp '{BEGAN}' + interval ((({number}) * {DAYS * 86400.0} / {of})::bigint * 97 // 100 + draw({number} + 3) % 86400) second"

    def _web(self, first: int, last: int) -> str:
        sessions = max(round(self.events * WEB) // IN_SESSION, 1)
        later = 1 if first else 0
        strangers = (
            f"when draw(s + 13) % 5 = 0 then {self.people} + s - {sessions}"
            if later
            else f"when s < {self.people} then (s * 7919) % {self.people}"
        )
        return f"""
            with sessions as (
                select s, case {strangers} else {self._person("s")} end as p, {self._when("s", sessions, later)} as started_at, draw(s) as h
                from range({first // IN_SESSION}, {-(-last // IN_SESSION)}) t(s)
            ), visits as (
                select *, h % 100 = 1 as is_crawler, p % 10 < 4 as is_known, p % 10 < 4 and h // 100 % 2 = 0 as is_logged_in,
                    case when h % 100 = 1 then 'crawler-' || s // 40 when h % 2000 = 7 then 'terminal-' || h // 2000 % 50
                        else 'device-' || p || '-' || case when p % 10 < 4 then h // 200 % 3 else 0 end end as device,
                    {self._landed("started_at", later)} as landed_at
                from sessions
            ), messages as (
                select s * {IN_SESSION} + k as i, k, visits.*, started_at + interval (k * 35 + h % 30) second as moment, draw(s * {IN_SESSION} + k + 1) as g,
                    case when k = 0 and is_logged_in and h // 400 % 5 < 2 then 'identify' when draw(s * {IN_SESSION} + k + 1) % 100 < 55 then 'page' else 'track' end as kind
                from visits, range({IN_SESSION}) t(k)
            )
            select i, md5('web' || i) as event_id, landed_at,
                '{{"messageId":"' || md5('web' || i) || '","type":"' || kind || '","anonymousId":"' || md5(device)::uuid || '",'
                || case when is_logged_in then '"userId":"u-' || p || '",' else '' end
                || '"timestamp":"' || strftime(moment, '%Y-%m-%dT%H:%M:%SZ') || '",'
                || case kind
                    when 'identify' then '"traits":{{"email":"' || {_mail_of("p")} || '","firstName":"Name' || p % 5000 || '","lastName":"Family' || p % 3000 || '"'
                        || case when p % 2 = 0 then ',"phone":"' || {_phone_of("p")} || '"' else '' end || ',"city":"Wuhan","country":"CN"}},'
                    when 'page' then '"name":"Page","properties":{{}},'
                    else case
                        when g // 100 % 100 < 50 then '"event":"Product Viewed","properties":{{"product_id":"p-' || g % 800 || '","name":"Product ' || g % 800 || '","category":"'
                            || {CATEGORIES}[g % 800 % 8 + 1] || '","price":' || g % 800 + 9 || ',"currency":"CNY"}},'
                        when g // 100 % 100 < 62 then '"event":"Product Added","properties":{{"product_id":"p-' || g % 800 || '","category":"'
                            || {CATEGORIES}[g % 800 % 8 + 1] || '","price":' || g % 800 + 9 || ',"currency":"CNY"}},'
                        when g // 100 % 100 < 72 then '"event":"Pricing Viewed","properties":{{"plan":"team"}},'
                        when g // 100 % 100 < 82 then '"event":"Document Downloaded","properties":{{"document":"d-' || g % 90 || '","name":"Guide ' || g % 90 || '"}},'
                        when g // 100 % 100 < 92 then '"event":"Products Searched","properties":{{"search_keyword":"word ' || g % 700 || '"}},'
                        else '"event":"Video Watched","properties":{{"video":"v-' || g % 60 || '","name":"Video ' || g % 60 || '"}},'
                    end
                end
                || '"context":{{"page":{{"url":"https://shop.example/products/' || g % 900 || case when k = 0 and h // 800 % 5 = 0
                    then '?utm_source=' || ['baidu', 'weibo', 'newsletter'][h % 3 + 1] else '' end
                || '","path":"/products/' || g % 900 || '","title":"Product page ' || g % 900 || ' for the office","referrer":"'
                || case when k > 0 then 'https://shop.example/' else ['', 'https://www.baidu.com/s', 'https://news.example/a'][h % 3 + 1] end || '"}},'
                || case when k = 0 and h // 800 % 5 = 0 then '"campaign":{{"source":"' || ['baidu', 'weibo', 'newsletter'][h % 3 + 1] || '","medium":"'
                    || ['cpc', 'social', 'email'][h % 3 + 1] || '","name":"campaign ' || h % 40 || '"}},' else '' end
                || '"userAgent":"' || case when is_crawler then '{CRAWLER}' else {AGENTS}[p % 5 + 1] end
                || '","locale":"' || case when p % 9 = 0 then 'en-GB","timezone":"Europe/London' else 'zh-CN","timezone":"Asia/Shanghai' end || '"}}}}' as payload
            from messages
        """

    def _mail(self, first: int, last: int, later: int) -> str:
        return f"""
            select i, 'mail-' || i as event_id, {self._landed("moment", later)} as landed_at,
                '{{"sg_event_id":"mail-' || i || '","sg_message_id":"sg-' || i // 2 || '","event":"' || kind || '","email":"' || {_mail_of("p")}
                || '","timestamp":' || epoch(moment)::bigint || case kind when 'bounce' then ',"type":"bounce","status":"5.1.1"' when 'click'
                then ',"url":"https://shop.example/products/' || i % 900 || '","useragent":"' || {AGENTS}[p % 5 + 1] || '"' else '' end || '}}' as payload
            from (
                select i, {self._known_person("(i // 2)")} as p, {self._when("(i // 2)", max(round(self.events * MAIL) // 2, 1), later)} + interval (i % 2 * 900) second as moment,
                    case when i % 2 = 0 then case when draw(i) % 50 = 0 then 'bounce' else 'delivered' end
                        else case draw(i) % 5 when 0 then 'click' when 1 then 'processed' when 2 then case when draw(i) % 35 = 2 then 'unsubscribe' else 'open' end else 'open' end end as kind
                from range({first}, {last}) t(i)
            )
        """

    def _orders(self, first: int, last: int, later: int) -> str:
        return f"""
            select i, 'o-' || i as event_id, {self._landed("moment", later)} as landed_at,
                '{{"order_id":"o-' || i || '","user_id":"u-' || p || '","email":"' || {_mail_of("p")} || '","status":"' || case when draw(i) % 20 = 0 then 'refunded' else 'paid' end
                || '","currency":"CNY","total":' || draw(i) % 90000 / 100 || ',"items":[{{"product_id":"p-' || i % 800 || '"}}],"ordered_at":"'
                || strftime(moment, '%Y-%m-%dT%H:%M:%SZ') || '"}}' as payload
            from (select i, {self._known_person("i")} as p, {self._when("i", max(round(self.events * ORDERS / 2), 1), later)} as moment from range({first}, {last}) t(i))
        """

    def _forms(self, first: int, last: int, later: int) -> str:
        return f"""
            select i, 'f-' || i as event_id, {self._landed("moment", later)} as landed_at,
                '{{"submission_id":"f-' || i || '","form_id":"' || ['demo', 'newsletter', 'contact'][i % 3 + 1] || '","submitted_at":"' || strftime(moment, '%Y-%m-%dT%H:%M:%SZ')
                || '","fields":{{"email":"' || {_mail_of("p")} || '","company":"Company ' || p // 20 || '"}},"page":{{"url":"https://shop.example/forms"}}}}' as payload
            from (select i, {self._known_person("i")} as p, {self._when("i", max(round(self.events * FORMS), 1), later)} as moment from range({first}, {last}) t(i))
        """

    def _consents(self, first: int, last: int, later: int) -> str:
        return f"""
            select i, 'consent-' || i as event_id, {self._landed("moment", later)} as landed_at,
                '{{"consent_id":"consent-' || i || '","identifier_type":"email","identifier":"' || {_mail_of("p")} || '","channel":"email","purpose":"newsletter","status":"'
                || case when i % 9 = 0 then 'withdrawn' else 'granted' end || '","source":"shop","wording":"Yes, please","occurred_at":"' || strftime(moment, '%Y-%m-%dT%H:%M:%SZ') || '"}}' as payload
            from (select i, (i * 10 // 3 // 10 * 10 + i % 4)::bigint as p, {self._when("i", max(round(self.people * 0.3), 1), later)} as moment from range({first}, {last}) t(i))
        """

    def _contacts(self, first: int, last: int, later: int) -> str:
        stages = "['subscriber', 'lead', 'lead', 'marketingqualifiedlead', 'salesqualifiedlead', 'opportunity', 'customer']"
        titles = "['CEO', 'Marketing Director', 'Purchasing Manager', 'Engineer', 'Student', 'Office Manager']"
        return f"""
            select i, 'c-' || i as event_id, {self._landed("moment", later)} as landed_at,
                '{{"contact_id":"c-' || i || '","account_id":"a-' || i // 5 || '","email":"' || {_mail_of("p")} || '","phone":"' || {_phone_of("p")} || '","first_name":"Name' || p % 5000
                || '","last_name":"Family' || p % 3000 || '","title":"' || {titles}[i % 6 + 1] || '","lifecycle_stage":"' || {stages}[i % 7 + 1] || '","city":"Wuhan","country":"CN",'
                || '"do_not_contact":"' || (i % 200 = 0) || '","created_at":"' || strftime(moment, '%Y-%m-%dT%H:%M:%SZ') || '","updated_at":"' || strftime(moment, '%Y-%m-%dT%H:%M:%SZ') || '"}}' as payload
            from (select i, (i * 10)::bigint as p, {self._when("i", max(round(self.people * 0.1), 1), later)} as moment from range({first}, {last}) t(i))
        """

    def _accounts(self) -> str:
        return f"""
            select i, 'a-' || i as event_id, timestamp '{BEGAN + timedelta(days=7)}' as landed_at,
                '{{"account_id":"a-' || i || '","name":"Company ' || i || '","domain":"company' || i || '.example","industry":"' || ['software', 'retail', 'education'][i % 3 + 1]
                || '","employees":"' || i % 900 || '","country":"CN","created_at":"{BEGAN.isoformat()}Z"}}' as payload
            from range({max(self.people // 50, 1)}) t(i)
        """


def _mail_of(person: str) -> str:
    return f"'person.' || {person} || '@' || case when {person} % 100 // 10 < {FREE} then {FREE_MAIL}[{person} % 4 + 1] else 'company' || {person} // 50 || '.example' end"


def _phone_of(person: str) -> str:
    return f"'+8613' || lpad({person}::varchar, 9, '0')"
