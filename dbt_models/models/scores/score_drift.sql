-- how far the distribution of each score is from the one of a week ago, as population stability index over bands of ten points
with scores as (
    select model, 'now' as moment, score from {{ ref('int_score_totals') }}
    where score is not null
    union all
    select model, 'before', score_week_ago from {{ ref('int_score_totals') }}
    where score_week_ago is not null
),

counted as (
    select
        model,
        least(floor(score / 10), 10) as bin,
        count(*) filter (where moment = 'now') as people_now,
        count(*) filter (where moment = 'before') as people_before
    from scores
    group by model, least(floor(score / 10), 10)
),

shares as (
    select
        *,
        -- half a person where there is nobody, or a bin that came or went would be infinitely far
        greatest(people_now, 0.5) / greatest(sum(people_now) over (partition by model), 1) as share_now,
        greatest(people_before, 0.5) / greatest(sum(people_before) over (partition by model), 1) as share_before
    from counted
)

select
    model,
    cast(sum(people_now) as bigint) as people,
    cast(sum(people_before) as bigint) as people_before,
    sum((share_now - share_before) * ln(share_now / share_before)) as stability_index
from shares
group by model
