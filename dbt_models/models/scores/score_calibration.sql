{%- set horizon = var('score_calibration_days') -%}

-- what the score said some time ago, and who bought since
with past as (
    select profile_id, model, score_then as score from {{ ref('int_score_totals') }}
    where score_then is not null
),

bought as (
    select distinct evidence.profile_id
    from {{ ref('int_lifecycle_evidence') }} as evidence
    where
        evidence.stage = 'customer'
        and evidence.occurred_at > {{ as_of() }} - interval '{{ horizon }} days'
        and evidence.occurred_at <= {{ as_of() }}
),

buyers as (
    select past.model, past.score, count(*) as buyers
    from past
    join bought using (profile_id)
    group by past.model, past.score
),

scores as (
    select past.model, past.score, count(*) as people
    from past
    group by past.model, past.score
),

-- the places that the people of a score have, the highest scores first: after those of first, up to last
places as (
    select
        scores.model,
        scores.score,
        scores.people,
        coalesce(buyers.buyers, 0) as buyers,
        sum(scores.people) over (partition by scores.model order by scores.score desc) - scores.people as first_place,
        sum(scores.people) over (partition by scores.model order by scores.score desc) as last_place,
        sum(scores.people) over (partition by scores.model) as of_all
    from scores
    left join buyers using (model, score)
),

-- and those of a decile: what cannot be shared out evenly goes to the first ones
parts as (
    select
        places.*,
        decile,
        greatest(first_place, floor(of_all / 10) * (decile - 1) + least(of_all % 10, decile - 1)) - first_place as part_from,
        least(last_place, floor(of_all / 10) * decile + least(of_all % 10, decile)) - first_place as part_to
    from places
    cross join (values (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) as deciles (decile)
)

select
    model || ':' || decile as score_decile_id,
    model,
    decile,
    min(score) as lowest_score,
    max(score) as highest_score,
    cast(sum(part_to - part_from) as bigint) as people,
    -- people of one score are alike: where they fall into several deciles, so do the buyers among them, evenly
    cast(sum(floor(buyers * part_to / people) - floor(buyers * part_from / people)) as bigint) as converted,
    sum(floor(buyers * part_to / people) - floor(buyers * part_from / people)) / sum(part_to - part_from) as conversion_rate
from parts
where part_from < part_to
group by model, decile
