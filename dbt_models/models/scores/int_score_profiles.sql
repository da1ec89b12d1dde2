{%- set rules = local_md5(fingerprint(ref('score_models')) ~ fingerprint(ref('score_bands'))) -%}
{%- set since = taken_up_to(ref('score_components'), rules=rules, leave=false) -%}
{%- set changed -%}
    select profile_id from {{ ref('score_components') }}
    where _written_at > {{ since }}
    union
    -- for whom no rule counts any more
    select profile_id from {{ this }} as known
    where not exists (select 1 from {{ ref('score_components') }} as components where components.profile_id = known.profile_id)
{%- endset -%}
{%- set wanted = made_again('profile_id', since, changed) -%}

-- score, band and grade of everybody, made again for those whose components were
with components as (
    select * from {{ ref('score_components') }}
    where {{ wanted }}
),

models as (
    select * from {{ ref('score_models') }}
),

bands as (
    select
        *,
        row_number() over (partition by model order by min_score desc) as place,
        lead(min_score) over (partition by model order by min_score) as next_score
    from {{ ref('score_bands') }}
),

totals as (
    select
        model,
        profile_id,
        greatest(round(sum(counted_points), 2), 0) as score,
        max(last_event_at) as last_event_at
    from components
    group by model, profile_id
),

banded as (
    select totals.*, bands.band, bands.place
    from totals
    join bands
        on totals.model = bands.model
        and totals.score >= bands.min_score
        and (totals.score < bands.next_score or bands.next_score is null)
),

-- of whom nothing is known that fits, the fit is the lowest
lowest as (
    select model, min_by(band, min_score) as band
    from bands
    group by model
)

select
    banded.model,
    banded.profile_id,
    banded.score,
    banded.band,
    -- the band of the fit and the place of the engagement's: A1 is best
    coalesce(fits.band, lowest.band) || banded.place as grade,
    banded.last_event_at,
    '{{ rules }}' as _rules,
    {{ come_to(ref('score_components')) }} as _taken_at,
    {{ written_at() }} as _written_at
from banded
join models on banded.model = models.model
left join lowest on models.fit_model = lowest.model
left join banded as fits on models.fit_model = fits.model and banded.profile_id = fits.profile_id
