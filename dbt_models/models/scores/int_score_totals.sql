{%- set back = var('score_calibration_days') -%}
{%- set redo = changed_events(
    'profile_id',
    as_of_now=true,
    rules=[ref('int_score_rules')],
    settings=[as_of_day(), back | string],
    upstream=[ref('int_score_days')],
    also=turning_inactive([0, 7, back])
) -%}

-- what every model of behaviour says of every person now, and said a week ago and when the people's buying began that it is held against
select
    *,
    {{ redo.stamp }}
from (
    {{ score_totals({
        'score': as_of(),
        'score_week_ago': as_of() ~ " - interval '7 days'",
        'score_then': as_of() ~ " - interval '" ~ back ~ " days'"
    }, redo.mine, their_days(redo)) }}
) as totals
