with versions as (
    select * from {{ ref('stg_shop__order_versions') }}
)

select *
from versions
qualify {{ latest_version('order_id') }}
