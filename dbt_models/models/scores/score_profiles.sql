with components as (
    select * from {{ ref('score_components') }}
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
    banded.model || ':' || banded.profile_id as profile_score_id,
    banded.model,
    banded.profile_id,
    banded.score,
    banded.band,
    -- the band of the fit and the place of the engagement's: A1 is best
    coalesce(fits.band, lowest.band) || banded.place as grade,
    banded.last_event_at,
    {{ as_of() }} as scored_at
from banded
join models on banded.model = models.model
left join lowest on models.fit_model = lowest.model
left join banded as fits on models.fit_model = fits.model and banded.profile_id = fits.profile_id
