with events as (
    select * from {{ ref('fct_consent_events') }}
    where
        occurred_at <= {{ as_of() }}
        -- a clock that runs ahead must not keep a withdrawal from counting
        or status = 'withdrawn'
),

ranked as (
    select
        *,
        row_number() over (
            partition by profile_id, channel, purpose
            -- the newest statement wins, and of two at the same moment the withdrawal
            order by occurred_at desc, (status = 'withdrawn')::int desc, evidence
        ) as place
    from events
)

select
    profile_id || ':' || channel || ':' || purpose as consent_state_id,
    profile_id,
    channel,
    purpose,
    status,
    occurred_at as since,
    source,
    evidence,
    double_opt_in
from ranked
where place = 1
