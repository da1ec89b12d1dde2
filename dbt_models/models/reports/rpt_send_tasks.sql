with runs as (
    select * from {{ ref('stg_sluice__sync_runs') }}
    where kind = 'send'
),

messages as (
    select * from {{ ref('fct_messages') }}
),

events as (
    select * from {{ ref('fct_message_events') }}
),

receipts as (
    select
        messages.run_id,
        count(distinct events.message_id) filter (where events.event_type = 'delivered') as delivered,
        count(distinct events.message_id) filter (where events.event_type = 'opened' and not events.is_bot) as opened,
        count(distinct events.message_id) filter (where events.event_type = 'clicked' and not events.is_bot) as clicked,
        count(distinct events.message_id) filter (where events.event_type = 'bounced') as bounced,
        count(distinct events.message_id) filter (where events.event_type = 'failed') as failed,
        count(distinct events.message_id) filter (where events.event_type = 'complained') as complained,
        count(distinct events.message_id) filter (where events.event_type = 'unsubscribed') as unsubscribed
    from events
    join messages using (message_id)
    group by messages.run_id
)

select
    runs.run_id,
    runs.ref,
    runs.status,
    runs.started_at,
    runs.finished_at,
    runs.planned,
    runs.sent,
    runs.rejected,
    runs.withheld,
    runs.unknown,
    runs.skipped,
    runs.invalid,
    coalesce(receipts.delivered, 0) as delivered,
    coalesce(receipts.opened, 0) as opened,
    coalesce(receipts.clicked, 0) as clicked,
    coalesce(receipts.bounced, 0) as bounced,
    coalesce(receipts.failed, 0) as failed,
    coalesce(receipts.complained, 0) as complained,
    coalesce(receipts.unsubscribed, 0) as unsubscribed
from runs
left join receipts using (run_id)
