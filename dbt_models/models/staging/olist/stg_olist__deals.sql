with deals as (
    {{ unpack(source('raw', 'olist_deals'), {
        'mql_id': 'mql_id',
        'seller_id': 'seller_id',
        'sdr_id': 'sdr_id',
        'sr_id': 'sr_id',
        'won_text': 'won_date',
        'business_segment': 'business_segment',
        'lead_type': 'lead_type',
        'lead_behaviour_profile': 'lead_behaviour_profile',
        'has_company': 'has_company',
        'has_gtin': 'has_gtin'
    }) }}
)

select
    mql_id,
    seller_id,
    sdr_id,
    sr_id,
    {{ utc_timestamp('won_text') }} as won_at,
    business_segment,
    lead_type,
    lead_behaviour_profile,
    try_cast(has_company as boolean) as has_company,
    try_cast(has_gtin as boolean) as has_gtin,
    _batch_id,
    _landed_at
from deals
qualify {{ latest_version('mql_id', '_landed_at') }}
