-- what people said, each in its own place, before 'all' is written out
with machines as (
    select identifiers.identifier as anonymous_id
    from {{ ref('int_machine_devices') }} as machines
    join {{ ref('int_identifiers') }} as identifiers on machines.device_key = identifiers.identifier_key
),

identified as (
    select
        'consent' as source,
        'consent:' || consent_id as evidence,
        identifier_type,
        identifier,
        -- a no to something that nobody knows is a no to everything; a yes to it is none
        case
            when status in ('withdrawn', 'do_not_contact') and coalesce(channel, '') not in (select channel from {{ ref('consent_channels') }})
                then 'all' else channel
        end as channel,
        case
            when status like '%_contact' then 'all'
            when status = 'withdrawn' and coalesce(purpose, '') not in (select purpose from {{ ref('consent_purposes') }}) then 'all' else purpose
        end as purpose,
        topic, status, double_opt_in, wording, occurred_at, expires_at, _landed_at
    from {{ ref('stg_consent__records') }}
    union all
    -- a box that was not ticked says nothing; it does not take back what was said before
    select
        'forms', 'forms:' || submissions.submission_id,
        {{ strongest_type(['submissions.email', 'submissions.phone']) | replace("'submissions.", "'") }},
        coalesce(submissions.email, submissions.phone),
        channels.channel, purposes.purpose, submissions.consent_topic,
        -- anybody can write anybody's address into a form
        case when submissions.consent_to_confirm then 'pending' else 'granted' end, false, submissions.consent_wording, submissions.submitted_at, null,
        submissions._landed_at
    from {{ ref('stg_forms__submissions') }} as submissions
    join {{ ref('consent_channels') }} as channels on submissions.consent_channels like '%"' || channels.channel || '"%'
    join {{ ref('consent_purposes') }} as purposes on submissions.consent_purposes like '%"' || purposes.purpose || '"%'
    where
        submissions.consent_granted
        -- a program that fills in forms agrees to nothing for anybody
        and coalesce(submissions.anonymous_id, '') not in (select anonymous_id from machines)
    union all
    select
        'crm', 'crm:' || contact_id, 'crm_contact_id', contact_id,
        'all', purposes.purpose, 'all', 'withdrawn', false, 'do not contact', updated_at, null, _landed_at
    from {{ crm_contacts_known(said_at('updated_at')) }} as contacts
    cross join {{ ref('consent_purposes') }} as purposes
    where
        do_not_contact
        -- what a customer is owed about an order still goes out
        and not purposes.is_transactional
    union all
    select
        'wechat', 'wechat:' || callback_id, 'wechat_openid', openid,
        'wechat', case event when 'subscribe' then 'newsletter' else 'all' end,
        'all', case event when 'subscribe' then 'granted' else 'withdrawn' end, false, event, occurred_at, null, _landed_at
    from {{ ref('stg_wechat__callbacks') }}
    where event in ('subscribe', 'unsubscribe')
),

-- unsubscribed through a link, or at the mail provider: from the message's purpose, or from all marketing if that is not known
unsubscribed as (
    select
        events.source,
        events.receipt_id as evidence,
        events.profile_id,
        events.channel,
        purposes.purpose,
        'all' as topic,
        'withdrawn' as status,
        false as double_opt_in,
        events.event_type as wording,
        events.occurred_at,
        cast(null as timestamp) as expires_at,
        events._landed_at
    from {{ ref('fct_message_events') }} as events
    join {{ ref('consent_purposes') }} as purposes
        on case
            when events.source = 'tracking' and events.purpose is not null then events.purpose = purposes.purpose
            else purposes.is_marketing
        end
    where events.event_type in ('unsubscribed', 'complained')
),

-- somebody asked the CRM to forget them: nobody may go on as if nothing had been said
forgotten as (
    select
        events.source,
        events.event_id as evidence,
        events.profile_id,
        'all' as channel,
        purposes.purpose,
        'all' as topic,
        'withdrawn' as status,
        false as double_opt_in,
        'privacy deletion' as wording,
        events.occurred_at,
        cast(null as timestamp) as expires_at,
        events._landed_at
    from {{ ref('fct_events') }} as events
    cross join {{ ref('consent_purposes') }} as purposes
    where events.event_name = 'CRM Privacy Deletion'
),

identifiers as (
    select identifier_type, identifier, profile_id from {{ ref('bridge_profile_identifiers') }}
    union all
    -- chosen in the preference centre, whose link names the message it came with
    select 'message_id', message_id, profile_id from {{ ref('fct_messages') }}
    where profile_id is not null
),

statements as (
    select
        identified.source,
        identified.evidence,
        identifiers.profile_id,
        identified.channel,
        identified.purpose,
        identified.topic,
        identified.status,
        identified.double_opt_in,
        identified.wording,
        identified.occurred_at,
        identified.expires_at,
        identified._landed_at
    from identified join identifiers using (identifier_type, identifier)
    union all select * from unsubscribed
    union all select * from forgotten
)

select
    source, evidence, profile_id, channel, purpose, topic, status, double_opt_in, wording,
    {{ no_at() }} as occurred_at,
    expires_at
from statements where profile_id is not null
