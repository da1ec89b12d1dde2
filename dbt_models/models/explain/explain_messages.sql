with rows_of_plans as (
    select * from {{ ref('stg_sluice__sync_changelog') }}
    where profile_id is not null
),

merges as (
    select * from {{ ref('profile_merges') }}
),

receipts as (
    select
        message_id,
        min(occurred_at) filter (where event_type = 'delivered') as delivered_at,
        min(occurred_at) filter (where event_type = 'opened' and not is_bot) as opened_at,
        min(occurred_at) filter (where event_type = 'clicked' and not is_bot) as clicked_at,
        min(occurred_at) filter (where event_type in ('bounced', 'failed')) as failed_at,
        min(occurred_at) filter (where event_type in ('unsubscribed', 'complained')) as refused_at
    from {{ ref('fct_message_events') }}
    where message_id is not null
    group by message_id
)

select
    rows_of_plans.changelog_id,
    -- what went out under an id of before went to this person
    coalesce(merges.profile_id, rows_of_plans.profile_id) as profile_id,
    rows_of_plans.run_id,
    rows_of_plans.ref,
    rows_of_plans.kind,
    rows_of_plans.destination,
    rows_of_plans.channel,
    rows_of_plans.purpose,
    rows_of_plans.operation,
    rows_of_plans.outcome,
    rows_of_plans.reason_code,
    rows_of_plans.reason,
    rows_of_plans.message_id,
    rows_of_plans.recorded_at,
    receipts.delivered_at,
    receipts.opened_at,
    receipts.clicked_at,
    receipts.failed_at,
    receipts.refused_at
from rows_of_plans
left join merges on rows_of_plans.profile_id = merges.previous_id
left join receipts on rows_of_plans.message_id = receipts.message_id
