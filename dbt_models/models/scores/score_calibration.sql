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

deciles as (
    select
        model,
        profile_id,
        score,
        ntile(10) over (partition by model order by score desc, profile_id) as decile
    from past
)

select
    deciles.model || ':' || deciles.decile as score_decile_id,
    deciles.model,
    deciles.decile,
    min(deciles.score) as lowest_score,
    max(deciles.score) as highest_score,
    count(*) as people,
    count(bought.profile_id) as converted,
    count(bought.profile_id) / count(*) as conversion_rate
from deciles
left join bought using (profile_id)
group by deciles.model, deciles.decile
