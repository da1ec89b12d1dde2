with components as (
    select * from {{ ref('score_engagement_components') }}
),

bands as (
    select * from {{ ref('score_bands') }}
    where model = 'engagement'
),

totals as (
    select
        profile_id,
        greatest(round(sum(counted_points), 2), 0) as score,
        max(last_event_at) as last_event_at
    from components
    group by profile_id
)

select
    totals.profile_id,
    totals.score,
    max_by(bands.grade, bands.min_score) as grade,
    totals.last_event_at,
    {{ as_of() }} as scored_at
from totals
join bands on totals.score >= bands.min_score
group by totals.profile_id, totals.score, totals.last_event_at
