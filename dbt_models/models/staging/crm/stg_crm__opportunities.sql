with versions as (
    select * from {{ ref('stg_crm__opportunity_versions') }}
),

newest as (
    select *
    from versions
    qualify {{ latest_version('opportunity_id') }}
)

select *
from newest
where not is_deleted
