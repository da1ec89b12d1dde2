-- A score whose distribution moved far in a week means something else than before: a tracker broke, a rule was changed, a campaign ran.
{{ config(severity='warn') }}
select model, stability_index
from {{ ref('score_drift') }}
where
    stability_index > {{ var('score_drift_limit') }}
    -- of few people, one is a lot
    and least(people, people_before) >= 100
