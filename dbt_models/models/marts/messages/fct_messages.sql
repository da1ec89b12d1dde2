with changelog as (
    select * from {{ ref('stg_sluice__sync_changelog') }}
    where message_id is not null
),

identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
),

-- a message that was withheld in one run may leave in the next: what counts is whether it ever left
latest as (
    select
        *,
        row_number() over (
            partition by message_id
            order by (outcome = 'sent')::int desc, (outcome = 'unknown')::int desc, recorded_at desc, run_id desc
        ) as place
    from changelog
)

select
    latest.message_id,
    latest.provider_id,
    latest.ref,
    latest.run_id,
    latest.destination,
    latest.channel,
    latest.purpose,
    -- who it was sent to may since have been merged with somebody
    coalesce(identifiers.profile_id, latest.profile_id) as profile_id,
    latest.outcome,
    latest.reason_code,
    latest.recorded_at
from latest
left join identifiers on latest.profile_id = identifiers.own_profile_id
where latest.place = 1
