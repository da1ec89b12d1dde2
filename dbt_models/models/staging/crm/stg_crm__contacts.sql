with versions as (
    select * from {{ ref('stg_crm__contact_versions') }}
)

select *
from versions
qualify {{ latest_version('contact_id') }}
