-- every build adds the thresholds that were crossed since the one before it
with scores as (
    select * from {{ ref('score_profiles') }}
),

thresholds as (
    select * from {{ ref('score_thresholds') }}
),

merges as (
    select distinct previous_id, profile_id from {{ ref('profile_merges') }}
),

before as (
    {% if is_incremental() %}
    select
        last_ones.model,
        last_ones.threshold,
        coalesce(merges.profile_id, last_ones.profile_id) as profile_id,
        max(last_ones.crossing_number) as crossing_number,
        -- of two who turn out to be one person the last crossing counts, and of two at once the one that has been told
        max_by(last_ones.direction, (last_ones.crossed_at, last_ones.direction)) as direction
    from (
        select * from {{ this }}
        qualify row_number() over (partition by model, threshold, profile_id order by crossing_number desc) = 1
    ) as last_ones
    left join merges on last_ones.profile_id = merges.previous_id
    group by 1, 2, 3
    {% else %}
    select
        cast(null as varchar) as model, cast(null as varchar) as threshold, cast(null as varchar) as profile_id,
        cast(null as bigint) as crossing_number, cast(null as varchar) as direction
    where false
    {% endif %}
),

states as (
    select
        thresholds.model,
        thresholds.threshold,
        scores.profile_id,
        scores.score,
        scores.grade,
        case when scores.score >= thresholds.rises_at then 'up' when scores.score < thresholds.falls_at then 'down' end as direction
    from scores
    join thresholds using (model)
),

crossed as (
    select
        states.*,
        before.crossing_number as previous_number
    from states
    left join before using (model, threshold, profile_id)
    -- whoever was never above has nothing to fall from
    where states.direction is not null and states.direction <> coalesce(before.direction, 'down')
)

select
    model || ':' || threshold || ':' || profile_id || ':' || (coalesce(previous_number, 0) + 1) as crossing_id,
    model,
    threshold,
    profile_id,
    coalesce(previous_number, 0) + 1 as crossing_number,
    direction,
    score,
    grade,
    {{ as_of() }} as crossed_at,
    '{{ invocation_id }}' as run_id
from crossed
{% if is_incremental() %}
-- a build about the past tells nothing new
where {{ as_of() }} >= (select coalesce(max(crossed_at), {{ as_of() }}) from {{ this }})
{% endif %}
