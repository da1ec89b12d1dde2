with leads as (
    {{ unpack(source('raw', 'olist_leads'), {
        'mql_id': 'mql_id',
        'first_contact_text': 'first_contact_date',
        'landing_page_id': 'landing_page_id',
        'origin': 'origin'
    }) }}
)

select
    mql_id,
    cast(try_strptime(first_contact_text, '%d-%m-%Y') as date) as first_contact_date,
    landing_page_id,
    nullif(trim(origin), '') as origin,
    _batch_id,
    _landed_at
from leads
qualify {{ latest_version('mql_id', '_landed_at') }}
