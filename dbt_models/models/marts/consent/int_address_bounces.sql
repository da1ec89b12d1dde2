-- one row for each address that ever bounced
with bounced as (
    select distinct channel, identifier_type, identifier from {{ ref('fct_message_events') }}
    where bounce_type is not null
),

attempts as (
    select
        events.*,
        row_number() over (partition by channel, identifier_type, identifier order by occurred_at desc, receipt_id desc) as recency
    from {{ ref('fct_message_events') }} as events
    join bounced using (channel, identifier_type, identifier)
    where occurred_at <= {{ as_of() }}
        -- only what tells whether a message arrived
        and (event_type = 'delivered' or bounce_type is not null)
)

select
    channel,
    identifier_type,
    identifier,
    min(case when bounce_type = 'hard' then occurred_at end) as hard_bounced_at,
    min_by(receipt_id, occurred_at) filter (where bounce_type = 'hard') as hard_evidence,
    count(*) filter (where bounce_type = 'soft' and recency <= 5) as recent_soft_bounces,
    max(case when bounce_type = 'soft' then occurred_at end) as last_soft_bounced_at,
    max_by(receipt_id, occurred_at) filter (where bounce_type = 'soft') as soft_evidence
from attempts
group by channel, identifier_type, identifier
having count(bounce_type) > 0
