with costs as (
    {{ unpack(source('raw', 'ads_costs'), {
        'date_text': 'date',
        'platform': 'platform',
        'campaign': 'campaign',
        'ad_group': 'ad_group',
        'impressions': 'impressions',
        'clicks': 'clicks',
        'cost': 'cost',
        'currency': 'currency'
    }) }}
)

select
    coalesce(date_text, '') || '|' || coalesce(platform, '') || '|' || coalesce(campaign, '') || '|' || coalesce(ad_group, '') as cost_id,
    try_cast(date_text as date) as cost_date,
    lower(platform) as platform,
    campaign,
    ad_group,
    try_cast(impressions as bigint) as impressions,
    try_cast(clicks as bigint) as clicks,
    try_cast(cost as double) as cost,
    currency,
    _batch_id,
    _landed_at
from costs
qualify {{ latest_version('cost_id', '_landed_at') }}
