with events as (
    select * from {{ ref('fct_message_events') }}
    where occurred_at <= {{ as_of() }}
),

identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
),

contact_points as (
    select profile_id, field as identifier_type, value as identifier from {{ ref('int_profile_fields') }}
    where field in ('email', 'phone', 'wechat_openid')
),

said as (
    select
        *,
        row_number() over (
            partition by profile_id, channel
            order by occurred_at desc, (status = 'do_not_contact')::int desc, evidence
        ) as place
    from {{ ref('fct_consent_events') }}
    where status in ('do_not_contact', 'may_contact') and occurred_at <= {{ as_of() }}
),

bounces as (
    select * from {{ ref('int_address_bounces') }}
),

unreachable as (
    select contact_points.profile_id, bounces.*
    from bounces
    -- an address the person no longer has stops nobody
    join contact_points using (identifier_type, identifier)
)

select profile_id, channel, 'hard_bounce' as reason, 'all' as scope, hard_bounced_at as since, hard_evidence as evidence
from unreachable
where hard_bounced_at is not null
union all
select profile_id, channel, 'soft_bounces', 'all', last_soft_bounced_at, soft_evidence
from unreachable
-- three of the last five did not arrive
where recent_soft_bounces >= 3
union all
select profile_id, channel, 'complaint', 'all', occurred_at, receipt_id
from events
where event_type = 'complained' and profile_id is not null
union all
select identifiers.profile_id, channels.channel, 'do_not_contact', 'marketing', contacts.updated_at, 'crm:' || contacts.contact_id
from {{ crm_contacts_known(said_at('updated_at')) }} as contacts
join identifiers on identifiers.identifier_type = 'crm_contact_id' and contacts.contact_id = identifiers.identifier
cross join {{ ref('consent_channels') }} as channels
where contacts.do_not_contact and {{ said_at('updated_at') }} <= {{ as_of() }} and channels.channel in ('email', 'sms', 'wechat')
union all
-- and what was said to us: until it is taken back, whatever is agreed to in between
select profile_id, channel, 'do_not_contact', 'marketing', occurred_at, evidence
from said
where status = 'do_not_contact' and place = 1
union all
-- nothing reaches somebody who has left the account
select contact_points.profile_id, 'wechat', 'unsubscribed', 'all', followers.since, followers.evidence
from {{ ref('int_wechat_followers') }} as followers
join contact_points on contact_points.identifier_type = 'wechat_openid' and followers.openid = contact_points.identifier
where not followers.is_following
union all
select states.profile_id, states.channel, 'unsubscribed', 'marketing', max(states.since), min(states.evidence)
from {{ ref('consent_state') }} as states
join {{ ref('consent_purposes') }} as purposes using (purpose)
where purposes.is_marketing and states.channel in ('email', 'sms')
group by states.profile_id, states.channel
-- every kind of marketing was refused, not only one
having
    bool_and(states.status = 'withdrawn') filter (where states.topic = 'all')
    and count(*) filter (where states.topic = 'all') = (select count(*) from {{ ref('consent_purposes') }} where is_marketing)
    -- and nothing of it was asked for again by name
    and not coalesce(
        max(states.since) filter (where states.status = 'granted' and states.topic <> 'all') > max(states.since) filter (where states.topic = 'all'),
        false
    )
union all
select profile_id, channel, 'unsubscribed', 'marketing', since, evidence from {{ ref('int_provider_opt_outs') }}
