with evidence as (
    select * from {{ ref('int_lifecycle_evidence') }}
    where occurred_at <= {{ as_of() }}
),

stages as (
    select * from {{ ref('lifecycle_stages') }}
),

ranked as (
    select
        evidence.*,
        stages.rank,
        stages.is_setback,
        (select rank from stages where stage = 'customer') as customer_rank,
        max(stages.rank) over before as rank_before
    from evidence
    join stages using (stage)
    -- at one moment the step forward is first, so that the setback is not lost
    window before as (
        partition by evidence.profile_id
        order by evidence.occurred_at, stages.is_setback, stages.rank, evidence.evidence
        rows between unbounded preceding and 1 preceding
    )
),

-- the way begins again with every setback
laps as (
    select
        *,
        sum(is_setback::int) over (partition by profile_id order by occurred_at, is_setback, rank, evidence rows unbounded preceding) as lap
    from ranked
    where
        not is_setback
        -- only who came so far can fall back, and who has bought stays a customer
        or (rank_before >= rank and rank_before < customer_rank)
),

-- within a lap the furthest stage counts: nothing else sets a stage back
furthest as (
    select
        *,
        max(case when not is_setback then rank end) over (
            partition by profile_id, lap order by occurred_at, is_setback, rank, evidence rows unbounded preceding
        ) as furthest_rank,
        first_value(case when is_setback then stage end) over (
            partition by profile_id, lap order by is_setback desc, occurred_at, evidence
        ) as fallen_to
    from laps
),

stood as (
    select
        furthest.*,
        case when furthest.fallen_to is null or furthest.furthest_rank >= fallen.rank then reached.stage else furthest.fallen_to end as stands_on
    from furthest
    left join stages as reached on furthest.furthest_rank = reached.rank and not reached.is_setback
    left join stages as fallen on furthest.fallen_to = fallen.stage
),

moves as (
    select
        *,
        lag(stands_on) over (partition by profile_id order by occurred_at, is_setback, rank, evidence) as stood_on
    from stood
)

select
    profile_id || ':' || row_number() over way as transition_id,
    profile_id,
    coalesce(stood_on, 'visitor') as from_stage,
    stands_on as to_stage,
    occurred_at as transitioned_at,
    lead(occurred_at) over way as left_at,
    source,
    evidence
from moves
where stands_on <> coalesce(stood_on, 'visitor')
window way as (partition by profile_id order by occurred_at, is_setback, rank, evidence)
