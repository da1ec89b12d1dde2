with observed as (
    select * from {{ ref('int_identifiers_observed') }}
),

unknown as (
    select
        observed.identifier_type,
        observed.identifier,
        observed.first_landed_at,
        observed.first_event_at
    from observed
    {% if is_incremental() %}
    left join {{ this }} as known using (identifier_type, identifier)
    where known.identifier_key is null
    {% endif %}
)

select
    {% if is_incremental() %} (select coalesce(max(identifier_key), 0) from {{ this }}) + {% endif %}
    row_number() over (order by first_landed_at, first_event_at, identifier_type, identifier) as identifier_key,
    identifier_type,
    identifier
from unknown
