with receipts as (
    select * from {{ ref('int_message_receipts') }}
),

messages as (
    select * from {{ ref('fct_messages') }}
),

-- where the vendor gives back only its own id
by_provider as (
    select
        channel,
        provider_id,
        min(message_id) as message_id,
        count(*) as batch
    from messages
    where provider_id is not null
    group by channel, provider_id
),

-- one id for a whole batch: whose receipt it is tells which of its messages
by_person as (
    select
        messages.channel,
        messages.provider_id,
        messages.profile_id,
        min(messages.message_id) as message_id
    from messages
    join by_provider using (channel, provider_id)
    where by_provider.batch > 1
    group by messages.channel, messages.provider_id, messages.profile_id
    having count(*) = 1
),

identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
),

user_agents as (
    select * from {{ ref('int_user_agents') }}
)

select
    receipts.receipt_id,
    receipts.source,
    receipts.channel,
    receipts.event_type,
    receipts.bounce_type,
    receipts.occurred_at,
    -- what a vendor repeats of a batch is the name of the batch
    coalesce(by_person.message_id, receipts.message_id, by_provider.message_id) as message_id,
    receipts.provider_id,
    messages.ref,
    messages.run_id,
    messages.purpose,
    -- what a colleague was told is about a person, and not to them
    coalesce(case when messages.channel is distinct from 'chat' then messages.profile_id end, identifiers.profile_id) as profile_id,
    receipts.identifier_type,
    receipts.identifier,
    receipts.code,
    receipts.reason,
    receipts.url,
    receipts.is_machine_open or coalesce(user_agents.is_bot, false) as is_bot,
    receipts._landed_at
from receipts
left join identifiers
    on receipts.identifier_type = identifiers.identifier_type
    and receipts.identifier = identifiers.identifier
left join by_provider
    on receipts.channel = by_provider.channel
    and receipts.provider_id = by_provider.provider_id
    and by_provider.batch = 1
left join by_person
    on receipts.channel = by_person.channel
    and receipts.provider_id = by_person.provider_id
    and identifiers.profile_id = by_person.profile_id
left join messages on coalesce(by_person.message_id, receipts.message_id, by_provider.message_id) = messages.message_id
left join user_agents using (user_agent)
