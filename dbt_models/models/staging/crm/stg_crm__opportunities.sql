with opportunities as (
    {{ unpack(source('raw', 'crm_opportunities'), {
        'opportunity_id': 'opportunity_id',
        'account_id': 'account_id',
        'contact_id': 'contact_id',
        'name': 'name',
        'stage': 'stage',
        'amount': 'amount',
        'currency': 'currency',
        'created_text': 'created_at',
        'closed_text': 'closed_at',
        'updated_text': 'updated_at'
    }) }}
)

select
    opportunity_id,
    nullif(account_id, '') as account_id,
    nullif(contact_id, '') as contact_id,
    name,
    lower(stage) as stage,
    try_cast(amount as double) as amount,
    currency,
    coalesce({{ utc_timestamp('created_text') }}, _landed_at) as created_at,
    {{ utc_timestamp('closed_text') }} as closed_at,
    coalesce({{ utc_timestamp('updated_text') }}, {{ utc_timestamp('created_text') }}, _landed_at) as updated_at,
    _batch_id,
    _landed_at
from opportunities
qualify {{ latest_version('opportunity_id') }}
